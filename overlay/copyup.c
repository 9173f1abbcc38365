/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copy-up
 *
 *      lower inode ──1 metadata, data if wanted──▶ work/w1 ──2 link──▶ index/<origin>
 *                                                          ──3 rename─▶ upper/dir/name
 *
 *      upper file without data ──data──▶ the same file ──▶ its metacopy mark is removed
 *
 * Only step 3, or the removal of the mark, is visible: a crash leaves the old file or the whole new
 * one, and leftovers in work/ are swept at the next mount.  Step 2 is for inodes with several names
 * and for those that cannot carry an origin.  A file whose last name went while it was copied is
 * kept as a descriptor and never gets a name.
 *
 * Invariants: - upper/ never shows a partial file
 *             - the st_ino that clients see does not change, nor the parent's times
 *             - one thread copies; others that need the copy wait for it, readers do not
 * Locking:    NODE_COPYING stands for the node while nothing is held; step 3 holds the locks of
 *             the parent and of the node
 */
#include "overlay/copyup.h"

#include "base/cleanup.h"
#include "overlay/copydata.h"
#include "overlay/locate.h"
#include "overlay/metacopy.h"
#include "overlay/visible.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

/* A copy that is being made in work/. */
struct copy {
	struct ovl_fs *fs;
	struct node *n;
	struct lower_attr attr;
	uint64_t want;
	char tmp[UPPER_WORK_NAME_BYTES];
	int fd; /* of a regular file; else -1 */
	struct stat st;
	struct node_override ov;
	bool meta_only;
	bool in_work; /* work/tmp exists */
};

void copyup_wait(struct node *n)
{
	while (n->flags & NODE_COPYING)
		pthread_cond_wait(&n->changed, &n->lock);
}

/* ---- step 1: the copy ---- */

static int fill_data(struct copy *c)
{
	uint64_t size = c->want < c->attr.size ? c->want : c->attr.size, done;
	int r;

	if (ftruncate(c->fd, (off_t)size) < 0)
		return -errno;
	r = copy_from_lower(c->fs->lower, c->n->handle, 0, size, c->fd, 0, &done);
	if (r == 0 && done < size)
		r = -EIO;
	return r;
}

static int make_regular(struct copy *c)
{
	int r;

	c->fd = openat(c->fs->up->work_fd, c->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->fd < 0)
		return -errno;
	c->in_work = true;
	c->meta_only = c->want == COPYUP_META && c->attr.size > 0;
	if (!c->meta_only)
		r = fill_data(c);
	else
		r = ftruncate(c->fd, (off_t)c->attr.size) < 0 ? -errno : 0;
	if (r == 0)
		r = metacopy_apply(c->fs, c->n->handle, &c->attr, c->fd, &c->ov);
	if (r == 0 && c->meta_only && fsetxattr(c->fd, XA_METACOPY, "", 0, 0) < 0)
		r = -errno;
	if (r == 0 && !c->meta_only && c->attr.size > 0 && !(c->fs->flags & OVL_VOLATILE) &&
		fsync(c->fd) < 0)
		r = -errno;
	return r;
}

static int make_special(struct copy *c)
{
	const struct lower_ops *ops = c->fs->lower->ops;
	auto_free char *target = NULL;
	struct meta_want want;
	const char *text;
	size_t len;
	int r;

	if (S_ISLNK(c->attr.mode)) {
		r = ops->readlink(c->fs->lower, c->n->handle, &text, &len);
		if (r < 0)
			return r;
		target = strndup(text, len);
		if (!target)
			return -ENOMEM;
	}
	metacopy_want(c->fs, &c->attr, &want);
	c->in_work = true;
	r = meta_make_special(c->fs, c->fs->up->work_fd, c->tmp, &want, target, &c->ov);
	return r < 0 ? r : metacopy_times(c->fs->up->work_fd, c->tmp, &c->attr);
}

static int make_copy(struct copy *c)
{
	int r;

	upper_work_name(c->fs->up, c->tmp);
	r = S_ISREG(c->attr.mode) ? make_regular(c) : make_special(c);
	if (r == 0 && fstatat(c->fs->up->work_fd, c->tmp, &c->st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r;
}

static void drop_copy(struct copy *c)
{
	if (c->fd >= 0)
		(void)close(fd_take(&c->fd));
	if (c->in_work)
		(void)unlinkat(c->fs->up->work_fd, c->tmp, 0);
}

/* ---- steps 2 and 3: publication; the node's lock is held ---- */

static bool wants_index(const struct copy *c)
{
	return c->attr.nlink > 1 || !S_ISREG(c->attr.mode);
}

/* The node is the copy from now on. */
static void become_upper(struct copy *c, uint32_t more_flags)
{
	c->n->upper_ino = c->st.st_ino;
	c->n->ov = c->ov;
	node_flags_set(c->n, NODE_UPPER | (c->meta_only ? NODE_META_ONLY : 0) | more_flags, 0);
}

/* No name is left: the copy lives as long as the node does. */
static int become_orphan(struct copy *c)
{
	struct ovl_fs *fs = c->fs;
	char name[24];

	if (__atomic_load_n(&fs->n_orphan_fds, __ATOMIC_RELAXED) >= fs->max_orphan_fds) {
		locate_orphan_name(c->n, name);
		if (renameat(fs->up->work_fd, c->tmp, fs->up->orphans_fd, name) < 0)
			return -errno;
		c->in_work = false;
		become_upper(c, NODE_IN_ORPHANS);
		return 0;
	}
	if (c->fd < 0)
		c->fd = openat(fs->up->work_fd, c->tmp,
			(S_ISDIR(c->st.st_mode) ? O_RDONLY : O_PATH) | O_NOFOLLOW | O_CLOEXEC);
	if (c->fd < 0)
		return -errno;
	c->n->orphan_fd = fd_take(&c->fd);
	__atomic_add_fetch(&fs->n_orphan_fds, 1, __ATOMIC_RELAXED);
	become_upper(c, 0);
	return 0;
}

/* Rename the copy into place; the parent's own times stay what they were. */
static int move_into_place(struct copy *c, int dirfd, const char *name)
{
	struct timespec ts[2];
	struct stat st;

	if (fstat(dirfd, &st) < 0)
		return -errno;
	if (renameat2(c->fs->up->work_fd, c->tmp, dirfd, name, RENAME_NOREPLACE) < 0)
		return -errno;
	c->in_work = false;
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	(void)futimens(dirfd, ts);
	return 0;
}

static int publish_at(struct copy *c, struct node *parent, const char *name, struct dir_slot *slot)
{
	struct ovl_fs *fs = c->fs;
	struct fd_ref dir;
	int r = locate_dir_fd(fs, parent, &dir);

	if (r < 0)
		return r;
	r = child_slot_set(parent, slot, name, IFTODT(c->st.st_mode), 0);
	if (r == 0)
		r = node_link_add(fs->nodes, c->n, parent, name, strlen(name));
	if (r == 0 && wants_index(c))
		r = upper_index_add(fs->up, c->attr.ino, fs->up->work_fd, c->tmp, c->st.st_ino);
	if (r == 0) {
		r = move_into_place(c, dir.fd, name);
		if (r < 0 && wants_index(c))
			(void)upper_index_del(fs->up, c->attr.ino);
	}
	fdc_release(fs->fds, &dir);
	if (r < 0) {
		child_slot_clear(parent, name, slot);
		return r;
	}
	c->n->n_lower_names--;
	become_upper(c, wants_index(c) ? NODE_INDEXED : 0);
	visible_keep_count(fs, c->n);
	return 0;
}

/* A name of the node that is still the lower's; -ENOENT if there is none. */
static int find_name(struct copy *c, struct lower_name *at, char name[NAME_MAX + 1])
{
	struct lower_entry le;
	int r = 0;

	if (!node_alias(c->fs->nodes, c->n->handle, at)) {
		if (c->attr.nlink < 2)
			return -ENOENT;
		r = visible_lower_name(c->fs, c->n->handle, at);
	}
	if (r == 0)
		r = c->fs->lower->ops->list(c->fs->lower, at->dir, at->ordinal, &le);
	if (r < 0)
		return r;
	memcpy(name, le.name, le.len);
	name[le.len] = '\0';
	return 0;
}

/* Return 1 if the name had gone meanwhile and another has to be found. */
static int publish(struct copy *c)
{
	struct node *locked[2] = { NULL, c->n }, *parent = NULL;
	char name[NAME_MAX + 1];
	struct lower_name at;
	struct dir_slot slot;
	struct node_link *l = NULL;
	int r = find_name(c, &at, name);

	if (r == 0)
		r = copyup_dir(c->fs, node_id_of_handle(at.dir), &parent);
	if (r < 0 && r != -ENOENT)
		return r;
	locked[0] = parent;
	node_lock_all(locked, 2);
	if (c->n->flags & NODE_GONE) {
		r = become_orphan(c);
	} else if (r == 0) {
		r = parent->flags & NODE_GONE ? 1 : child_load_names(c->fs, parent);
		if (r == 0)
			r = child_slot(c->fs, parent, name, strlen(name), &slot);
		if (r == 0 && (slot.upper || !slot.has_lower || slot.lower.handle != c->n->handle))
			r = 1;
		if (r == 0)
			r = publish_at(c, parent, name, &slot);
		if (r < 0)
			l = node_link_del(c->n, parent, name, strlen(name));
	}
	node_unlock_all(locked, 2);
	if (r == 1)
		node_clear_alias(c->fs->nodes, c->n->handle, &at);
	node_link_free(c->fs->nodes, l);
	node_put(c->fs->nodes, parent);
	return r;
}

int copyup_name(struct ovl_fs *fs, struct node *n, struct node *dir, int dirfd, const char *name,
	struct dir_slot *slot)
{
	struct stat st, dir_st;
	struct timespec ts[2];
	struct place at;
	int r;

	if (slot->upper || !slot->has_lower || slot->lower.handle != n->handle)
		return 0;
	if (fstat(dirfd, &dir_st) < 0)
		return -errno;
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	if (linkat(at.dirfd, at.name, dirfd, name, 0) < 0 ||
		fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	locate_done(fs, &at);
	ts[0] = dir_st.st_atim;
	ts[1] = dir_st.st_mtim;
	(void)futimens(dirfd, ts);
	if (r == 0)
		r = child_slot_set(dir, slot, name, IFTODT(st.st_mode), 0);
	if (r == 0)
		r = node_link_add(fs->nodes, n, dir, name, strlen(name));
	if (r < 0)
		return r;
	n->n_lower_names--;
	visible_keep_count(fs, n);
	return child_slot(fs, dir, name, strlen(name), slot);
}

/* ---- data for a copy that has none ---- */

static int copy_data(struct ovl_fs *fs, struct node *n, uint64_t want)
{
	struct timespec ts[2];
	uint64_t size, done;
	struct fd_ref ref;
	struct stat st;
	int r;

	pthread_mutex_lock(&n->lock);
	r = locate_writable_fd(fs, n, &ref);
	pthread_mutex_unlock(&n->lock);
	if (r < 0)
		return r;
	if (fstat(ref.fd, &st) < 0) {
		fdc_release(fs->fds, &ref);
		return -errno;
	}
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	size = want < (uint64_t)st.st_size ? want : (uint64_t)st.st_size;
	r = copy_from_lower(fs->lower, n->handle, 0, size, ref.fd, 0, &done);
	if (r == 0 && done < size)
		r = -EIO;
	if (r == 0 && size < (uint64_t)st.st_size && ftruncate(ref.fd, (off_t)size) < 0)
		r = -errno;
	/* Our writes clear set-id bits, unless we are the machine's root. */
	if (r == 0 && (st.st_mode & (S_ISUID | S_ISGID)) && fchmod(ref.fd, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && futimens(ref.fd, ts) < 0)
		r = -errno;
	if (r == 0 && !(fs->flags & OVL_VOLATILE) && fsync(ref.fd) < 0)
		r = -errno;
	if (r == 0 && fremovexattr(ref.fd, XA_METACOPY) < 0)
		r = -errno;
	if (r < 0) {
		/* The mark is still there: what counts is the size, and the lower's data. */
		(void)!ftruncate(ref.fd, st.st_size);
		(void)futimens(ref.fd, ts);
	}
	fdc_release(fs->fds, &ref);
	pthread_mutex_lock(&n->lock);
	if (r == 0)
		node_flags_set(n, 0, NODE_META_ONLY);
	pthread_mutex_unlock(&n->lock);
	return r;
}

static int copy_new(struct ovl_fs *fs, struct node *n, uint64_t want)
{
	struct copy c = { .fs = fs, .n = n, .want = want, .fd = -1 };
	int r = fs->lower->ops->attr(fs->lower, n->handle, &c.attr);

	if (r == 0)
		r = make_copy(&c);
	if (r == 0) {
		do
			r = publish(&c);
		while (r > 0);
	}
	drop_copy(&c);
	return r;
}

/* ---- front ---- */

static int get_file_node(struct ovl_fs *fs, uint64_t id, struct node **ret)
{
	uint64_t handle = node_id_handle(fs->nodes, id);
	struct lower_attr a;
	int r;

	*ret = node_find(fs->nodes, id);
	if (*ret)
		return 0;
	if (handle == NODE_NO_HANDLE)
		return -ESTALE;
	r = fs->lower->ops->attr(fs->lower, handle, &a);
	if (r == 0 && S_ISDIR(a.mode))
		r = -EISDIR;
	return r < 0 ? r : node_of_lower_file(fs, handle, &a, ret);
}

static bool is_enough(const struct node *n, uint64_t want)
{
	return (n->flags & NODE_UPPER) && (want == COPYUP_META || !(n->flags & NODE_META_ONLY));
}

int copyup_file(struct ovl_fs *fs, uint64_t id, uint64_t want, struct node **ret)
{
	struct node *n = NULL;
	bool upper;
	int r;

	if (!fs->up)
		return -EROFS;
	if (want == COPYUP_META && (fs->flags & OVL_COPY_DATA))
		want = COPYUP_ALL;
	r = get_file_node(fs, id, &n);
	if (r == 0 && S_ISDIR(n->fmt))
		r = -EISDIR;
	if (r < 0) {
		node_put(fs->nodes, n);
		return r;
	}
	pthread_mutex_lock(&n->lock);
	copyup_wait(n);
	if (!is_enough(n, want)) {
		upper = n->flags & NODE_UPPER;
		node_flags_set(n, NODE_COPYING, 0);
		pthread_mutex_unlock(&n->lock);
		r = upper ? copy_data(fs, n, want) : copy_new(fs, n, want);
		pthread_mutex_lock(&n->lock);
		node_flags_set(n, 0, NODE_COPYING);
		pthread_cond_broadcast(&n->changed);
	}
	pthread_mutex_unlock(&n->lock);
	if (r < 0)
		node_put(fs->nodes, n);
	else
		*ret = n;
	return r;
}

/* ---- directories ---- */

static int make_dir_copy(struct ovl_fs *fs, uint64_t handle, const struct lower_attr *a,
	const char *tmp, struct child *ret)
{
	auto_fd fd = -1;
	int r;

	if (mkdirat(fs->up->work_fd, tmp, 0700) < 0)
		return -errno;
	fd = openat(fs->up->work_fd, tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = metacopy_apply(fs, handle, a, fd, &ret->um.ov);
	if (r == 0 && fstat(fd, &ret->um.st) < 0)
		r = -errno;
	return r;
}

/*
 * The struct of a directory that is now in the upper, below @parent, whose lock is held.  There
 * may be one already: a removal that was refused leaves it.
 */
static int bind_dir(struct ovl_fs *fs, struct node *parent, const char *name, uint64_t handle,
	const struct lower_attr *a, const struct child *c, struct node **ret)
{
	struct node *n = node_new(node_id_of_handle(handle), handle, a->ino, S_IFDIR);
	int r;

	if (!n)
		return -ENOMEM;
	n = node_publish(fs->nodes, n);
	pthread_mutex_lock(&n->lock);
	r = node_link_add(fs->nodes, n, parent, name, strlen(name));
	if (r == 0) {
		n->upper_ino = c->um.st.st_ino;
		n->ov = c->um.ov;
		node_flags_set(n, NODE_UPPER | NODE_LISTED, 0); /* it is new, hence empty */
	}
	pthread_mutex_unlock(&n->lock);
	*ret = n;
	return r;
}

/* @parent's lock is held: nobody else makes the directory meanwhile. */
static int make_dir_below(struct ovl_fs *fs, struct node *parent, const struct lower_entry *le,
	const char *name, struct node **ret)
{
	struct copy c = { .fs = fs, .fd = -1 };
	struct child made = { 0 };
	struct dir_slot slot;
	struct fd_ref dir;
	int r = child_slot(fs, parent, name, le->len, &slot);

	if (r == 0 && (slot.upper || !slot.has_lower))
		r = -ESTALE;
	if (r == 0)
		r = fs->lower->ops->attr(fs->lower, le->handle, &c.attr);
	if (r == 0)
		r = locate_dir_fd(fs, parent, &dir);
	if (r < 0)
		return r;
	upper_work_name(fs->up, c.tmp);
	r = make_dir_copy(fs, le->handle, &c.attr, c.tmp, &made);
	if (r == 0)
		r = child_slot_set(parent, &slot, name, DT_DIR, 0);
	if (r == 0) {
		r = move_into_place(&c, dir.fd, name);
		if (r == 0)
			r = bind_dir(fs, parent, name, le->handle, &c.attr, &made, ret);
		else
			child_slot_clear(parent, name, &slot);
	}
	if (r < 0)
		(void)unlinkat(fs->up->work_fd, c.tmp, AT_REMOVEDIR);
	fdc_release(fs->fds, &dir);
	return r;
}

static int copyup_lower_dir(struct ovl_fs *fs, uint64_t handle, struct node **ret)
{
	const struct lower_ops *ops = fs->lower->ops;
	char name[NAME_MAX + 1];
	struct node *parent, *n, *made = NULL;
	struct lower_name at;
	struct lower_entry le;
	int r = ops->name_of(fs->lower, handle, 0, &at);

	if (r == 0)
		r = ops->list(fs->lower, at.dir, at.ordinal, &le);
	if (r == 0)
		r = copyup_dir(fs, node_id_of_handle(at.dir), &parent);
	if (r < 0)
		return r;
	memcpy(name, le.name, le.len);
	name[le.len] = '\0';
	pthread_mutex_lock(&parent->lock);
	/* Another thread may have made or removed it while we waited. */
	n = node_find(fs->nodes, node_id_of_handle(handle));
	if (!node_is_upper(n)) {
		r = node_is_gone(n) || (parent->flags & NODE_GONE) ? -ENOENT
								   : child_load_names(fs, parent);
		if (r == 0)
			r = make_dir_below(fs, parent, &le, name, &made);
	}
	pthread_mutex_unlock(&parent->lock);
	node_put(fs->nodes, parent);
	if (made) {
		node_put(fs->nodes, n);
		n = made;
	}
	if (r < 0)
		node_put(fs->nodes, n);
	else
		*ret = n;
	return r;
}

int copyup_dir(struct ovl_fs *fs, uint64_t id, struct node **ret)
{
	uint64_t handle = node_id_handle(fs->nodes, id);
	struct lower_attr a;
	struct node *n;
	int r;

	if (!fs->up)
		return -EROFS;
	n = node_find(fs->nodes, id);
	if (n) {
		r = S_ISDIR(n->fmt) ? 0 : -ENOTDIR;
		if (r == 0 && !node_is_upper(n) && node_is_gone(n))
			r = -ENOENT;
		if (r == 0 && node_is_upper(n)) {
			*ret = n;
			return 0;
		}
		node_put(fs->nodes, n);
		if (r < 0)
			return r;
	}
	if (handle == NODE_NO_HANDLE)
		return -ESTALE;
	r = fs->lower->ops->attr(fs->lower, handle, &a);
	if (r == 0 && !S_ISDIR(a.mode))
		r = -ENOTDIR;
	return r < 0 ? r : copyup_lower_dir(fs, handle, ret);
}

/* A removed directory that was never in the upper: its copy lives as long as the node does. */
static int copy_removed_dir(struct ovl_fs *fs, struct node *n)
{
	struct copy c = { .fs = fs, .n = n, .fd = -1 };
	struct child made = { 0 };
	int r = fs->lower->ops->attr(fs->lower, n->handle, &c.attr);

	if (r < 0)
		return r;
	upper_work_name(fs->up, c.tmp);
	r = make_dir_copy(fs, n->handle, &c.attr, c.tmp, &made);
	c.st = made.um.st;
	c.ov = made.um.ov;
	if (r == 0)
		r = become_orphan(&c);
	if (r == 0)
		node_flags_set(n, NODE_LISTED, 0);
	if (r < 0 || !(n->flags & NODE_IN_ORPHANS))
		(void)unlinkat(fs->up->work_fd, c.tmp, AT_REMOVEDIR);
	return r;
}

int copyup_any(struct ovl_fs *fs, uint64_t id, struct node **ret)
{
	struct node *n;
	int r = copyup_file(fs, id, COPYUP_META, ret);

	if (r != -EISDIR)
		return r;
	r = copyup_dir(fs, id, ret);
	if (r != -ENOENT)
		return r;
	/* Nothing leads to it any more, but somebody has it open. */
	n = node_find(fs->nodes, id);
	if (!node_is_gone(n)) {
		node_put(fs->nodes, n);
		return r;
	}
	pthread_mutex_lock(&n->lock);
	r = n->flags & NODE_UPPER ? 0 : copy_removed_dir(fs, n);
	pthread_mutex_unlock(&n->lock);
	if (r < 0)
		node_put(fs->nodes, n);
	else
		*ret = n;
	return r;
}
