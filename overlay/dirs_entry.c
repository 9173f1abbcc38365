/* SPDX-License-Identifier: Apache-2.0 */
/* What an entry of a layer says by itself: its attributes, marks, whether it is a whiteout. */
#include "overlay/dirs_internal.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "overlay/meta.h"
#include "overlay/xattrs.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Does the fd have one of these attributes?  Its length, or -ENODATA. */
static ssize_t read_any(int fd, const char *const names[], size_t n, void *buf, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t len = fgetxattr(fd, names[i], buf, size);

		if (len >= 0)
			return len;
	}
	return -ENODATA;
}

static const char *const opaque_names[] = { XA_OPAQUE, "trusted.overlay.opaque",
	"user.fuseoverlayfs.opaque" };
static const char *const redirect_names[] = { XA_REDIRECT, "trusted.overlay.redirect" };
static const char *const metacopy_names[] = { XA_METACOPY, "trusted.overlay.metacopy" };
static const char *const whiteout_names[] = { "user.overlay.whiteout", "trusted.overlay.whiteout" };
static const char *const override_names[] = { XA_OVERRIDE, "user.fuseoverlayfs.override_stat",
	"security.fuseoverlayfs.override_stat" };

/* Most inodes have no attributes at all, which one call tells. */
static bool has_attributes(int fd)
{
	return flistxattr(fd, NULL, 0) != 0;
}

void dirs_read_says(int fd, struct dirs_says *ret)
{
	char value[16];
	ssize_t len;

	ret->dir = 0;
	ret->metacopy = false;
	ret->redirect[0] = '\0';
	if (!has_attributes(fd))
		return;
	len = read_any(fd, opaque_names, ARRAY_SIZE(opaque_names), value, sizeof(value));
	if (len == 1 && value[0] == 'y')
		ret->dir |= DIRS_OPAQUE;
	if (len == 1 && value[0] == 'x')
		ret->dir |= DIRS_X_WHITEOUTS;
	ret->metacopy = read_any(fd, metacopy_names, ARRAY_SIZE(metacopy_names), NULL, 0) >= 0;
	len = read_any(
		fd, redirect_names, ARRAY_SIZE(redirect_names), ret->redirect, DIRS_REDIRECT_BYTES);
	ret->redirect[len > 0 ? len : 0] = '\0';
}

void dirs_read_opaque_file(int dirfd, struct dirs_says *m)
{
	struct stat st;

	if (fstatat(dirfd, ".wh..wh..opq", &st, AT_SYMLINK_NOFOLLOW) == 0)
		m->dir |= DIRS_OPAQUE;
}

static int apply_override(int dirfd, const char *name, struct dirs_attr *a)
{
	auto_fd fd = at_open_here(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	char text[META_OVERRIDE_BYTES];
	struct node_override ov;
	ssize_t len;

	if (fd < 0)
		return fd == -EACCES ? 0 : fd;
	len = read_any(fd, override_names, ARRAY_SIZE(override_names), text, sizeof(text));
	if (len < 0)
		return 0;
	if (meta_override_parse(text, (size_t)len, &ov) < 0)
		return -EIO;
	a->uid = ov.uid;
	a->gid = ov.gid;
	a->mode = (a->mode & S_IFMT) | (ov.mode & 07777);
	if (!(ov.mode & S_IFMT) || S_ISDIR(a->mode))
		return 0;
	a->mode = ov.mode;
	a->major = ov.major;
	a->minor = ov.minor;
	if (!S_ISREG(a->mode) && !S_ISLNK(a->mode))
		a->size = a->blocks = 0;
	return 0;
}

enum dirs_marks dirs_read_root(int fd, bool *ret_overrides)
{
	struct dirs_says marks;

	*ret_overrides = false;
	if (!has_attributes(fd))
		return 0;
	*ret_overrides = read_any(fd, override_names, ARRAY_SIZE(override_names), NULL, 0) >= 0;
	dirs_read_says(fd, &marks);
	return marks.dir;
}

static bool is_marked_whiteout(int dirfd, const char *name)
{
	auto_fd fd = at_open_here(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	return fd >= 0 && read_any(fd, whiteout_names, ARRAY_SIZE(whiteout_names), NULL, 0) >= 0;
}

int dirs_stat(struct lower_dirs *d, uint16_t layer, int dirfd, const char *name,
	enum dirs_marks marks, struct dirs_found *ret, bool *ret_whiteout)
{
	struct stat st;
	int fs;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -errno;
	*ret_whiteout = meta_is_whiteout(&st) ||
			((marks & DIRS_X_WHITEOUTS) && S_ISREG(st.st_mode) && st.st_size == 0 &&
				is_marked_whiteout(dirfd, name));
	fs = dirs_fs(d, st.st_dev);
	if (fs < 0)
		return fs;
	*ret = (struct dirs_found){ .fs_ino = st.st_ino,
		.fs = (uint16_t)fs,
		.layer = layer,
		.attr = { .size = (uint64_t)st.st_size,
			.blocks = (uint64_t)st.st_blocks,
			.mtime_sec = st.st_mtim.tv_sec,
			.mtime_nsec = (uint32_t)st.st_mtim.tv_nsec,
			.mode = st.st_mode,
			.uid = st.st_uid,
			.gid = st.st_gid,
			.nlink = (uint32_t)st.st_nlink,
			.major = major(st.st_rdev),
			.minor = minor(st.st_rdev) } };
	if (d->layers[layer].overrides && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return apply_override(dirfd, name, &ret->attr);
	return 0;
}

int dirs_is_hidden(int dirfd, const char *name, size_t len)
{
	char wh[NAME_MAX + 1] = ".wh.";
	struct stat st;

	if (len + 4 > NAME_MAX)
		return 0;
	memcpy(wh + 4, name, len);
	wh[len + 4] = '\0';
	if (fstatat(dirfd, wh, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}
