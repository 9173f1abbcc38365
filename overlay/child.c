/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of merged directories (how it works is said in the header). */
#include "overlay/child.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/hide.h"
#include "overlay/inum.h"
#include "overlay/locate.h"
#include "overlay/redirect.h"
#include "overlay/visible.h"

#include <dirent.h>
#include <fcntl.h>

static uint32_t fmt_of(const struct umeta *um)
{
	uint32_t fmt = um->ov.set ? um->ov.mode & S_IFMT : 0;

	return fmt ? fmt : um->st.st_mode & S_IFMT;
}

/* ---- names of an upper directory ---- */

int child_slot(
	struct ovl_fs *fs, struct node *dir, const char *name, size_t len, struct dir_slot *ret)
{
	uint64_t lower_dir = node_lower_dir(dir);

	memset(ret, 0, sizeof(*ret));
	if (lower_dir != NODE_NO_HANDLE) {
		int r = fs->lower->ops->lookup(fs->lower, lower_dir, name, len, &ret->lower);

		if (r < 0 && r != -ENOENT)
			return r;
		ret->has_lower = r == 0;
	}
	ret->home = ret->has_lower ? child_home(fs, &ret->lower) : dn_home(name, len);
	ret->upper = dn_get(&dir->names, ret->home, name, len);
	return 0;
}

int child_slot_set(struct node *dir, const struct dir_slot *slot, const char *name, uint8_t type,
	enum dname_flags flags)
{
	size_t len = strlen(name);
	struct dname *e = dn_get(&dir->names, slot->home, name, len);
	int r;

	if (!e) {
		r = dn_add(&dir->names, slot->home, name, len, &e);
		if (r < 0)
			return r;
	}
	dn_set(&dir->names, e, type, flags, slot->has_lower ? slot->lower.type : DT_UNKNOWN);
	return 0;
}

void child_slot_clear(struct node *dir, const char *name, const struct dir_slot *slot)
{
	struct dname *e = dn_get(&dir->names, slot->home, name, strlen(name));

	if (e)
		dn_del(&dir->names, e);
}

/* A whiteout beside the name that it hides; where that is there, too, it is left from a crash. */
static int load_hidden(struct ovl_fs *fs, struct node *dir, int dirfd, const char *name)
{
	struct dir_slot slot;
	int r = child_slot(fs, dir, name, strlen(name), &slot);

	if (r == 0 && slot.upper)
		hide_drop_stale(fs->up, dirfd, name);
	return r < 0 || slot.upper ? r : child_slot_set(dir, &slot, name, DT_CHR, DN_WHITEOUT);
}

/* What child_load_names() is at. */
struct loading {
	struct ovl_fs *fs;
	struct node *dir;
};

static int load_one(void *ctx, int dirfd, const struct dirent *de)
{
	const struct loading *l = ctx;
	struct ovl_fs *fs = l->fs;
	struct node *dir = l->dir;
	enum dname_flags flags = 0;
	uint8_t type = de->d_type;
	const char *hidden;
	struct dir_slot slot;
	struct stat st;
	int r;

	if (hide_target(fs->up, de->d_name, &hidden))
		return hidden ? load_hidden(fs, dir, dirfd, hidden) : 0;
	if (type == DT_UNKNOWN || type == DT_CHR) {
		if (fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -errno;
		type = IFTODT(st.st_mode);
		if (meta_is_whiteout(&st))
			flags = DN_WHITEOUT;
	}
	r = child_slot(fs, dir, de->d_name, strlen(de->d_name), &slot);
	if (r == 0 && slot.upper)
		hide_drop_stale(fs->up, dirfd, de->d_name);
	return r < 0 ? r : child_slot_set(dir, &slot, de->d_name, type, flags);
}

int child_load_names(struct ovl_fs *fs, struct node *dir)
{
	struct loading l = { fs, dir };
	struct fd_ref ref;
	int r;

	if (dir->flags & NODE_LISTED)
		return 0;
	r = locate_dir_fd(fs, dir, &ref);
	if (r < 0)
		return r;
	r = at_list_take_fd(at_open_again(ref.fd), load_one, &l);
	fdc_release(fs->fds, &ref);
	if (r < 0)
		dn_done(&dir->names);
	else
		node_flags_set(dir, NODE_LISTED, 0);
	return r;
}

/* ---- inodes ---- */

/* A truncation that was not finished left a file that is shorter than the lower's. */
static void mark_meta_only(struct node *n, const struct umeta *um)
{
	n->flags |= NODE_META_ONLY;
	n->cut = (uint64_t)um->st.st_size;
}

/* The copy of a lower inode that index/ names, into a struct that nobody else sees yet. */
static int fill_from_index(struct ovl_fs *fs, struct node *n)
{
	char name[UPPER_ORIGIN_BYTES];
	struct umeta um;
	int r;

	upper_origin_name(n->ino, name);
	r = meta_read(fs->up->index_fd, name, DT_UNKNOWN, &um);
	if (r < 0)
		return r;
	n->upper_ino = um.st.st_ino;
	n->ov = um.ov;
	n->flags = NODE_UPPER | NODE_INDEXED;
	if (um.has_names)
		n->n_lower_names = um.n_lower_names;
	if (um.metacopy)
		mark_meta_only(n, &um);
	return 0;
}

int node_of_lower_file(
	struct ovl_fs *fs, uint64_t handle, const struct lower_attr *a, struct node **ret)
{
	struct node *n = node_find(fs->nodes, node_id_of_handle(handle));
	int r = 0;

	if (n) {
		*ret = n;
		return 0;
	}
	n = node_new(node_id_of_handle(handle), handle, a->ino, a->mode & S_IFMT);
	if (!n)
		return -ENOMEM;
	n->n_lower_names = 1;
	if (a->nlink > 1)
		r = visible_count_names(fs, handle, &n->n_lower_names);
	if (r == 0 && upper_index_has(fs->up, a->ino, NULL))
		r = fill_from_index(fs, n);
	if (r < 0) {
		node_put_fresh(fs->nodes, n);
		return r;
	}
	n = node_publish(fs->nodes, n);
	*ret = n;
	return n ? 0 : -ENOMEM;
}

/*
 * Where the lower does not know inodes by number, the copy of an inode with several names may have
 * been found first, as an inode of its own; it stays that as long as its struct lives.
 */
static bool find_born_copy(struct ovl_fs *fs, struct child *c)
{
	uint64_t upper_ino;

	if (!state_is_partial(fs) || !upper_index_has(fs->up, c->attr.ino, &upper_ino))
		return false;
	c->node = node_find(fs->nodes, NODE_BORN | upper_ino);
	if (!c->node)
		return false;
	c->id = c->node->id;
	c->handle = NODE_NO_HANDLE;
	return true;
}

int child_of_lower(
	struct ovl_fs *fs, uint64_t dir_handle, const struct lower_entry *le, struct child *ret)
{
	int r = fs->lower->ops->attr(fs->lower, le->handle, &ret->attr);

	if (r < 0)
		return r;
	ret->id = node_id_of_handle(le->handle);
	ret->handle = le->handle;
	ret->node = NULL;
	ret->by_upper = false;
	if (!fs->up)
		return 0;
	node_set_alias(fs->nodes, le->handle, dir_handle, le->off);
	ret->node = node_find(fs->nodes, ret->id);
	if (ret->node || S_ISDIR(ret->attr.mode) || ret->attr.nlink < 2)
		return 0;
	if (find_born_copy(fs, ret))
		return 0;
	return node_of_lower_file(fs, le->handle, &ret->attr, &ret->node);
}

/* An entry of an upper directory that is looked at. */
struct upper_entry {
	uint64_t lower_dir; /* that the directory continues, or NODE_NO_HANDLE */
	int dirfd;
	const char *name;
	bool has_lower; /* @le is the lower's entry of that name */
	struct lower_entry le;
};

/* The lower inode with a permanent number; -ENOENT. */
static int find_origin(
	struct ovl_fs *fs, uint64_t origin, uint64_t *ret_handle, struct lower_attr *ret)
{
	int r = fs->lower->ops->by_ino(fs->lower, origin, ret_handle);

	return r < 0 ? r : fs->lower->ops->attr(fs->lower, *ret_handle, ret);
}

/*
 * What an upper directory continues: what its redirect says, or else what the lower has at the
 * place.  One that continues nothing may still be the copy of something, which gives it its number.
 */
static int identify_dir(
	struct ovl_fs *fs, const struct upper_entry *e, struct child *c, struct lower_attr *a)
{
	int r = -ENOENT;

	if (c->um.redirect)
		r = redirect_read(fs, e->lower_dir, e->dirfd, e->name, &c->handle);
	else if (!c->um.opaque && e->has_lower && e->le.type == DT_DIR) {
		c->handle = e->le.handle;
		r = 0;
	}
	if (r == 0)
		r = fs->lower->ops->attr(fs->lower, c->handle, a);
	if (r == -ENOENT) {
		r = c->um.origin ? find_origin(fs, c->um.origin, &c->handle, a) : -ENOENT;
		c->alone = true;
	}
	if (r == -ENOENT || (r == 0 && !S_ISDIR(a->mode)))
		c->handle = NODE_NO_HANDLE;
	return r == -ENOENT ? 0 : r;
}

/* Which lower inode a file of the upper is the copy of. */
static int identify_file(
	struct ovl_fs *fs, const struct upper_entry *e, struct child *c, struct lower_attr *a)
{
	uint64_t origin = c->um.origin;
	int r;

	if (!origin && !upper_index_of_ino(fs->up, c->um.st.st_ino, &origin) && !c->um.metacopy)
		return 0;
	if (e->has_lower) {
		r = fs->lower->ops->attr(fs->lower, e->le.handle, a);
		if (r < 0)
			return r;
		c->handle = a->ino == origin ? e->le.handle : NODE_NO_HANDLE;
	}
	/* By its place or its redirect, as other programs do that write such copies. */
	if (c->um.metacopy && state_is_partial(fs) && c->um.redirect) {
		r = redirect_read(fs, e->lower_dir, e->dirfd, e->name, &c->handle);
		if (r == 0)
			r = fs->lower->ops->attr(fs->lower, c->handle, a);
		if (r < 0)
			return r == -ENOENT ? -EIO : r;
	} else if (c->um.metacopy && state_is_partial(fs) && e->has_lower && S_ISREG(a->mode)) {
		c->handle = e->le.handle;
	}
	if (c->handle == NODE_NO_HANDLE) {
		r = find_origin(fs, origin, &c->handle, a);
		if (r == -ENOENT && c->um.metacopy)
			return -EIO; /* its data is nowhere */
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	/* What is not of the same type is no copy; the upper may have been edited. */
	if ((a->mode & S_IFMT) != fmt_of(&c->um))
		c->handle = NODE_NO_HANDLE;
	if (c->handle == NODE_NO_HANDLE && c->um.metacopy)
		return -EIO;
	return 0;
}

/* A copy whose origin the lower does not know now still shows its number. */
static uint64_t number_of_born(struct ovl_fs *fs, const struct child *c)
{
	uint64_t origin = c->um.origin;

	if (!origin)
		(void)upper_index_of_ino(fs->up, c->um.st.st_ino, &origin);
	if (state_is_partial(fs) && origin && !(origin & INUM_UPPER))
		return origin;
	return INUM_UPPER | c->um.st.st_ino;
}

static int fresh_upper_node(
	struct ovl_fs *fs, const struct child *c, const struct lower_attr *a, struct node **ret)
{
	uint64_t ino = c->handle == NODE_NO_HANDLE ? number_of_born(fs, c) : a->ino;
	struct node *n = node_new(c->id, c->handle, ino, fmt_of(&c->um));
	uint64_t indexed;
	int r = 0;

	if (!n)
		return -ENOMEM;
	n->flags = NODE_UPPER;
	n->upper_ino = c->um.st.st_ino;
	n->ov = c->um.ov;
	if (S_ISDIR(n->fmt)) {
		if (c->alone)
			n->flags |= NODE_ALONE;
	} else {
		if (upper_index_has(fs->up, ino, &indexed) && indexed == n->upper_ino)
			n->flags |= NODE_INDEXED;
		if (c->handle != NODE_NO_HANDLE && c->um.metacopy)
			mark_meta_only(n, &c->um);
		if ((n->flags & NODE_INDEXED) && c->um.has_names)
			n->n_lower_names = c->um.n_lower_names;
		else if (c->handle != NODE_NO_HANDLE && a->nlink > 1)
			r = visible_count_names(fs, c->handle, &n->n_lower_names);
	}
	if (r < 0) {
		node_put_fresh(fs->nodes, n);
		return r;
	}
	*ret = n;
	return 0;
}

static bool is_of_other_ino(struct node *n, uint64_t upper_ino)
{
	bool other;

	pthread_mutex_lock(&n->lock);
	other = (n->flags & NODE_UPPER) && n->upper_ino != upper_ino;
	pthread_mutex_unlock(&n->lock);
	return other;
}

/* Find or make the struct of an upper inode and note the name by which it was found. */
static int bind_upper(struct ovl_fs *fs, struct node *dir, const char *name,
	const struct lower_attr *a, struct child *c)
{
	struct node *n = node_find(fs->nodes, c->id);
	int r = 0;

	if (n && is_of_other_ino(n, c->um.st.st_ino)) {
		/* A second copy of one lower inode: not ours to understand, an inode of its own. */
		node_put(fs->nodes, n);
		c->handle = NODE_NO_HANDLE;
		c->id = NODE_BORN | c->um.st.st_ino;
		n = node_find(fs->nodes, c->id);
	}
	if (!n) {
		r = fresh_upper_node(fs, c, a, &n);
		if (r < 0)
			return r;
		/* Whoever finds it in the table needs a name to locate it by. */
		r = node_link_add(fs->nodes, n, dir, name, strlen(name));
		if (r < 0) {
			node_put_fresh(fs->nodes, n);
			return r;
		}
		n = node_publish(fs->nodes, n);
		if (!n)
			return -ENOMEM;
	}
	pthread_mutex_lock(&n->lock);
	/* A directory has one name; rename alone gives it another. */
	if (!(n->flags & NODE_GONE) && !(S_ISDIR(n->fmt) && n->links))
		r = node_link_add(fs->nodes, n, dir, name, strlen(name));
	if (!(n->flags & NODE_GONE) && c->um.redirect && c->handle != NODE_NO_HANDLE && !c->alone)
		redirect_pin(fs, n);
	pthread_mutex_unlock(&n->lock);
	c->node = n;
	if (r < 0)
		child_done(fs, c);
	return r;
}

/* Which lower inode an entry is the copy of, if of any: child->handle. */
static int identify(struct ovl_fs *fs, struct upper_entry *e, struct child *c, struct lower_attr *a)
{
	int r = meta_read(e->dirfd, e->name, e->le.type, &c->um);

	if (r < 0)
		return r;
	if (meta_is_whiteout(&c->um.st))
		return -ENOENT;
	if (c->um.st.st_ino >= NODE_BORN)
		return -EOVERFLOW;
	if (e->lower_dir != NODE_NO_HANDLE) {
		r = fs->lower->ops->lookup(
			fs->lower, e->lower_dir, e->name, strlen(e->name), &e->le);
		if (r < 0 && r != -ENOENT)
			return r;
		e->has_lower = r == 0;
	}
	return S_ISDIR(c->um.st.st_mode) ? identify_dir(fs, e, c, a) : identify_file(fs, e, c, a);
}

/* See find_born_copy(): an inode that has a struct of its own keeps it. */
static void forget_origin_of_born(struct ovl_fs *fs, struct child *c)
{
	struct node *n;

	if (c->handle == NODE_NO_HANDLE || !state_is_partial(fs))
		return;
	n = node_find(fs->nodes, NODE_BORN | c->um.st.st_ino);
	if (n)
		c->handle = NODE_NO_HANDLE;
	node_put(fs->nodes, n);
}

/*
 * A file of the upper's own that has a struct: the struct knows all, and what the name leads to is
 * told by its inode number, which is nobody else's while the struct lives.
 */
static bool find_known_file(
	struct ovl_fs *fs, const struct upper_entry *e, struct child *c, struct node **ret)
{
	struct node *n;
	bool same;

	if (e->le.type == DT_DIR || e->le.type == DT_UNKNOWN ||
		fstatat(e->dirfd, e->name, &c->um.st, AT_SYMLINK_NOFOLLOW) < 0 ||
		c->um.st.st_ino >= NODE_BORN)
		return false;
	n = node_find(fs->nodes, NODE_BORN | c->um.st.st_ino);
	if (!n)
		return false;
	pthread_mutex_lock(&n->lock);
	same = (n->flags & NODE_UPPER) && !(n->flags & NODE_GONE) && !S_ISDIR(n->fmt) &&
	       n->upper_ino == c->um.st.st_ino;
	pthread_mutex_unlock(&n->lock);
	if (same)
		*ret = n;
	else
		node_put(fs->nodes, n);
	return same;
}

int child_of_upper(
	struct ovl_fs *fs, struct node *dir, const char *name, uint8_t type, struct child *ret)
{
	struct upper_entry e = { .lower_dir = node_lower_dir(dir), .name = name, .le.type = type };
	struct node *known = NULL;
	struct lower_attr a;
	struct fd_ref ref;
	int r = locate_dir_fd(fs, dir, &ref);

	if (r < 0)
		return r;
	e.dirfd = ref.fd;
	ret->node = NULL;
	ret->by_upper = true;
	ret->alone = false;
	ret->handle = NODE_NO_HANDLE;
	memset(&ret->um, 0, sizeof(ret->um));
	if (!find_known_file(fs, &e, ret, &known))
		r = identify(fs, &e, ret, &a);
	fdc_release(fs->fds, &ref);
	if (r < 0)
		return r;
	if (known) {
		ret->id = known->id;
		r = bind_upper(fs, dir, name, &a, ret);
		node_put(fs->nodes, known);
		return r;
	}
	forget_origin_of_born(fs, ret);
	ret->id = ret->handle == NODE_NO_HANDLE ? NODE_BORN | ret->um.st.st_ino
						: node_id_of_handle(ret->handle);
	return bind_upper(fs, dir, name, &a, ret);
}

static int find_in_upper_dir(
	struct ovl_fs *fs, struct node *dir, const char *name, size_t len, struct child *ret)
{
	struct dir_slot slot;
	bool in_upper = false, whiteout = false;
	uint8_t type = DT_UNKNOWN;
	int r;

	pthread_mutex_lock(&dir->lock);
	r = child_load_names(fs, dir);
	if (r == 0)
		r = child_slot(fs, dir, name, len, &slot);
	if (r == 0 && slot.upper) {
		in_upper = true;
		whiteout = slot.upper->flags & DN_WHITEOUT;
		type = slot.upper->type;
	}
	pthread_mutex_unlock(&dir->lock);
	if (r < 0)
		return r;
	if (in_upper)
		return whiteout ? -ENOENT : child_of_upper(fs, dir, name, type, ret);
	return slot.has_lower ? child_of_lower(fs, node_lower_dir(dir), &slot.lower, ret) : -ENOENT;
}

int child_find(struct ovl_fs *fs, uint64_t dir, const char *name, size_t len, struct child *ret)
{
	struct node *d = fs->up ? node_find(fs->nodes, dir) : NULL;
	uint64_t handle = node_id_handle(fs->nodes, dir);
	struct lower_entry le;
	int r;

	if (len > NAME_MAX) {
		r = -ENAMETOOLONG;
	} else if (node_is_gone(d)) {
		r = -ENOENT;
	} else if (node_is_upper(d)) {
		r = find_in_upper_dir(fs, d, name, len, ret);
	} else if (handle == NODE_NO_HANDLE) {
		r = -ESTALE;
	} else {
		r = fs->lower->ops->lookup(fs->lower, handle, name, len, &le);
		if (r == 0)
			r = child_of_lower(fs, handle, &le, ret);
	}
	node_put(fs->nodes, d);
	return r;
}

void child_done(struct ovl_fs *fs, struct child *c)
{
	node_put(fs->nodes, ptr_take(&c->node));
}

/* ---- attributes ---- */

static int dir_nlink(struct ovl_fs *fs, struct node *n, struct stat *st)
{
	uint64_t lower_dir = node_lower_dir(n);
	struct lower_attr a = { .nlink = 2 };
	int r;

	/* As kernel overlayfs shows directories whose subdirectories it would have to count. */
	if ((lower_dir != NODE_NO_HANDLE && state_is_partial(fs) &&
		    !(fs->flags & OVL_COUNT_NLINK)) ||
		(fs->flags & OVL_STATIC_NLINK)) {
		st->st_nlink = 1;
		return 0;
	}
	if (lower_dir == NODE_NO_HANDLE && st->st_nlink >= 2)
		return 0; /* the filesystem counts, and all of it is in the upper */
	r = child_load_names(fs, n);
	if (r == 0 && lower_dir != NODE_NO_HANDLE)
		r = fs->lower->ops->attr(fs->lower, lower_dir, &a);
	st->st_nlink = (nlink_t)((int64_t)a.nlink + n->names.n_dirs_more);
	return r;
}

nlink_t node_names_left(const struct node *n, const struct stat *st)
{
	nlink_t ours = !!(n->flags & NODE_INDEXED) + !!(n->flags & NODE_IN_ORPHANS);

	return st->st_nlink - ours + n->n_lower_names;
}

static int stat_upper(struct ovl_fs *fs, struct node *n, const struct stat *st, struct stat *ret)
{
	struct lower_attr a;
	int r = 0;

	meta_show(fs, st, &n->ov, ret);
	ret->st_ino = n->ino;
	if (n->flags & NODE_GONE)
		ret->st_nlink = 0;
	else if (S_ISDIR(n->fmt))
		r = dir_nlink(fs, n, ret);
	else
		ret->st_nlink = node_names_left(n, st);
	if (r == 0 && (n->flags & NODE_META_ONLY)) {
		r = fs->lower->ops->attr(fs->lower, n->handle, &a);
		ret->st_blocks = (blkcnt_t)((a.n_bytes + 4095) / 4096 * 8);
	}
	return r;
}

int node_stat_locked(struct ovl_fs *fs, struct node *n, struct stat *ret)
{
	struct lower_attr a;
	struct stat st;
	int r;

	if (n->flags & NODE_UPPER) {
		r = locate_stat(fs, n, &st);
		return r < 0 ? r : stat_upper(fs, n, &st, ret);
	}
	r = fs->lower->ops->attr(fs->lower, n->handle, &a);
	if (r < 0)
		return r;
	meta_show_lower(fs, &a, ret);
	if (n->flags & NODE_GONE)
		ret->st_nlink = 0;
	else if (!S_ISDIR(n->fmt))
		ret->st_nlink = n->n_lower_names;
	return 0;
}

int node_stat(struct ovl_fs *fs, struct node *n, struct stat *ret)
{
	int r;

	pthread_mutex_lock(&n->lock);
	r = node_stat_locked(fs, n, ret);
	pthread_mutex_unlock(&n->lock);
	return r;
}

int child_stat(struct ovl_fs *fs, struct child *c, struct stat *ret)
{
	int r;

	if (!c->node) {
		meta_show_lower(fs, &c->attr, ret);
		return 0;
	}
	if (!c->by_upper)
		return node_stat(fs, c->node, ret);
	pthread_mutex_lock(&c->node->lock);
	r = stat_upper(fs, c->node, &c->um.st, ret);
	pthread_mutex_unlock(&c->node->lock);
	return r;
}
