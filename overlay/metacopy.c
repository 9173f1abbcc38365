/* SPDX-License-Identifier: Apache-2.0 */
/* What copy-up does to metadata. */
#include "overlay/metacopy.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/acl.h"
#include "overlay/xattrs.h"

#include <fcntl.h>
#include <sys/xattr.h>

void metacopy_want(const struct ovl_fs *fs, const struct lower_attr *a, struct meta_want *ret)
{
	meta_owner_from_image(fs, a->uid, a->gid, &ret->owner);
	ret->mode = a->mode;
	ret->major = a->rdev_major;
	ret->minor = a->rdev_minor;
}

int metacopy_times(int dirfd, const char *name, const struct lower_attr *a)
{
	struct timespec ts[2] = { { .tv_sec = a->mtime_sec, .tv_nsec = a->mtime_nsec } };

	ts[1] = ts[0];
	if (*name ? utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) : futimens(dirfd, ts))
		return -errno;
	return 0;
}

/* Errors that say that this attribute cannot be there, and not that something is wrong. */
static bool is_refusal(int err)
{
	return err == EPERM || err == EOPNOTSUPP || err == EINVAL || err == EOVERFLOW ||
	       err == EACCES;
}

static int copy_xattr(struct ovl_fs *fs, uint64_t handle, const char *name, int fd)
{
	const struct lower_ops *ops = fs->lower->ops;
	ssize_t len = ops->getxattr(fs->lower, handle, name, NULL, 0);
	auto_free char *value = NULL;

	if (len < 0)
		return (int)len;
	value = malloc((size_t)len + 1);
	if (!value)
		return -ENOMEM;
	len = ops->getxattr(fs->lower, handle, name, value, (size_t)len);
	if (len < 0)
		return (int)len;
	if (acl_is_name(name) && !(fs->flags & OVL_MAP_UPPER) &&
		acl_map(fs, value, (size_t)len, ACL_TO_CLIENT) < 0)
		return 0;
	if (fsetxattr(fd, name, value, (size_t)len, 0) < 0 && !is_refusal(errno))
		return -errno;
	return 0;
}

/* What overlays know each other by does not go along; what clients escaped does. */
static bool is_left_behind(const struct ovl_fs *fs, const char *name)
{
	char shown[XATTR_NAME_BYTES];

	return xattr_is_private(name, strlen(name)) &&
	       !((fs->lower->flags & LOWER_KEPT_XATTRS) && xattr_from_upper(name, shown));
}

static int copy_xattrs(struct ovl_fs *fs, uint64_t handle, int fd)
{
	const struct lower_ops *ops = fs->lower->ops;
	ssize_t len = ops->listxattr(fs->lower, handle, NULL, 0);
	auto_free char *names = NULL;

	if (len <= 0)
		return len == -EOPNOTSUPP ? 0 : (int)len;
	names = malloc((size_t)len);
	if (!names)
		return -ENOMEM;
	len = ops->listxattr(fs->lower, handle, names, (size_t)len);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		int r;

		if (is_left_behind(fs, names + at))
			continue;
		r = copy_xattr(fs, handle, names + at, fd);
		if (r < 0)
			return r;
	}
	return len < 0 ? (int)len : 0;
}

int metacopy_apply(struct ovl_fs *fs, uint64_t handle, const struct lower_attr *a, int fd,
	struct node_override *ret_ov)
{
	char origin[UPPER_ORIGIN_BYTES];
	struct meta_want want;
	int r;

	*ret_ov = (struct node_override){ 0 };
	metacopy_want(fs, a, &want);
	/* The owner first: a change of owner drops capabilities. */
	r = meta_apply(fs, fd, &want, ret_ov);
	if (r == 0)
		r = copy_xattrs(fs, handle, fd);
	/* An access ACL may have moved the mode. */
	if (r == 0)
		r = meta_apply(fs, fd, &want, ret_ov);
	if (r == 0)
		r = metacopy_times(fd, "", a);
	upper_origin_name(a->ino, origin);
	if (r == 0 && fsetxattr(fd, XA_ORIGIN, origin, sizeof(origin) - 1, 0) < 0)
		r = -errno;
	return r;
}
