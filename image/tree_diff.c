/* SPDX-License-Identifier: Apache-2.0 */
/* What an upper changes (the contract is in the header). */
#include "image/tree_diff.h"

#include "base/str.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define LIMIT_TREE_DEPTH 4096

struct walk {
	struct ovl_fs *fs;
	struct lower *lower;
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err);
	void *ctx;
	struct buf path; /* of the directory that is looked at, without a slash at its end */
	unsigned int depth;
};

/* ---- one directory's names ---- */

struct name {
	char *text;
	uint64_t id;
	struct stat st;
	bool is_deleted; /* only the lower has it */
};

struct names {
	struct name *v;
	size_t n, room;
};

static void names_done(struct walk *w, struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!names->v[i].is_deleted)
			ovl_forget(w->fs, names->v[i].id, 1);
		free(names->v[i].text);
	}
	free(names->v);
}

static struct name *names_add(struct names *names, const char *text, size_t len)
{
	struct name *e;

	if (names->n == names->room) {
		size_t room = names->room ? names->room * 2 : 16;

		e = reallocarray(names->v, room, sizeof(*e));
		if (!e)
			return NULL;
		names->v = e;
		names->room = room;
	}
	e = &names->v[names->n];
	*e = (struct name){ .text = strndup(text, len) };
	if (!e->text)
		return NULL;
	names->n++;
	return e;
}

/* Takes no entry behind one that memory did not suffice for. */
static bool take_entry(void *ctx, const struct ovl_dirent *de)
{
	struct names *names = ctx;
	struct name *e;

	if (str_eq(de->name, ".") || str_eq(de->name, ".."))
		return true;
	e = names_add(names, de->name, strlen(de->name));
	if (!e) {
		names->room = 0;
		return false;
	}
	e->id = de->id;
	e->st = de->st;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

/* What the lower has and the merged directory does not, at the end of the list. */
static int add_deleted(struct walk *w, uint64_t handle, struct names *names)
{
	const size_t n = names->n;
	struct lower_entry le;
	uint64_t ordinal = 0;
	int r;

	for (; (r = w->lower->ops->list(w->lower, handle, ordinal, &le)) == 0;
		ordinal = le.off + 1) {
		struct name key = { .text = strndup(le.name, le.len) };
		bool found =
			key.text && n && bsearch(&key, names->v, n, sizeof(key), compare_names);
		struct name *e = NULL;

		if (key.text && !found) {
			/* Sorted in behind the others, which bsearch() no longer sees. */
			e = names_add(names, le.name, le.len);
			if (e)
				e->is_deleted = true;
		}
		r = !key.text || (!found && !e) ? -ENOMEM : 0;
		free(key.text);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

/* All names of a directory in either tree, sorted; @handle NODE_NO_HANDLE: the lower has none. */
static int load_names(
	struct walk *w, uint64_t dir, const uint64_t *handle, struct names *ret, struct err *err)
{
	int r = ovl_readdir(w->fs, dir, 0, OVL_READDIR_PLUS, take_entry, ret);

	if (r == 0 && ret->n && !ret->room)
		r = -ENOMEM;
	if (r == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_names);
	if (r == 0 && handle)
		r = add_deleted(w, *handle, ret);
	if (r == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_names);
	return r < 0 ? err_set(err, r, "cannot list '%s'", w->path.len ? w->path.data : "/") : 0;
}

/* ---- comparing ---- */

/* Do both sides have the same attributes?  Yes if that cannot be told apart. */
static bool same_xattrs(struct walk *w, uint64_t id, uint64_t handle)
{
	const struct lower_ops *ops = w->lower->ops;
	ssize_t a = ovl_listxattr(w->fs, id, NULL, 0);
	ssize_t b = ops->listxattr(w->lower, handle, NULL, 0);
	auto_free char *names = NULL;

	if (a != b || a <= 0)
		return a == b;
	names = malloc((size_t)b);
	if (!names || ops->listxattr(w->lower, handle, names, (size_t)b) != b)
		return false;
	for (const char *n = names; n < names + b; n += strlen(n) + 1) {
		ssize_t len = ops->getxattr(w->lower, handle, n, NULL, 0);
		auto_free char *want = len < 0 ? NULL : malloc((size_t)len + 1);
		auto_free char *is = len < 0 ? NULL : malloc((size_t)len + 1);

		if (!want || !is || ops->getxattr(w->lower, handle, n, want, (size_t)len) != len ||
			ovl_getxattr(w->fs, id, n, is, (size_t)len) != len ||
			memcmp(want, is, (size_t)len) != 0)
			return false;
	}
	return true;
}

static bool same_dir(struct walk *w, const struct name *e, uint64_t handle)
{
	struct lower_attr a;

	return w->lower->ops->attr(w->lower, handle, &a) == 0 && a.mode == e->st.st_mode &&
	       a.uid == e->st.st_uid && a.gid == e->st.st_gid &&
	       a.mtime_sec == e->st.st_mtim.tv_sec && (long)a.mtime_nsec == e->st.st_mtim.tv_nsec &&
	       same_xattrs(w, e->id, handle);
}

static int report(struct walk *w, const struct name *e, enum tree_change_kind kind, struct err *err)
{
	struct tree_change change = { kind, w->path.len ? w->path.data : "", e->id, e->st };

	return w->fn(w->ctx, &change, err);
}

/* ---- walking ---- */

static int walk_dir(struct walk *w, uint64_t dir, const uint64_t *handle, struct err *err);

/* A directory of the merged tree over what the lower has at this path. */
static int visit_dir(struct walk *w, const struct name *e, const uint64_t *at, struct err *err)
{
	uint64_t handle;
	int is = ovl_origin(w->fs, e->id, &handle), r = 0;

	if (is >= 0 && at && *at == handle) {
		if (is > 0 && !same_dir(w, e, handle))
			r = report(w, e, TREE_CHANGED, err);
		return r < 0 ? r : walk_dir(w, e->id, &handle, err);
	}
	r = report(w, e, at ? TREE_REPLACED : TREE_ADDED, err);
	return r < 0 ? r : walk_dir(w, e->id, NULL, err);
}

static int visit(struct walk *w, const struct name *e, const uint64_t *dir, struct err *err)
{
	struct lower_entry le = { 0 };
	bool in_lower = false;
	uint64_t handle;
	int r;

	if (e->is_deleted)
		return report(w, e, TREE_DELETED, err);
	if (dir) {
		r = w->lower->ops->lookup(w->lower, *dir, e->text, strlen(e->text), &le);
		if (r < 0 && r != -ENOENT)
			return err_set(err, r, "cannot read the image's index");
		in_lower = r == 0;
	}
	if (S_ISDIR(e->st.st_mode)) {
		bool over_dir = in_lower && le.type == DT_DIR;

		return visit_dir(w, e, over_dir ? &le.handle : NULL, err);
	}
	r = ovl_origin(w->fs, e->id, &handle);
	if (r == 0 && in_lower && handle == le.handle)
		return 0;
	return report(w, e, in_lower ? TREE_CHANGED : TREE_ADDED, err);
}

static int walk_dir(struct walk *w, uint64_t dir, const uint64_t *handle, struct err *err)
{
	const size_t len = w->path.len;
	struct names names = { 0 };
	int r;

	if (++w->depth > LIMIT_TREE_DEPTH)
		return err_say(
			err, -ELOOP, "directories are nested more than %d deep", LIMIT_TREE_DEPTH);
	r = load_names(w, dir, handle, &names, err);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (buf_printf(&w->path, "%s%s", len ? "/" : "", names.v[i].text) < 0)
			r = err_set(err, -ENOMEM, "cannot walk the tree");
		else
			r = visit(w, &names.v[i], handle, err);
		if (w->path.data) {
			w->path.len = len;
			w->path.data[len] = '\0';
		}
	}
	names_done(w, &names);
	w->depth--;
	return r;
}

static int walk_root(struct walk *w, const uint64_t *handle, struct err *err)
{
	struct name root = { .text = (char *)"", .id = OVL_ROOT };
	int r = ovl_getattr(w->fs, OVL_ROOT, &root.st);

	if (r < 0)
		return err_set(err, r, "cannot read the root directory");
	if (!handle)
		r = report(w, &root, TREE_ADDED, err);
	else if (!same_dir(w, &root, *handle))
		r = report(w, &root, TREE_CHANGED, err);
	if (r == 0)
		r = walk_dir(w, OVL_ROOT, handle, err);
	buf_done(&w->path);
	return r;
}

int tree_diff(struct ovl_fs *fs, struct lower *lower,
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err), void *ctx,
	struct err *err)
{
	struct walk w = { .fs = fs, .lower = lower, .fn = fn, .ctx = ctx };
	const uint64_t root = 0;

	return walk_root(&w, &root, err);
}

int tree_list(struct ovl_fs *fs,
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err), void *ctx,
	struct err *err)
{
	struct walk w = { .fs = fs, .fn = fn, .ctx = ctx };

	return walk_root(&w, NULL, err);
}
