/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the upper inode of a node is
 *
 *      gone       node->orphan_fd, or a file in work/orphans
 *      indexed    index/<origin>
 *      else       any name in upper/: the parent's descriptor and the name
 *
 * A parent's descriptor comes from the cache; if it is not there, the path from the nearest
 * ancestor that is there (or the root) is walked, one component at a time.
 */
#include "overlay/locate.h"

#include "base/at.h"
#include "base/cleanup.h"

#include <fcntl.h>

void locate_orphan_name(const struct node *n, char ret[24])
{
	snprintf(ret, 24, "%llx", (unsigned long long)n->id);
}

/* ---- directories ---- */

struct path {
	struct node **v; /* from the directory upwards */
	size_t n, room;
};

static int path_add(struct path *p, struct node *n)
{
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 16;
		struct node **v = reallocarray(p->v, room, sizeof(struct node *));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = room;
	}
	p->v[p->n++] = n;
	return 0;
}

static int open_child_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Walk down from @fd (borrowed) along @p; fs->tree is read-held.  Return: a new fd. */
static int walk_down(const struct path *p, int fd)
{
	auto_fd here = -1;

	for (size_t i = p->n; i-- > 0;) {
		int next = open_child_dir(here >= 0 ? here : fd, p->v[i]->links->name);

		if (next < 0)
			return next;
		if (here >= 0)
			(void)close(here);
		here = next;
	}
	return fd_take(&here);
}

static int open_dir(struct ovl_fs *fs, struct node *dir)
{
	struct fd_ref from = { fs->up->tree_fd, NULL };
	auto_free struct node **v = NULL;
	struct path p = { 0 };
	int r = 0;

	for (struct node *n = dir; r == 0 && n != fs->root; n = n->links->parent) {
		if (n != dir && fdc_get(fs->fds, n, &from))
			break;
		r = n->links ? path_add(&p, n) : -ESTALE;
		if (r < 0)
			break;
	}
	v = p.v;
	if (r == 0)
		r = walk_down(&p, from.fd);
	fdc_release(fs->fds, &from);
	return r;
}

int locate_dir_fd(struct ovl_fs *fs, struct node *dir, struct fd_ref *ret)
{
	char name[24];
	int fd, orphan;

	if (dir == fs->root) {
		*ret = (struct fd_ref){ fs->up->tree_fd, NULL };
		return 0;
	}
	if (fdc_get(fs->fds, dir, ret))
		return 0;
	pthread_rwlock_rdlock(&fs->tree);
	/* A directory that is gone keeps its descriptor, or a place, until the node dies. */
	orphan = __atomic_load_n(&dir->orphan_fd, __ATOMIC_ACQUIRE);
	if (orphan >= 0) {
		fd = open_child_dir(orphan, ".");
	} else if (dir->flags & NODE_IN_ORPHANS) {
		locate_orphan_name(dir, name);
		fd = open_child_dir(fs->up->orphans_fd, name);
	} else {
		fd = open_dir(fs, dir);
	}
	pthread_rwlock_unlock(&fs->tree);
	return fd < 0 ? fd : fdc_put_take_fd(fs->fds, dir, fd, ret);
}

/* ---- any inode ---- */

int locate(struct ovl_fs *fs, struct node *n, struct place *ret)
{
	ret->ref = (struct fd_ref){ -1, NULL };
	if (n == fs->root) {
		ret->dirfd = fs->up->tree_fd;
		ret->name = ".";
	} else if (n->orphan_fd >= 0) {
		ret->dirfd = n->orphan_fd;
		ret->name = "";
	} else if (n->flags & NODE_IN_ORPHANS) {
		locate_orphan_name(n, ret->text);
		ret->dirfd = fs->up->orphans_fd;
		ret->name = ret->text;
	} else if (n->flags & NODE_INDEXED) {
		upper_origin_name(n->ino, ret->text);
		ret->dirfd = fs->up->index_fd;
		ret->name = ret->text;
	} else {
		int r = n->links ? locate_dir_fd(fs, n->links->parent, &ret->ref) : -ESTALE;

		if (r < 0)
			return r;
		ret->dirfd = ret->ref.fd;
		ret->name = n->links->name;
	}
	return 0;
}

void locate_done(struct ovl_fs *fs, struct place *p)
{
	fdc_release(fs->fds, &p->ref);
}

int locate_stat(struct ovl_fs *fs, struct node *n, struct stat *ret)
{
	struct fd_ref ref;
	struct place at;
	int r;

	if (fdc_get(fs->fds, n, &ref)) {
		r = fstat(ref.fd, ret) < 0 ? -errno : 0;
		fdc_release(fs->fds, &ref);
		return r;
	}
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	r = fstatat(at.dirfd, at.name, ret, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0 ? -errno : 0;
	locate_done(fs, &at);
	return r;
}

static int open_data(const struct place *at, int mode)
{
	int fd = openat(at->dirfd, at->name, mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* What cannot be written can at least be read. */
static int open_some_data(struct node *n, const struct place *at)
{
	int fd = open_data(at, O_RDWR);

	if (fd == -EACCES || fd == -EPERM || fd == -EROFS || fd == -ETXTBSY) {
		fd = open_data(at, O_RDONLY);
		node_flags_set(n, NODE_FD_READ_ONLY, 0);
	}
	return fd;
}

int locate_data_fd(struct ovl_fs *fs, struct node *n, struct fd_ref *ret)
{
	struct place at;
	int r;

	if (n->orphan_fd >= 0) {
		*ret = (struct fd_ref){ n->orphan_fd, NULL };
		return 0;
	}
	if (fdc_get(fs->fds, n, ret))
		return 0;
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	r = open_some_data(n, &at);
	locate_done(fs, &at);
	return r < 0 ? r : fdc_put_take_fd(fs->fds, n, r, ret);
}

int locate_writable_fd(struct ovl_fs *fs, struct node *n, struct fd_ref *ret)
{
	struct place at;
	int r;

	if (n->orphan_fd >= 0 || !(n->flags & NODE_FD_READ_ONLY)) {
		r = locate_data_fd(fs, n, ret);
		if (r < 0 || n->orphan_fd >= 0 || !(n->flags & NODE_FD_READ_ONLY))
			return r;
		fdc_release(fs->fds, ret);
	}
	fdc_drop(fs->fds, n);
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	r = open_data(&at, O_RDWR);
	locate_done(fs, &at);
	if (r < 0)
		return r;
	node_flags_set(n, 0, NODE_FD_READ_ONLY);
	return fdc_put_take_fd(fs->fds, n, r, ret);
}

int locate_keep(struct ovl_fs *fs, struct node *n)
{
	struct fd_ref ref;
	struct place at;
	int fd;

	if (n->orphan_fd >= 0)
		return 0;
	if (__atomic_load_n(&fs->n_orphan_fds, __ATOMIC_RELAXED) >= fs->max_orphan_fds)
		return -EMFILE;
	/* A directory's is still needed to remove what is in it. */
	fd = S_ISDIR(n->fmt) ? -1 : fdc_take_at(fs->fds, &n->slot);
	if (fd >= 0) {
		/* nobody else uses it */
	} else if (fdc_get(fs->fds, n, &ref)) {
		fd = fcntl(ref.fd, F_DUPFD_CLOEXEC, 3);
		fdc_release(fs->fds, &ref);
		if (fd < 0)
			return -errno;
	} else {
		struct stat st;
		int r = locate(fs, n, &at);

		if (r < 0)
			return r;
		/* By what the upper has: a device may be kept as a regular file. */
		if (S_ISREG(n->fmt))
			fd = open_some_data(n, &at);
		else if (fstatat(at.dirfd, at.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			fd = -errno;
		else if (S_ISREG(st.st_mode))
			fd = open_some_data(n, &at);
		else if (S_ISDIR(st.st_mode))
			fd = open_child_dir(at.dirfd, at.name);
		else
			fd = openat(at.dirfd, at.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1)
			fd = -errno;
		locate_done(fs, &at);
		if (fd < 0)
			return fd;
	}
	__atomic_store_n(&n->orphan_fd, fd, __ATOMIC_RELEASE);
	__atomic_add_fetch(&fs->n_orphan_fds, 1, __ATOMIC_RELAXED);
	return 0;
}

void locate_unkeep(struct ovl_fs *fs, struct node *n)
{
	char name[24];

	if (n->orphan_fd >= 0) {
		(void)close(n->orphan_fd);
		n->orphan_fd = NODE_FD_NONE;
		__atomic_sub_fetch(&fs->n_orphan_fds, 1, __ATOMIC_RELAXED);
	}
	if (n->flags & NODE_IN_ORPHANS) {
		locate_orphan_name(n, name);
		if (S_ISDIR(n->fmt))
			(void)at_remove_tree(fs->up->orphans_fd, name);
		else
			(void)unlinkat(fs->up->orphans_fd, name, 0);
		node_flags_set(n, 0, NODE_IN_ORPHANS);
	}
}
