/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completing an upper
 *
 *      directory with a redirect    all that shows in it is copied up; it becomes opaque; then the
 *                                   redirect goes
 *      metadata-only copy           gets its data, then loses its mark
 *
 * Directories go before what is in them: a directory that was filled is looked into like any other.
 */
#include "overlay/finish.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/copyup.h"
#include "overlay/copywhole.h"
#include "overlay/redirect.h"
#include "overlay/walk.h"

#include <string.h>

struct finishing {
	struct ovl_fs *fs;
	struct finish_result done;
	struct walk todo;
	struct err *err;
};

static int fail(struct finishing *f, int r, const char *what, const char *name)
{
	auto_free char *quoted = str_quote(name, strlen(name));

	return err_set(f->err, r, "cannot complete %s '%s'", what, quoted ? quoted : "?");
}

static int finish_dir(struct finishing *f, struct node *dir)
{
	struct ovl_fs *fs = f->fs;
	int r = copywhole_fill(fs, dir);

	if (r < 0)
		return r;
	pthread_mutex_lock(&dir->lock);
	r = copywhole_detach(fs, dir);
	if (r == 0)
		redirect_clear(fs, dir);
	pthread_mutex_unlock(&dir->lock);
	if (r == 0) {
		copywhole_clean(fs, dir);
		f->done.n_dirs++;
	}
	return r;
}

static int finish_entry(struct finishing *f, struct node *dir, const char *name, uint8_t type)
{
	struct ovl_fs *fs = f->fs;
	struct node *n = NULL;
	struct child c;
	int r = child_of_upper(fs, dir, name, type, &c);

	if (r < 0)
		return fail(f, r, "entry", name);
	if (S_ISDIR(c.node->fmt)) {
		if (c.um.redirect && node_lower_dir(c.node) != NODE_NO_HANDLE)
			r = finish_dir(f, c.node);
		if (r < 0)
			r = fail(f, r, "directory", name);
		else
			r = walk_add(&f->todo, node_ref(fs->nodes, c.node));
	} else if (c.um.metacopy) {
		r = copyup_file(fs, c.id, COPYUP_ALL, &n);
		if (r < 0)
			r = fail(f, r, "file", name);
		else
			f->done.n_files++;
		node_put(fs->nodes, n);
	}
	child_done(fs, &c);
	return r;
}

/* The next entry of the upper directory behind an offset: 1, or 0 behind the last. */
static int next_entry(struct finishing *f, struct node *dir, uint64_t *off, char name[NAME_MAX + 1],
	uint8_t *type)
{
	const struct dname *e = NULL;
	int r;

	pthread_mutex_lock(&dir->lock);
	r = child_load_names(f->fs, dir);
	if (r == 0)
		do
			e = dn_next(&dir->names, e ? e->off + 1 : *off + 1);
		while (e && (e->flags & DN_WHITEOUT));
	if (e) {
		*off = e->off;
		*type = e->type;
		memcpy(name, e->name, (size_t)e->len + 1);
		r = 1;
	}
	pthread_mutex_unlock(&dir->lock);
	return r;
}

int finish_upper(struct ovl_fs *fs, struct finish_result *ret, struct err *err)
{
	struct finishing f = { .fs = fs, .err = err };
	int r = walk_add(&f.todo, node_ref(fs->nodes, fs->root));

	for (struct node *dir; (dir = walk_take(&f.todo)); node_put(fs->nodes, dir)) {
		char name[NAME_MAX + 1];
		uint64_t off = 0;
		uint8_t type = DT_UNKNOWN;

		while (r >= 0 && (r = next_entry(&f, dir, &off, name, &type)) > 0)
			r = finish_entry(&f, dir, name, type);
	}
	*ret = f.done;
	return r;
}
