/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Visible names of lower inodes that have several
 *
 *      name ▶ its directory ─ has a struct ─────▶ in the upper, removed, or as the lower has it
 *                           ─ else ▶ the state of its parent ▶ what the upper has at its name
 *
 * A directory that is hidden at its place may have been renamed: overlay/redirect.h.
 */
#include "overlay/visible.h"

#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/locate.h"
#include "overlay/name_counts.h"
#include "overlay/redirect.h"

#include <dirent.h>
#include <string.h>

enum dir_state { DIR_PURE, DIR_HIDDEN, DIR_UPPER };

static int dir_state(struct ovl_fs *fs, uint64_t handle, struct node **ret);

/* Does the upper say anything about an entry of a lower directory?  DT_… or -1: nothing. */
static int upper_says(struct ovl_fs *fs, struct node *dir, const struct lower_entry *le,
	bool *ret_whiteout, uint8_t *ret_type)
{
	const struct dname *e = NULL;
	int r;

	pthread_mutex_lock(&dir->lock);
	r = child_load_names(fs, dir);
	if (r == 0)
		e = dn_get(&dir->names, child_home(fs, le), le->name, le->len);
	if (e) {
		*ret_whiteout = e->flags & DN_WHITEOUT;
		*ret_type = e->type;
		r = 1;
	}
	pthread_mutex_unlock(&dir->lock);
	return r;
}

/* The state of a directory whose parent is in the upper. */
static int state_below(
	struct ovl_fs *fs, struct node *parent, const struct lower_entry *le, struct node **ret)
{
	char name[NAME_MAX + 1];
	bool whiteout = false;
	uint8_t type = 0;
	struct child c;
	int r = upper_says(fs, parent, le, &whiteout, &type);

	if (r <= 0)
		return r < 0 ? r : DIR_PURE;
	if (whiteout || type != DT_DIR)
		return DIR_HIDDEN;
	memcpy(name, le->name, le->len);
	name[le->len] = '\0';
	r = child_of_upper(fs, parent, name, type, &c);
	if (r < 0)
		return r == -ENOENT ? DIR_HIDDEN : r;
	r = DIR_HIDDEN;
	if (c.handle == le->handle && !c.alone) {
		*ret = node_ref(fs->nodes, c.node);
		r = DIR_UPPER;
	}
	child_done(fs, &c);
	return r;
}

/* Where the directory stands in the lower, and what became of that place. */
static int state_by_place(struct ovl_fs *fs, uint64_t handle, struct node **ret)
{
	struct node *parent = NULL;
	struct lower_name at;
	struct lower_entry le;
	int r = fs->lower->ops->name_of(fs->lower, handle, 0, &at);

	if (r == 0)
		r = fs->lower->ops->list(fs->lower, at.dir, at.ordinal, &le);
	if (r == 0)
		r = dir_state(fs, at.dir, &parent);
	if (r != DIR_UPPER)
		return r;
	r = state_below(fs, parent, &le, ret);
	node_put(fs->nodes, parent);
	return r;
}

/* By its struct; -ENOENT if it has none. */
static int state_by_node(struct ovl_fs *fs, uint64_t handle, struct node **ret)
{
	struct node *n = node_find(fs->nodes, node_id_of_handle(handle));
	int r = DIR_PURE;

	if (!n)
		return -ENOENT;
	if (node_is_gone(n) || node_lower_dir(n) == NODE_NO_HANDLE)
		r = DIR_HIDDEN;
	else if (node_is_upper(n))
		r = DIR_UPPER;
	if (r == DIR_UPPER)
		*ret = n;
	else
		node_put(fs->nodes, n);
	return r;
}

/* Return: an enum dir_state, with a reference in @ret if it is DIR_UPPER. */
static int dir_state(struct ovl_fs *fs, uint64_t handle, struct node **ret)
{
	int r = state_by_node(fs, handle, ret);

	if (r != -ENOENT)
		return r;
	r = state_by_place(fs, handle, ret);
	if (r != DIR_HIDDEN)
		return r;
	/* Hidden there, it may stand somewhere else; it has a struct then. */
	r = redirect_find_all(fs);
	if (r == 0)
		r = state_by_node(fs, handle, ret);
	return r == DIR_PURE || r == -ENOENT ? DIR_HIDDEN : r;
}

/* 1 if nothing hides or covers the name, 0 if something does. */
static int name_is_visible(struct ovl_fs *fs, const struct lower_name *name)
{
	struct node *dir = NULL;
	struct lower_entry le;
	bool whiteout;
	uint8_t type;
	int r = dir_state(fs, name->dir, &dir);

	if (r != DIR_UPPER)
		return r < 0 ? r : r == DIR_PURE;
	r = fs->lower->ops->list(fs->lower, name->dir, name->ordinal, &le);
	if (r == 0) {
		r = upper_says(fs, dir, &le, &whiteout, &type);
		if (r >= 0)
			r = r == 0;
	}
	node_put(fs->nodes, dir);
	return r;
}

int visible_lower_name(struct ovl_fs *fs, uint64_t handle, struct lower_name *ret)
{
	for (uint32_t i = 0;; i++) {
		int r = fs->lower->ops->name_of(fs->lower, handle, i, ret);

		if (r == 0)
			r = name_is_visible(fs, ret);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

void visible_keep_count(struct ovl_fs *fs, struct node *n)
{
	struct lower_attr a;
	struct fd_ref ref;

	if (!state_is_partial(fs) || n->handle == NODE_NO_HANDLE || S_ISDIR(n->fmt) ||
		fs->lower->ops->attr(fs->lower, n->handle, &a) < 0 || a.nlink < 2)
		return;
	if (!(n->flags & NODE_INDEXED) || !S_ISREG(n->fmt)) {
		name_counts_set(fs->up, n->ino, n->n_lower_names);
		return;
	}
	if (locate_data_fd(fs, n, &ref) < 0)
		return;
	meta_keep_names(ref.fd, n->n_lower_names);
	fdc_release(fs->fds, &ref);
	name_counts_del(fs->up, n->ino);
}

int visible_count_names(struct ovl_fs *fs, uint64_t handle, uint32_t *ret)
{
	uint32_t n = 0, n_hidden = 0;
	struct lower_attr a = { 0 };
	int r = 0;

	if (state_is_partial(fs))
		r = fs->lower->ops->attr(fs->lower, handle, &a);
	if (r < 0 || (state_is_partial(fs) && name_counts_get(fs->up, a.ino, ret)))
		return r;
	for (uint32_t i = 0;; i++) {
		struct lower_name at;

		r = fs->lower->ops->name_of(fs->lower, handle, i, &at);
		if (r == -ENOENT)
			break;
		if (r == 0)
			r = name_is_visible(fs, &at);
		if (r < 0)
			return r;
		if (r > 0)
			n++;
		else
			n_hidden++;
	}
	/* Names that nobody looked up yet are supposed to be visible. */
	if (a.nlink > n + n_hidden)
		n = a.nlink - n_hidden;
	*ret = n;
	return 0;
}
