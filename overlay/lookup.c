/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that look: lookup, forget, getattr, readlink, statfs. */
#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/locate.h"
#include "overlay/ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

int ovl_lookup(struct ovl_fs *fs, uint64_t dir, const char *name, struct ovl_entry *ret)
{
	struct child c;
	int r = child_find(fs, dir, name, strlen(name), &c);

	if (r < 0)
		return r;
	r = child_stat(fs, &c, &ret->st);
	ret->id = c.id;
	if (r == 0 && state_counts_lookups(fs))
		(void)node_looked_up(fs->nodes, c.id);
	child_done(fs, &c);
	return r;
}

void ovl_forget(struct ovl_fs *fs, uint64_t id, uint64_t n)
{
	if (state_counts_lookups(fs) && id != NODE_ROOT)
		node_forget(fs->nodes, id, n);
}

int ovl_getattr(struct ovl_fs *fs, uint64_t id, struct stat *ret)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	uint64_t handle = node_id_handle(fs->nodes, id);
	struct lower_attr a;
	int r;

	if (n) {
		r = node_stat(fs, n, ret);
		node_put(fs->nodes, n);
		return r;
	}
	if (handle == NODE_NO_HANDLE)
		return -ESTALE;
	r = fs->lower->ops->attr(fs->lower, handle, &a);
	if (r == 0)
		meta_show_lower(fs, &a, ret);
	return r;
}

int ovl_origin(struct ovl_fs *fs, uint64_t id, uint64_t *ret_handle)
{
	uint64_t handle = node_id_handle(fs->nodes, id);
	struct node *n;
	bool is_upper;

	if (handle == NODE_NO_HANDLE)
		return -ENOENT;
	n = fs->up ? node_find(fs->nodes, id) : NULL;
	is_upper = node_is_upper(n);
	node_put(fs->nodes, n);
	*ret_handle = handle;
	return is_upper;
}

static int readlink_lower(struct ovl_fs *fs, uint64_t handle, char **ret)
{
	const char *target;
	size_t len;
	int r = fs->lower->ops->readlink(fs->lower, handle, &target, &len);

	if (r < 0)
		return r;
	*ret = strndup(target, len);
	return *ret ? 0 : -ENOMEM;
}

/* A symlink of the upper, or a regular file that stands for one. */
static int readlink_upper(struct ovl_fs *fs, struct node *n, char **ret)
{
	auto_free char *text = calloc(1, PATH_MAX + 1);
	struct place at;
	ssize_t len;
	int fd, r;

	if (!text)
		return -ENOMEM;
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	len = readlinkat(at.dirfd, at.name, text, PATH_MAX);
	if (len < 0 && errno == EINVAL && n->ov.set) {
		fd = *at.name ? openat(at.dirfd, at.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
			      : fcntl(at.dirfd, F_DUPFD_CLOEXEC, 3);
		len = fd < 0 ? -1 : pread(fd, text, PATH_MAX, 0);
		r = len < 0 ? -errno : 0;
		if (fd >= 0)
			(void)close(fd);
	} else {
		r = len < 0 ? -errno : 0;
	}
	locate_done(fs, &at);
	if (r == 0)
		*ret = ptr_take(&text);
	return r;
}

int ovl_readlink(struct ovl_fs *fs, uint64_t id, char **ret)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	uint64_t handle = node_id_handle(fs->nodes, id);
	int r;

	if (node_is_upper(n)) {
		pthread_mutex_lock(&n->lock);
		r = S_ISLNK(n->fmt) ? readlink_upper(fs, n, ret) : -EINVAL;
		pthread_mutex_unlock(&n->lock);
	} else if (handle == NODE_NO_HANDLE) {
		r = -ESTALE;
	} else {
		r = readlink_lower(fs, handle, ret);
	}
	node_put(fs->nodes, n);
	return r;
}

int ovl_statfs(struct ovl_fs *fs, struct statvfs *ret)
{
	if (fs->up) {
		if (fstatvfs(fs->up->tree_fd, ret) < 0)
			return -errno;
	} else if (fs->lower->ops->statfs) {
		int r = fs->lower->ops->statfs(fs->lower, ret);

		if (r < 0)
			return r;
	} else {
		*ret = (struct statvfs){
			.f_bsize = 4096, .f_frsize = 4096, .f_files = fs->lower->n_handles
		};
	}
	ret->f_namemax = NAME_MAX;
	return 0;
}
