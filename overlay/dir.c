/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing merged directories
 *
 *      offset  1 2        . ..
 *              3 …        entries of the lower, in its order: hidden ones skipped, covered ones
 *                         shown as the upper has them
 *              2^62 …     entries that only the upper has, in the order of their hash
 *
 * An entry's offset does not depend on what else is in the directory, so a listing goes on where
 * it was, whatever was made and removed meanwhile.  Nothing is kept between calls.
 */
#include "base/str.h"
#include "overlay/child.h"
#include "overlay/ops.h"

#include <dirent.h>

struct listing {
	struct ovl_fs *fs;
	uint64_t dir;
	uint64_t handle; /* of the lower directory, or NODE_NO_HANDLE */
	struct node *node; /* with an upper; else NULL */
	enum ovl_readdir_flags flags;
	bool (*emit)(void *ctx, const struct ovl_dirent *de);
	void *ctx;
};

/* What the upper has at a place of the listing. */
struct found {
	bool whiteout;
	uint8_t type;
	uint64_t off;
	char name[NAME_MAX + 1];
};

static void note_found(const struct dname *e, struct found *ret)
{
	ret->whiteout = e->flags & DN_WHITEOUT;
	ret->type = e->type;
	ret->off = e->off;
	memcpy(ret->name, e->name, (size_t)e->len + 1);
}

/* Return 1 if there was room, 0 if the listing ends here. */
static int emit_child(struct listing *l, struct child *c, const char *name, uint64_t off)
{
	struct ovl_dirent de = { .name = name, .off = off, .id = c->id };
	int r = child_stat(l->fs, c, &de.st);
	bool count = (l->flags & OVL_READDIR_PLUS) && state_counts_lookups(l->fs);

	if (r < 0)
		return r;
	if (count)
		(void)node_looked_up(l->fs->nodes, c->id);
	if (l->emit(l->ctx, &de))
		return 1;
	if (count)
		node_forget(l->fs->nodes, c->id, 1);
	return 0;
}

static int emit_dots(struct listing *l, uint64_t off)
{
	struct ovl_dirent de = { .name = ".", .off = DN_OFF_DOT, .id = l->dir };
	int r = ovl_getattr(l->fs, l->dir, &de.st);

	if (r < 0)
		return r;
	if (off < DN_OFF_DOT && !l->emit(l->ctx, &de))
		return 0;
	de.name = "..";
	de.off = DN_OFF_DOTDOT;
	return l->emit(l->ctx, &de) ? 1 : 0;
}

/* Does the upper say something about this entry of the lower? */
static int covered(struct listing *l, const struct lower_entry *le, struct found *ret)
{
	const struct dname *e = NULL;

	if (!l->node)
		return 0;
	pthread_mutex_lock(&l->node->lock);
	e = dn_get(&l->node->names, child_home(l->fs, le), le->name, le->len);
	if (e)
		note_found(e, ret);
	pthread_mutex_unlock(&l->node->lock);
	return e ? 1 : 0;
}

static int emit_lower_entry(struct listing *l, const struct lower_entry *le)
{
	struct found f = { 0 };
	struct child c = { 0 };
	int r = covered(l, le, &f);

	if (r > 0 && (f.whiteout || (l->fs->lower->flags & LOWER_CHANGES)))
		return 1; /* hidden, or it stands among the upper's own names */
	if (r > 0) {
		r = child_of_upper(l->fs, l->node, f.name, f.type, &c);
	} else {
		r = child_of_lower(l->fs, l->handle, le, &c);
		memcpy(f.name, le->name, le->len);
		f.name[le->len] = '\0';
	}
	if (r < 0)
		return r == -ENOENT ? 1 : r; /* removed meanwhile */
	r = emit_child(l, &c, f.name, DN_HOME_LOWER(le->off));
	child_done(l->fs, &c);
	return r;
}

static int emit_lower(struct listing *l, uint64_t off)
{
	uint64_t ordinal = off < DN_OFF_LOWER ? 0 : off - DN_OFF_LOWER + 1;
	struct lower_entry le;
	int r = 1;

	if (l->handle == NODE_NO_HANDLE)
		return 1;
	while (r > 0) {
		r = l->fs->lower->ops->list(l->fs->lower, l->handle, ordinal, &le);
		if (r < 0)
			return r == -ENOENT ? 1 : r;
		ordinal = le.off + 1;
		r = emit_lower_entry(l, &le);
	}
	return r;
}

static int emit_upper(struct listing *l, uint64_t off)
{
	int r = 1;

	if (off < DN_OFF_UPPER)
		off = DN_OFF_UPPER - 1;
	while (l->node && r > 0) {
		struct child c = { 0 };
		struct found f;
		const struct dname *e;

		pthread_mutex_lock(&l->node->lock);
		e = dn_next(&l->node->names, off + 1);
		if (e)
			note_found(e, &f);
		pthread_mutex_unlock(&l->node->lock);
		if (!e)
			return 1;
		off = f.off;
		if (f.whiteout)
			continue;
		r = child_of_upper(l->fs, l->node, f.name, f.type, &c);
		if (r == 0) {
			r = emit_child(l, &c, f.name, off);
			child_done(l->fs, &c);
		} else if (r == -ENOENT) {
			r = 1;
		}
	}
	return r;
}

static int load(struct listing *l)
{
	int r;

	pthread_mutex_lock(&l->node->lock);
	r = child_load_names(l->fs, l->node);
	pthread_mutex_unlock(&l->node->lock);
	return r;
}

int ovl_readdir(struct ovl_fs *fs, uint64_t dir, uint64_t off, enum ovl_readdir_flags flags,
	bool (*emit)(void *ctx, const struct ovl_dirent *de), void *ctx)
{
	struct node *n = fs->up ? node_find(fs->nodes, dir) : NULL;
	struct listing l = { fs, dir, n ? node_lower_dir(n) : node_id_handle(fs->nodes, dir), NULL,
		flags, emit, ctx };
	int r = 1;

	if (node_is_gone(n))
		r = 0;
	else if (node_is_upper(n))
		l.node = n;
	else if (l.handle == NODE_NO_HANDLE)
		r = -ESTALE;
	if (r > 0 && l.node && load(&l) < 0)
		r = -EIO;
	if (r > 0 && off < DN_OFF_DOTDOT)
		r = emit_dots(&l, off);
	if (r > 0 && off < DN_OFF_UPPER)
		r = emit_lower(&l, off);
	if (r > 0)
		r = emit_upper(&l, off);
	node_put(fs->nodes, n);
	return r < 0 ? r : 0;
}
