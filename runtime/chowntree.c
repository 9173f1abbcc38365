/* SPDX-License-Identifier: Apache-2.0 */
/* Giving a whole tree to somebody (the contract is in the header). */
#include "runtime/chowntree.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

struct owner {
	uid_t uid;
	gid_t gid;
};

/* What has the owner already keeps its set-id bits and its time of change. */
static int give(int dirfd, const char *name, const struct owner *o, bool *ret_is_dir)
{
	const int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
	struct stat st;

	if (fstatat(dirfd, name, &st, flags) < 0)
		return -errno;
	*ret_is_dir = S_ISDIR(st.st_mode);
	if (st.st_uid == o->uid && st.st_gid == o->gid)
		return 0;
	return fchownat(dirfd, name, o->uid, o->gid, flags) < 0 ? -errno : 0;
}

/* Takes @fd. */
static int walk(int fd, const struct owner *o, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	while (r >= 0 && (e = readdir(dir))) {
		bool is_dir = false;
		int sub;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		r = give(fd, e->d_name, o, &is_dir);
		/* Removed since it was listed. */
		if (r == -ENOENT)
			r = 0;
		if (r < 0 || !is_dir)
			continue;
		if (depth == 0)
			r = -E2BIG;
		sub = r < 0 ? r
			    : openat(fd, e->d_name,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = walk(sub, o, depth - 1);
		else if (r == 0 && errno != ENOENT)
			r = -errno;
	}
	(void)closedir(dir);
	return r;
}

int chowntree(int fd, uid_t uid, gid_t gid)
{
	const struct owner o = { uid, gid };
	bool is_dir = false;
	int r = give(fd, "", &o, &is_dir);

	if (r < 0 || !is_dir)
		return r;
	r = at_reopen(fd, O_RDONLY | O_DIRECTORY);
	return r < 0 ? r : walk(r, &o, LIMIT_CHOWNTREE_DEPTH);
}
