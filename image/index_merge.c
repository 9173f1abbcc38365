/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the indexes of a chain's layers to its merged index
 *
 *      layers ──merge_apply()──▶ tree ──numbering, breadth first──▶ rows ──idx_build──▶ file
 *
 * A directory's entries are numbered together when the directory itself is visited, so rows of
 * neighbours are neighbours, and a directory's row is greater than its parent's.  What orders
 * anything here comes from the layers' bytes: the same layers give the same file.
 *
 * Spec: doc/on-disk.md, "The merged index"
 */
#include "image/index_merge.h"

#include "base/cleanup.h"
#include "image/merge_apply.h"
#include "overlay/index_build.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

struct writer {
	struct merge_tree *t;
	struct idx *const *layers;
	struct idx_build *b;
	uint32_t *order; /* inode of each row */
	uint32_t n_rows;
	uint32_t first_name; /* of the directory at hand */
	/* The set of attributes that was written last: neighbours mostly have the same. */
	uint32_t xattrs_layer, xattrs_from, xattrs_to;
	struct idx_xattr xattrs[LIMIT_IDX_XATTRS_N];
};

/* One entry of a directory on its way into NAMES and LOOKUP. */
struct entry {
	uint64_t ino;
	const char *str;
	uint32_t inode;
	uint32_t hash;
	uint32_t name; /* row in NAMES */
	uint8_t len;
};

static void writer_done(struct writer *w)
{
	idx_build_free(w->b);
	free(w->order);
}

static int cmp_str(const struct entry *a, const struct entry *b)
{
	int c = memcmp(a->str, b->str, a->len < b->len ? a->len : b->len);

	return c ? c : (int)a->len - (int)b->len;
}

static int cmp_listing(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return cmp_str(a, b);
}

static int cmp_lookup(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return cmp_str(a, b);
}

static uint8_t dirent_type(uint32_t mode)
{
	return (uint8_t)IFTODT(mode);
}

static int write_name(struct writer *w, struct entry *e)
{
	struct merge_inode *in = &w->t->inodes[e->inode];
	struct idx_name row = { .len = e->len, .type = dirent_type(in->m.mode) };
	uint64_t off;
	int r;

	if (in->row == IDX_NONE) {
		in->row = w->n_rows;
		w->order[w->n_rows++] = e->inode;
	}
	row.inode = in->row;
	r = idx_build_add(w->b, IDX_SEC_STRINGS, e->str, e->len, &off);
	if (r < 0)
		return r;
	row.str = (uint32_t)off;
	r = idx_build_add(w->b, IDX_SEC_NAMES, &row, sizeof(row), &off);
	e->name = (uint32_t)(off / sizeof(row));
	return r;
}

/* The names of one directory, in both orders. */
static int write_entries(struct writer *w, struct entry *v, size_t n)
{
	int r;

	qsort(v, n, sizeof(*v), cmp_listing);
	for (size_t i = 0; i < n; i++) {
		r = write_name(w, &v[i]);
		if (r < 0)
			return r;
	}
	qsort(v, n, sizeof(*v), cmp_lookup);
	for (size_t i = 0; i < n; i++) {
		const struct idx_lookup row = { v[i].hash, v[i].name };

		r = idx_build_add(w->b, IDX_SEC_LOOKUP, &row, sizeof(row), NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Number and write what is in a directory; its run of names is kept in its member's fields. */
static int write_dir(struct writer *w, struct merge_inode *dir)
{
	auto_free struct entry *v = NULL;
	size_t n = 0, bytes;

	(void)idx_build_bytes(w->b, IDX_SEC_NAMES, &bytes);
	dir->m.data = bytes / sizeof(struct idx_name);
	if (dir->n_entries == 0)
		return 0;
	v = calloc(dir->n_entries, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (uint32_t i = dir->first; i; i = w->t->names[i].next) {
		const struct merge_name *name = &w->t->names[i];

		v[n++] = (struct entry){ .ino = w->t->inodes[name->inode].ino,
			.str = name->str,
			.len = name->len,
			.inode = name->inode,
			.hash = idx_name_hash(name->str, name->len) };
	}
	return write_entries(w, v, n);
}

static int copy_xattrs(struct writer *w, const struct merge_inode *in, uint32_t *ret)
{
	struct idx *x = w->layers[in->layer];
	uint64_t cursor = 0;
	size_t n = 0;
	int r;

	*ret = 0;
	if (in->m.xattrs == 0)
		return 0;
	if (in->layer != w->xattrs_layer || in->m.xattrs != w->xattrs_from) {
		/* The reader bounds the number of attributes by the size of the array. */
		while ((r = idx_xattr_next(x, in->m.xattrs, &cursor, &w->xattrs[n])) > 0)
			n++;
		if (r == 0)
			r = idx_build_xattrs(w->b, w->xattrs, n, &w->xattrs_to);
		if (r < 0)
			return r;
		w->xattrs_layer = in->layer;
		w->xattrs_from = in->m.xattrs;
	}
	*ret = w->xattrs_to;
	return 0;
}

static int copy_extents(struct writer *w, const struct merge_inode *in, uint64_t *ret_first)
{
	struct idx_extent e;
	size_t bytes;
	int r = 0;

	(void)idx_build_bytes(w->b, IDX_SEC_EXTENTS, &bytes);
	*ret_first = bytes / sizeof(e);
	for (uint32_t i = 0; r == 0 && i < in->m.n_extents; i++) {
		r = idx_extent(w->layers[in->layer], in->m.data + i, &e);
		if (r == 0)
			r = idx_build_add(w->b, IDX_SEC_EXTENTS, &e, sizeof(e), NULL);
	}
	return r;
}

/* What the type of an inode decides: data, count, parent. */
static int fill_by_type(struct writer *w, const struct merge_inode *in, struct idx_inode *row)
{
	int r = 0;

	row->data = in->m.data;
	row->parent = IDX_NONE;
	switch (in->m.mode & S_IFMT) {
	case S_IFDIR:
		row->count = in->n_entries;
		row->nlink = 2 + in->n_subdirs;
		row->parent = w->t->inodes[in->parent].row;
		break;
	case S_IFREG:
		row->size = in->m.size;
		row->count = in->m.n_extents;
		if (in->m.n_extents)
			r = copy_extents(w, in, &row->data);
		break;
	case S_IFLNK:
		row->size = in->m.link_len;
		r = idx_build_add(w->b, IDX_SEC_STRINGS, in->target, in->m.link_len, &row->data);
		break;
	}
	return r;
}

static int write_inode(struct writer *w, const struct merge_inode *in)
{
	struct idx_inode row = { .mode = in->m.mode,
		.uid = in->m.uid,
		.gid = in->m.gid,
		.nlink = in->nlink,
		.mtime_sec = in->m.mtime_sec,
		.mtime_nsec = in->m.mtime_nsec,
		.ino = in->ino };
	int r = fill_by_type(w, in, &row);

	if (r == 0)
		r = copy_xattrs(w, in, &row.xattrs);
	if (r == 0)
		r = idx_build_add(w->b, IDX_SEC_INODES, &row, sizeof(row), NULL);
	return r;
}

static int write_layers(struct writer *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct idx_header *h = idx_header(w->layers[i]);
		const struct idx_layer row = { .diff_id = h->id, .tar_size = h->tar_size };
		int r = idx_build_add(w->b, IDX_SEC_LAYERS, &row, sizeof(row), NULL);

		if (r < 0)
			return r;
	}
	return 0;
}

static int write_tree(struct writer *w, uint32_t n_layers)
{
	int r = write_layers(w, n_layers);

	w->t->inodes[MERGE_ROOT].row = 0;
	w->order[w->n_rows++] = MERGE_ROOT;
	for (uint32_t row = 0; r == 0 && row < w->n_rows; row++) {
		struct merge_inode *in = &w->t->inodes[w->order[row]];

		if (merge_is_dir(in))
			r = write_dir(w, in);
	}
	for (uint32_t row = 0; r == 0 && row < w->n_rows; row++)
		r = write_inode(w, &w->t->inodes[w->order[row]]);
	return r;
}

static int write_index(struct merge_tree *t, struct idx *const *layers, uint32_t n,
	const struct idx_digest *chain, int fd, struct err *err)
{
	auto_free struct writer *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return err_set(err, r, "cannot merge the layers");
	w->t = t;
	w->layers = layers;
	w->order = calloc(t->n_inodes, sizeof(*w->order));
	if (w->order)
		r = idx_build_new(&w->b, IDX_KIND_IMAGE);
	if (r == 0)
		r = write_tree(w, n);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		if (idx_is_broken(layers[i]))
			r = -EIO;
	r = r < 0 ? err_set(err, r, "cannot merge the layers")
		  : idx_build_write(w->b, chain, 0, fd, err);
	writer_done(w);
	return r;
}

int index_merge(struct idx *const *layers, uint32_t n, const struct idx_digest *chain, int fd,
	struct err *err)
{
	struct merge_tree t;
	int r;

	if (n > LIMIT_IDX_LAYERS)
		return err_say(err, -EFBIG, "%u layers are more than the limit of %d", n,
			LIMIT_IDX_LAYERS);
	r = merge_tree_init(&t);
	if (r < 0)
		return err_set(err, r, "cannot merge the layers");
	t.link_bytes = LIMIT_MERGE_LINK_BYTES;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = merge_apply(&t, layers[i], i, err);
		if (r < 0)
			err_wrap(err, r, "layer %u of %u", i + 1, n);
	}
	if (r == 0)
		r = write_index(&t, layers, n, chain, fd, err);
	merge_tree_done(&t);
	return r;
}
