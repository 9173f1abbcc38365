/* SPDX-License-Identifier: Apache-2.0 */
/* Uppers of other overlay filesystems (what is done is said in the header). */
#include "overlay/adopt.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/upper.h"
#include "overlay/whiteout.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define LIMIT_DEPTH 512 /* directories below this are left as they are */
#define LIMIT_VALUE 4096

static int copy_attr(int fd, const char *from, const char *to)
{
	char value[LIMIT_VALUE];
	ssize_t n = fgetxattr(fd, from, value, sizeof(value));

	if (n < 0)
		return 0;
	return fsetxattr(fd, to, value, (size_t)n, XATTR_CREATE) < 0 && errno != EEXIST ? -errno
											: 0;
}

static int adopt_attrs(int fd)
{
	static const struct {
		const char *from, *to;
	} pairs[] = {
		{ "user.fuseoverlayfs.opaque", XA_OPAQUE },
		{ "trusted.overlay.opaque", XA_OPAQUE },
		{ "trusted.overlay.redirect", XA_REDIRECT },
		{ "trusted.overlay.metacopy", XA_METACOPY },
	};
	int r = 0;

	if (flistxattr(fd, NULL, 0) == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(pairs); i++)
		r = copy_attr(fd, pairs[i].from, pairs[i].to);
	return r;
}

struct adoption {
	enum adopt_flags flags;
	int depth;
};

static int adopt_dir(struct adoption *a, int parent, const char *name, int fd);

/* A directory beside the name that hides it came in its layer to replace the one below. */
static int adopt_replaced(int dirfd, const char *name)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	return upper_mark_opaque(fd);
}

/* A name that hides another: the device first, then nothing needs the name any more. */
static int adopt_name(const struct adoption *a, int dirfd, const char *name, const char *target)
{
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > 0)
		return 0; /* somebody's file that happens to be called so */
	r = adopt_replaced(dirfd, target);
	if (r < 0 || (a->flags & ADOPT_NAMES))
		return r;
	r = upper_make_whiteout(dirfd, target);
	if (r < 0 && r != -EEXIST)
		return r;
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

/* The other way round. */
static int adopt_device(int dirfd, const char *name)
{
	char wh[NAME_MAX + 1];
	struct stat st;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(0, 0))
		return 0;
	if (snprintf(wh, sizeof(wh), ".wh.%s", name) >= (int)sizeof(wh))
		return -ENAMETOOLONG;
	fd = openat(dirfd, wh, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

static int adopt_opaque_file(const struct adoption *a, int dirfd, const char *name)
{
	int r = upper_mark_opaque(dirfd);

	if (r < 0 || (a->flags & ADOPT_NAMES))
		return r;
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

static int adopt_inode(const struct adoption *a, int dirfd, const struct dirent *de)
{
	int fd = openat(dirfd, de->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ELOOP || errno == ENXIO
			       ? 0
			       : -errno;
	if (de->d_type == DT_DIR && a->depth < LIMIT_DEPTH)
		return adopt_dir(
			&(struct adoption){ a->flags, a->depth + 1 }, dirfd, de->d_name, fd);
	r = adopt_attrs(fd);
	(void)close(fd);
	return r;
}

static int adopt_entry(void *ctx, int dirfd, const struct dirent *de)
{
	const struct adoption *a = ctx;
	const char *target;
	int r = wh_from_tar_name(de->d_name, strlen(de->d_name), &target);

	if (r == WH_DELETED)
		return adopt_name(a, dirfd, de->d_name, target);
	if (r == WH_OPAQUE)
		return adopt_opaque_file(a, dirfd, de->d_name);
	if (de->d_type == DT_CHR && (a->flags & ADOPT_NAMES))
		return adopt_device(dirfd, de->d_name);
	if (de->d_type != DT_DIR && de->d_type != DT_REG && de->d_type != DT_UNKNOWN)
		return 0;
	return adopt_inode(a, dirfd, de);
}

/* Consumes @fd, which is @name.  Times of directories stay: they are part of what a layer says. */
static int adopt_dir(struct adoption *a, int parent, const char *name, int fd)
{
	struct timespec ts[2];
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : adopt_attrs(fd);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = at_list_take_fd(fd, adopt_entry, a);
	if (r == 0) {
		ts[0] = st.st_atim;
		ts[1] = st.st_mtim;
		(void)utimensat(parent, name, ts, AT_SYMLINK_NOFOLLOW);
	}
	return r;
}

int adopt_upper(int fd, enum adopt_flags flags)
{
	struct adoption a = { flags, 0 };
	int copy = at_open_again(fd);

	return copy < 0 ? copy : adopt_dir(&a, fd, ".", copy);
}
