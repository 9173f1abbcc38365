/* SPDX-License-Identifier: Apache-2.0 */
/* Users of a root file system (the contract is in the header). */
#include "runtime/cli/user.h"

#include "runtime/inroot.h"

/* An image's file, or none if it has no such regular file. */
static int read_userdb(int root_fd, const char *path, char **ret, struct userdb_file *ret_file)
{
	int r = inroot_read(root_fd, path, LIMIT_USERDB_BYTES, ret, &ret_file->len);

	ret_file->data = r < 0 ? NULL : *ret;
	return r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -ELOOP ? 0 : r;
}

int user_find(int root_fd, const char *name, const struct strv *groups, struct userdb_user *ret,
	struct err *err)
{
	auto_free char *passwd_text = NULL, *group_text = NULL;
	struct userdb_file passwd = { 0 }, group = { 0 };
	int r;

	r = read_userdb(root_fd, "etc/passwd", &passwd_text, &passwd);
	if (r >= 0)
		r = read_userdb(root_fd, "etc/group", &group_text, &group);
	if (r < 0)
		return err_set(err, r, "cannot read the users of the image");
	r = userdb_resolve(name, &passwd, &group, ret, err);
	for (size_t i = 0; r >= 0 && groups && i < groups->n; i++) {
		uint32_t gid;

		r = userdb_find_group(groups->v[i], &group, &gid, err);
		if (r >= 0)
			r = userdb_add_gid(ret, gid);
	}
	return r;
}
