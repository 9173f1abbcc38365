/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of clients
 *
 * Regular files and directories have them; on other types only security.* and trusted.* could
 * stand, which no unprivileged daemon can write.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/acl.h"
#include "overlay/child.h"
#include "overlay/copyup.h"
#include "overlay/locate.h"
#include "overlay/ops.h"
#include "overlay/xattrs.h"

#include <sys/xattr.h>

#define LIST_BYTES 65536

/* A descriptor of an upper inode that can have attributes; -EOPNOTSUPP for others.  Lock held. */
static int attr_fd(struct ovl_fs *fs, struct node *n, struct fd_ref *ret)
{
	if (S_ISDIR(n->fmt))
		return locate_dir_fd(fs, n, ret);
	return S_ISREG(n->fmt) ? locate_data_fd(fs, n, ret) : -EOPNOTSUPP;
}

static int open_upper(struct ovl_fs *fs, struct node *n, struct fd_ref *ret)
{
	int r;

	pthread_mutex_lock(&n->lock);
	r = attr_fd(fs, n, ret);
	pthread_mutex_unlock(&n->lock);
	return r;
}

static ssize_t get_lower(
	struct ovl_fs *fs, uint64_t handle, const char *name, void *buf, size_t size)
{
	char kept[XATTR_NAME_BYTES];
	ssize_t n;

	if (handle == NODE_NO_HANDLE)
		return -ESTALE;
	if (fs->lower->flags & LOWER_KEPT_XATTRS) {
		if (xattr_to_upper(name, kept) < 0)
			return -ENODATA;
		name = kept;
	} else if (xattr_is_private(name, strlen(name))) {
		return -ENODATA;
	}
	n = fs->lower->ops->getxattr(fs->lower, handle, name, buf, size);
	/* An ACL whose ids mean nothing here: the mode says the rest. */
	if (n > 0 && size > 0 && acl_is_name(name) &&
		acl_map(fs, buf, (size_t)n, ACL_TO_CLIENT) < 0)
		return -ENODATA;
	return n;
}

/* The kernel asks new files for these, before the first write and at the first use of the mode. */
static bool is_known_absent(const struct node *n, const char *name)
{
	return S_ISREG(n->fmt) && (__atomic_load_n(&n->flags, __ATOMIC_ACQUIRE) & NODE_SIMPLE) &&
	       (str_eq(name, "security.capability") || str_eq(name, ACL_ACCESS));
}

ssize_t ovl_getxattr(struct ovl_fs *fs, uint64_t id, const char *name, void *buf, size_t size)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	char kept[XATTR_NAME_BYTES];
	struct fd_ref ref;
	ssize_t r;

	if (!node_is_upper(n)) {
		r = get_lower(fs, node_id_handle(fs->nodes, id), name, buf, size);
		node_put(fs->nodes, n);
		return r;
	}
	r = is_known_absent(n, name) ? -ENODATA : xattr_to_upper(name, kept);
	if (r == 0)
		r = open_upper(fs, n, &ref);
	if (r == 0) {
		r = fgetxattr(ref.fd, kept, buf, size);
		if (r < 0)
			r = -errno;
		fdc_release(fs->fds, &ref);
		if (r > 0 && size > 0 && (fs->flags & OVL_MAP_UPPER) && acl_is_name(name) &&
			acl_map(fs, buf, (size_t)r, ACL_TO_CLIENT) < 0)
			r = -ENODATA;
	} else {
		r = r == -EPERM || r == -EOPNOTSUPP ? -ENODATA : r;
	}
	node_put(fs->nodes, n);
	return r;
}

/* Turn kept names into shown ones; what is left has @room. */
static ssize_t show_names(const char *names, size_t len, char *buf, size_t room)
{
	char shown[XATTR_NAME_BYTES];
	size_t done = 0;

	for (size_t at = 0; at < len; at += strlen(names + at) + 1) {
		size_t n;

		if (!xattr_from_upper(names + at, shown))
			continue;
		n = strlen(shown) + 1;
		if (room) {
			if (room - done < n)
				return -ERANGE;
			memcpy(buf + done, shown, n);
		}
		done += n;
	}
	return (ssize_t)done;
}

static ssize_t list_upper(struct ovl_fs *fs, struct node *n, char *buf, size_t size)
{
	auto_free char *names = malloc(LIST_BYTES);
	struct fd_ref ref;
	ssize_t len;
	int r;

	if (!names)
		return -ENOMEM;
	r = open_upper(fs, n, &ref);
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	len = flistxattr(ref.fd, names, LIST_BYTES);
	if (len < 0)
		len = -errno;
	fdc_release(fs->fds, &ref);
	return len < 0 ? len : show_names(names, (size_t)len, buf, size);
}

/* Names of a lower that has only clients' own; what left them out is hidden. */
static ssize_t pass_names(const char *names, size_t len, char *buf, size_t room)
{
	size_t done = 0;

	for (size_t at = 0; at < len; at += strlen(names + at) + 1) {
		size_t n = strlen(names + at) + 1;

		if (xattr_is_private(names + at, n - 1))
			continue;
		if (room && room - done < n)
			return -ERANGE;
		if (room)
			memcpy(buf + done, names + at, n);
		done += n;
	}
	return (ssize_t)done;
}

static ssize_t list_lower(struct ovl_fs *fs, uint64_t handle, char *buf, size_t size)
{
	auto_free char *names = NULL;
	ssize_t len;

	if (handle == NODE_NO_HANDLE)
		return -ESTALE;
	len = fs->lower->ops->listxattr(fs->lower, handle, NULL, 0);
	if (len <= 0)
		return len;
	names = malloc((size_t)len);
	if (!names)
		return -ENOMEM;
	len = fs->lower->ops->listxattr(fs->lower, handle, names, (size_t)len);
	if (len <= 0)
		return len;
	return fs->lower->flags & LOWER_KEPT_XATTRS ? show_names(names, (size_t)len, buf, size)
						    : pass_names(names, (size_t)len, buf, size);
}

ssize_t ovl_listxattr(struct ovl_fs *fs, uint64_t id, char *buf, size_t size)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	ssize_t r;

	if (node_is_upper(n))
		r = list_upper(fs, n, buf, size);
	else
		r = list_lower(fs, node_id_handle(fs->nodes, id), buf, size);
	node_put(fs->nodes, n);
	return r;
}

/*
 * An access ACL moves the mode.  Where the true mode stands in the override, it has to follow, and
 * the file has to stay open for us.
 */
static int follow_acl(struct ovl_fs *fs, struct node *n, int fd)
{
	struct meta_want w;
	struct stat st;

	if (!n->ov.set)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	w = (struct meta_want){ .mode = n->fmt | (n->ov.mode & 07000) | (st.st_mode & 0777),
		.major = n->ov.major,
		.minor = n->ov.minor };
	meta_owner_from_image(fs, n->ov.uid, n->ov.gid, &w.owner);
	return meta_apply(fs, fd, &w, &n->ov);
}

struct xattr_change {
	const char *name;
	const void *value; /* NULL: remove */
	size_t size;
	int flags;
};

static int change_upper(struct ovl_fs *fs, struct node *n, const struct xattr_change *c)
{
	struct fd_ref ref;
	int r = attr_fd(fs, n, &ref);

	if (r < 0)
		return r;
	node_flags_set(n, 0, NODE_SIMPLE);
	if (c->value)
		r = fsetxattr(ref.fd, c->name, c->value, c->size, c->flags);
	else
		r = fremovexattr(ref.fd, c->name);
	if (r < 0)
		r = -errno;
	if (r == 0 && str_eq(c->name, ACL_ACCESS))
		r = follow_acl(fs, n, ref.fd);
	fdc_release(fs->fds, &ref);
	return r;
}

static int change(struct ovl_fs *fs, uint64_t id, struct xattr_change *c)
{
	auto_free char *acl = NULL;
	char kept[XATTR_NAME_BYTES];
	struct node *n;
	int r = xattr_to_upper(c->name, kept);

	if (r == 0 && (fs->flags & OVL_MAP_UPPER) && c->value && acl_is_name(c->name)) {
		acl = malloc(c->size + 1);
		if (!acl)
			return -ENOMEM;
		memcpy(acl, c->value, c->size);
		r = acl_map(fs, acl, c->size, ACL_TO_IMAGE);
		c->value = acl;
	}
	if (r == 0)
		r = copyup_any(fs, id, &n);
	if (r < 0)
		return r;
	c->name = kept;
	pthread_mutex_lock(&n->lock);
	copyup_wait(n);
	r = change_upper(fs, n, c);
	pthread_mutex_unlock(&n->lock);
	node_put(fs->nodes, n);
	return r;
}

int ovl_setxattr(
	struct ovl_fs *fs, uint64_t id, const char *name, const void *value, size_t size, int flags)
{
	struct xattr_change c = { name, value ? value : "", size, flags };

	return change(fs, id, &c);
}

int ovl_removexattr(struct ovl_fs *fs, uint64_t id, const char *name)
{
	struct xattr_change c = { .name = name };
	ssize_t n;

	if (!fs->up)
		return -EROFS;
	/* Nothing to remove: no reason to copy up. */
	n = ovl_getxattr(fs, id, name, NULL, 0);
	return n < 0 ? (int)n : change(fs, id, &c);
}
