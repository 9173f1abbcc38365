/* SPDX-License-Identifier: Apache-2.0 */
/* Uppers of other overlay filesystems (what is done is said in the header). */
#include "overlay/adopt.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/upper.h"
#include "overlay/whiteout.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
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

/* A name that hides another: the device first, then nothing needs the name any more. */
static int adopt_whiteout(int dirfd, const char *name, const char *target)
{
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > 0)
		return 0; /* somebody's file that happens to be called so */
	r = upper_make_whiteout(dirfd, target);
	if (r < 0 && r != -EEXIST)
		return r;
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

static int adopt_opaque_file(int dirfd, const char *name)
{
	int r = upper_mark_opaque(dirfd);

	return r < 0 ? r : unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

static int adopt_dir(int fd, int depth);

static int adopt_entry(int dirfd, const struct dirent *de, int depth)
{
	size_t len = strlen(de->d_name);
	const char *target;
	int fd, r = wh_from_tar_name(de->d_name, len, &target);

	if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
		return 0;
	if (r == WH_DELETED)
		return adopt_whiteout(dirfd, de->d_name, target);
	if (r == WH_OPAQUE)
		return adopt_opaque_file(dirfd, de->d_name);
	if (de->d_type != DT_DIR && de->d_type != DT_REG && de->d_type != DT_UNKNOWN)
		return 0;
	fd = openat(dirfd, de->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ELOOP || errno == ENXIO
			       ? 0
			       : -errno;
	if (de->d_type == DT_DIR && depth < LIMIT_DEPTH)
		return adopt_dir(fd, depth + 1);
	r = adopt_attrs(fd);
	(void)close(fd);
	return r;
}

/* Consumes @fd.  Times of directories stay: they are part of what a layer says. */
static int adopt_dir(int fd, int depth)
{
	struct timespec ts[2];
	const struct dirent *de;
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : adopt_attrs(fd);
	DIR *d = fdopendir(fd);

	if (!d) {
		(void)close(fd);
		return -ENOMEM;
	}
	while (r == 0) {
		errno = 0;
		de = readdir(d);
		if (!de) {
			r = -errno;
			break;
		}
		r = adopt_entry(fd, de, depth);
	}
	if (r == 0) {
		ts[0] = st.st_atim;
		ts[1] = st.st_mtim;
		(void)futimens(fd, ts);
	}
	(void)closedir(d);
	return r;
}

int adopt_upper(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return copy < 0 ? -errno : adopt_dir(copy, 0);
}
