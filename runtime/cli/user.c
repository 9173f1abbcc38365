/* SPDX-License-Identifier: Apache-2.0 */
/* Users of a root file system (the contract is in the header). */
#include "runtime/cli/user.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/inroot.h"

#include <fcntl.h>
#include <sys/stat.h>

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

/* Whether a line has @value in its @nth field. */
static bool has_field(const char *text, size_t len, size_t nth, const char *value)
{
	for (size_t start = 0; start < len;) {
		const char *line = text + start, *end = memchr(line, '\n', len - start);
		size_t n = end ? (size_t)(end - line) : len - start;
		const char *field = line;

		start += n + 1;
		for (size_t i = 0; field && i < nth; i++) {
			field = memchr(field, ':', n - (size_t)(field - line));
			field = field ? field + 1 : NULL;
		}
		if (field && (size_t)(line + n - field) >= strlen(value) &&
			memcmp(field, value, strlen(value)) == 0 &&
			(field + strlen(value) == line + n || field[strlen(value)] == ':'))
			return true;
	}
	return false;
}

/* Nothing may follow a name in a line of ours that would be another field or line. */
static bool is_plain(const char *s)
{
	return s && *s && !strpbrk(s, ":\n");
}

static int append(int root_fd, const char *path, const char *text, size_t len, const char *line)
{
	bool joined = len > 0 && text[len - 1] != '\n';
	auto_fd fd =
		inroot_open(root_fd, path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r = fd < 0 ? fd : joined ? fd_write_all(fd, "\n", 1) : 0;

	if (r >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return -EINVAL;
	return r < 0 ? r : fd_write_all(fd, line, strlen(line));
}

static int add_line(int root_fd, const char *path, const char *number, const char *name,
	const char *line, const char *line_by_number)
{
	auto_free char *text = NULL;
	size_t len = 0;
	int r = inroot_read(root_fd, path, LIMIT_USERDB_BYTES, &text, &len);

	if (r < 0 || has_field(text, len, 2, number))
		return 0;
	/* The name is somebody else's already. */
	if (has_field(text, len, 0, name))
		line = line_by_number;
	return append(root_fd, path, text, len, line);
}

int user_add(int root_fd, const struct user_entry *e, struct err *err)
{
	const char *home = is_plain(e->home) ? e->home : "/";
	const char *gecos = is_plain(e->gecos) ? e->gecos : "";
	char uid[12], gid[12];
	auto_free char *named = NULL, *plain = NULL, *group = NULL;
	const char *name = is_plain(e->name) ? e->name : uid;
	int r;

	snprintf(uid, sizeof(uid), "%u", e->uid);
	snprintf(gid, sizeof(gid), "%u", e->gid);
	named = str_format("%s:*:%s:%s:%s:%s:/bin/sh\n", name, uid, gid, gecos, home);
	plain = str_format("%s:*:%s:%s:%s:%s:/bin/sh\n", uid, uid, gid, gecos, home);
	group = str_format("%s:x:%s:\n", name, gid);
	if (!named || !plain || !group)
		return err_set(err, -ENOMEM, "cannot name the user");
	r = add_line(root_fd, "etc/passwd", uid, name, named, plain);
	if (r >= 0) {
		auto_free char *by_number = str_format("%s:x:%s:\n", gid, gid);

		r = by_number ? add_line(root_fd, "etc/group", gid, name, group, by_number)
			      : -ENOMEM;
	}
	return r < 0 ? err_set(err, r, "cannot name the user in the image's files") : 0;
}
