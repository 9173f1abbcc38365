/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image without its last layer, and with it (the contract is in the header)
 *
 *      merged index of all but the last ──┐
 *                                         ├─ walk both ─▶ A  C  D
 *      merged index of all layers ────────┘
 *
 * The number of an inode is made of its layer and its place in it, so it is the same on both sides
 * unless the last layer has the entry anew.
 */
#include "image/image_diff.h"

#include "base/str.h"
#include "image/chain.h"

#include <dirent.h>

#define LIMIT_DEPTH 4096

struct walk {
	struct lower *before, *after;
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err);
	void *ctx;
	struct buf path;
	unsigned int depth;
};

static int report(struct walk *w, enum tree_change_kind kind, struct err *err)
{
	const struct tree_change change = { .kind = kind,
		.path = w->path.data ? w->path.data : "" };

	return w->fn(w->ctx, &change, err);
}

static int damaged(int code, struct err *err)
{
	return err_set(err, code, "cannot read the image's index");
}

static int walk_dir(struct walk *w, const uint64_t *before, uint64_t after, struct err *err);

/* An entry that the image has; @old: what was there before, or NULL. */
static int visit(
	struct walk *w, const struct lower_entry *e, const struct lower_entry *old, struct err *err)
{
	bool both_dirs = old && old->type == DT_DIR && e->type == DT_DIR;
	struct lower_attr a, b = { 0 };
	int r = w->after->ops->attr(w->after, e->handle, &a);

	if (r == 0 && old)
		r = w->before->ops->attr(w->before, old->handle, &b);
	if (r < 0)
		return damaged(r, err);
	if (!old)
		r = report(w, TREE_ADDED, err);
	else if (a.ino != b.ino)
		r = report(w, TREE_CHANGED, err);
	if (r < 0 || e->type != DT_DIR)
		return r;
	return walk_dir(w, both_dirs ? &old->handle : NULL, e->handle, err);
}

static int add_names(struct lower *l, uint64_t dir, struct strv *names)
{
	struct lower_entry e;
	uint64_t ordinal = 0;
	int r;

	for (; (r = l->ops->list(l, dir, ordinal, &e)) == 0; ordinal = e.off + 1)
		if (strv_addf(names, "%.*s", (int)e.len, e.name) < 0)
			return -ENOMEM;
	return r == -ENOENT ? 0 : r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* @dir: NULL: not there, and so is nothing in it. */
static int look_up(struct lower *l, const uint64_t *dir, const char *name, struct lower_entry *ret)
{
	return dir ? l->ops->lookup(l, *dir, name, strlen(name), ret) : -ENOENT;
}

static int visit_name(
	struct walk *w, const uint64_t *before, uint64_t after, const char *name, struct err *err)
{
	struct lower_entry old, e;
	int was = look_up(w->before, before, name, &old), is = look_up(w->after, &after, name, &e);
	const size_t len = w->path.len;
	int r;

	if ((was < 0 && was != -ENOENT) || (is < 0 && is != -ENOENT))
		return damaged(was < 0 && was != -ENOENT ? was : is, err);
	if (buf_printf(&w->path, "%s%s", len ? "/" : "", name) < 0)
		return err_set(err, -ENOMEM, "cannot walk the image");
	r = is == 0 ? visit(w, &e, was == 0 ? &old : NULL, err) : report(w, TREE_DELETED, err);
	w->path.len = len;
	w->path.data[len] = '\0';
	return r;
}

static int walk_dir(struct walk *w, const uint64_t *before, uint64_t after, struct err *err)
{
	auto_strv names = { 0 };
	int r = before ? add_names(w->before, *before, &names) : 0;

	if (r == 0)
		r = add_names(w->after, after, &names);
	if (r < 0)
		return damaged(r, err);
	if (++w->depth > LIMIT_DEPTH)
		return err_say(
			err, -ELOOP, "directories are nested more than %d deep", LIMIT_DEPTH);
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare_names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (i == 0 || !str_eq(names.v[i], names.v[i - 1]))
			r = visit_name(w, before, after, names.v[i], err);
	w->depth--;
	return r;
}

int image_diff(struct img_store *s, const struct img *img,
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err), void *ctx,
	struct err *err)
{
	struct walk w = { .fn = fn, .ctx = ctx };
	const uint64_t root = 0;
	struct img parent = *img;
	int r = 0;

	if (img->n_layers > 1) {
		parent.n_layers--;
		r = chain_id(parent.diff_ids, parent.n_layers, &parent.chain_id);
		r = r < 0 ? err_set(err, r, "cannot compute a chain id")
			  : img_open_lower(s, &parent, &w.before, err);
	}
	if (r == 0)
		r = img_open_lower(s, img, &w.after, err);
	if (r == 0)
		r = walk_dir(&w, w.before ? &root : NULL, 0, err);
	buf_done(&w.path);
	if (w.before)
		w.before->ops->close(w.before);
	if (w.after)
		w.after->ops->close(w.after);
	return r;
}
