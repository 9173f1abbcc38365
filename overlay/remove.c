/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unlink and rmdir
 *
 *                            nothing below          the lower has the name
 *      only in the lower     –                      a whiteout: overlay/hide.h
 *      file in the upper     unlink                 work/whiteout ─ rename ─▶ over it
 *      dir in the upper      rmdir (via work/ if    work/whiteout ◀─ exchange ─▶ it, then removed
 *                            whiteouts are in it)   from work/
 *
 * Each step that is visible is one system call, so a name is there or hidden at any moment.
 *
 * The kernel may have the file open without having told us: an inode that no name leads to any more
 * is kept by a descriptor, or by a name in work/orphans if there are too many, until the node dies.
 */
#include "overlay/remove.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "overlay/copyup.h"
#include "overlay/hide.h"
#include "overlay/locate.h"
#include "overlay/name_counts.h"
#include "overlay/ops.h"
#include "overlay/visible.h"
#include "overlay/redirect.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

int remove_node_of(struct ovl_fs *fs, struct child *c, struct node **ret)
{
	struct node *n;

	if (c->node) {
		*ret = node_ref(fs->nodes, c->node);
		return 0;
	}
	if (!S_ISDIR(c->attr.mode))
		return node_of_lower_file(fs, c->handle, &c->attr, ret);
	n = node_new(c->id, c->handle, c->attr.ino, S_IFDIR);
	if (!n)
		return -ENOMEM;
	*ret = node_publish(fs->nodes, n);
	return *ret ? 0 : -ENOMEM;
}

int remove_dir_is_empty(struct ovl_fs *fs, struct node *dir)
{
	struct lower_entry le;
	int r = 0;

	if (dir->flags & NODE_UPPER) {
		r = child_load_names(fs, dir);
		if (r < 0)
			return r;
		if (dir->names.n_shown > 0)
			return -ENOTEMPTY;
	}
	if (node_lower_dir(dir) == NODE_NO_HANDLE)
		return 0;
	for (uint64_t at = 0;; at = le.off + 1) {
		r = fs->lower->ops->list(fs->lower, node_lower_dir(dir), at, &le);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		if (!(dir->flags & NODE_UPPER) ||
			!dn_get(&dir->names, child_home(fs, &le), le.name, le.len))
			return -ENOTEMPTY;
	}
}

/* Would any name that we know still lead to the inode? */
static bool leads_nowhere(const struct node *n, const struct node *parent, const char *name)
{
	if (n->flags & NODE_INDEXED)
		return false;
	for (const struct node_link *l = n->links; l; l = l->next)
		if (l->parent != parent || strcmp(l->name, name) != 0)
			return false;
	return true;
}

int remove_keep(struct ovl_fs *fs, struct node *n, struct node *parent, const char *name)
{
	char orphan[24];
	struct place at;
	struct stat st;
	bool last = S_ISDIR(n->fmt);
	int r;

	if (!(n->flags & NODE_UPPER) || n->orphan_fd >= 0 || (n->flags & NODE_IN_ORPHANS))
		return 0;
	if (!last) {
		r = locate_stat(fs, n, &st);
		if (r < 0)
			return r;
		last = node_names_left(n, &st) <= 1;
	}
	if (!last && !leads_nowhere(n, parent, name))
		return 0;
	r = locate_keep(fs, n);
	/* Too many descriptors.  A directory moves away when it is removed: remove_put_away(). */
	if (r != -EMFILE && r != -ENFILE)
		return r;
	if (S_ISDIR(n->fmt))
		return 0;
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	locate_orphan_name(n, orphan);
	r = linkat(at.dirfd, at.name, fs->up->orphans_fd, orphan, 0) < 0 ? -errno : 0;
	locate_done(fs, &at);
	if (r == 0)
		node_flags_set(n, NODE_IN_ORPHANS, 0);
	return r;
}

/* Remove what holds nothing but whiteouts and is open: its mode stays, unlike at_remove_tree()'s. */
static int remove_open_dir(struct ovl_fs *fs, struct node *dir, const char *tmp)
{
	const struct dname *e;

	for (uint64_t off = 0; (e = dn_next(&dir->names, off)); off = e->off + 1)
		(void)hide_clear(fs->up, dir->orphan_fd, e->name);
	hide_empty_opaque(fs->up, dir->orphan_fd);
	return unlinkat(fs->up->work_fd, tmp, AT_REMOVEDIR);
}

void remove_put_away(struct ovl_fs *fs, struct node *dir, const char *tmp)
{
	char orphan[24];

	/* Its inode number names the node, so it must not be another's while the node lives. */
	locate_orphan_name(dir, orphan);
	if (dir->orphan_fd < 0 && renameat(fs->up->work_fd, tmp, fs->up->orphans_fd, orphan) == 0)
		node_flags_set(dir, NODE_IN_ORPHANS, 0);
	else if (dir->orphan_fd < 0 || remove_open_dir(fs, dir, tmp) < 0)
		(void)at_remove_tree(fs->up->work_fd, tmp);
}

struct node_link *remove_forget_name(struct ovl_fs *fs, struct node *n, struct node *parent,
	const char *name, const struct dir_slot *slot)
{
	struct node_link *l = node_link_del(n, parent, name, strlen(name));
	bool was_upper = slot->upper && !(slot->upper->flags & DN_WHITEOUT);
	bool gone = true;
	struct stat st;

	if (!was_upper && slot->has_lower) {
		const struct lower_name at = { parent->handle, slot->lower.off };

		node_clear_alias(fs->nodes, slot->lower.handle, &at);
		if (n->n_lower_names > 0)
			n->n_lower_names--;
		visible_keep_count(fs, n);
	}
	if (!S_ISDIR(n->fmt) && (n->flags & NODE_UPPER))
		gone = locate_stat(fs, n, &st) < 0 || node_names_left(n, &st) == 0;
	else if (!S_ISDIR(n->fmt))
		gone = n->n_lower_names == 0;
	if (!gone)
		return l;
	if (n->flags & NODE_INDEXED) {
		(void)upper_index_del(fs->up, n->ino);
		node_flags_set(n, 0, NODE_INDEXED);
	}
	name_counts_del(fs->up, n->ino);
	node_flags_set(n, NODE_GONE, 0);
	redirect_unpin(fs, n);
	return l;
}

/* ---- the system calls ---- */

static int remove_dir(
	struct ovl_fs *fs, struct node *dir, int dirfd, const char *name, bool whiteout)
{
	char tmp[UPPER_WORK_NAME_BYTES];
	int r;

	/* What is left in it, if anything, is no name that counts. */
	if (!whiteout && dir->names.n == 0 && dir->orphan_fd >= 0) {
		r = unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
		if (r != -ENOTEMPTY)
			return r;
	}
	if (whiteout) {
		r = hide_dir(fs->up, dirfd, name, tmp);
	} else {
		upper_work_name(fs->up, tmp);
		r = renameat(dirfd, name, fs->up->work_fd, tmp) < 0 ? -errno : 0;
	}
	if (r < 0)
		return r;
	/* The directory with nothing but whiteouts in it. */
	remove_put_away(fs, dir, tmp);
	return 0;
}

/* ---- the operation; both locks are held ---- */

struct removal {
	struct ovl_fs *fs;
	struct node *parent, *n;
	const char *name;
	bool is_dir;
	struct dir_slot slot;
	struct node_link *link; /* to be freed behind the locks */
};

static int remove_upper(struct removal *m, int dirfd)
{
	struct ovl_fs *fs = m->fs;
	int r = remove_keep(fs, m->n, m->parent, m->name);

	if (r < 0)
		return r;
	if (!m->is_dir && m->slot.has_lower)
		return hide_file(fs->up, dirfd, m->name);
	if (!m->is_dir)
		return unlinkat(dirfd, m->name, 0) < 0 ? -errno : 0;
	pthread_rwlock_wrlock(&fs->tree);
	r = remove_dir(fs, m->n, dirfd, m->name, m->slot.has_lower);
	pthread_rwlock_unlock(&fs->tree);
	return r;
}

static int remove_locked(struct removal *m)
{
	struct ovl_fs *fs = m->fs;
	struct fd_ref dirfd;
	bool in_upper;
	int r = child_load_names(fs, m->parent);

	if (r == 0)
		r = child_slot(fs, m->parent, m->name, strlen(m->name), &m->slot);
	if (r < 0)
		return r;
	in_upper = m->slot.upper != NULL;
	/* It may have gone, or have changed, before we had the locks. */
	if (in_upper ? (m->slot.upper->flags & DN_WHITEOUT) != 0 : !m->slot.has_lower)
		return -ENOENT;
	if (!in_upper && m->slot.lower.handle != m->n->handle)
		return -ESTALE;
	if (m->is_dir) {
		r = remove_dir_is_empty(fs, m->n);
		if (r < 0)
			return r;
	}
	r = locate_dir_fd(fs, m->parent, &dirfd);
	if (r < 0)
		return r;
	r = in_upper ? remove_upper(m, dirfd.fd) : hide_name(fs->up, dirfd.fd, m->name);
	fdc_release(fs->fds, &dirfd);
	if (r < 0)
		return r;
	m->link = remove_forget_name(fs, m->n, m->parent, m->name, &m->slot);
	if (!m->slot.has_lower)
		child_slot_clear(m->parent, m->name, &m->slot);
	else
		r = child_slot_set(m->parent, &m->slot, m->name, DT_CHR, DN_WHITEOUT);
	return r;
}

static int remove_name(struct ovl_fs *fs, uint64_t dir, const char *name, bool is_dir)
{
	struct removal m = { .fs = fs, .name = name, .is_dir = is_dir };
	struct node *locked[2];
	struct child c;
	bool found_dir;
	int r;

	if (!fs->up)
		return -EROFS;
	r = child_find(fs, dir, name, strlen(name), &c);
	if (r < 0)
		return r;
	found_dir = S_ISDIR(c.node ? c.node->fmt : c.attr.mode);
	if (found_dir != is_dir)
		r = is_dir ? -ENOTDIR : -EISDIR;
	if (r == 0)
		r = remove_node_of(fs, &c, &m.n);
	child_done(fs, &c);
	if (r < 0)
		return r;
	r = copyup_dir(fs, dir, &m.parent);
	if (r == 0) {
		locked[0] = m.parent;
		locked[1] = m.n;
		node_lock_all(locked, 2);
		r = remove_locked(&m);
		node_unlock_all(locked, 2);
		node_put(fs->nodes, m.parent);
	}
	node_link_free(fs->nodes, m.link);
	node_put(fs->nodes, m.n);
	return r;
}

int ovl_unlink(struct ovl_fs *fs, uint64_t dir, const char *name)
{
	return remove_name(fs, dir, name, false);
}

int ovl_rmdir(struct ovl_fs *fs, uint64_t dir, const char *name)
{
	return remove_name(fs, dir, name, true);
}
