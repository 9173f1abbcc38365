/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idx_verify(): every block, every row, and the rules that need all rows
 *
 * One walk over the members, or over the directories in the order of their rows.  In a right image
 * directories own consecutive runs of names, and each entry is the next row that no earlier entry
 * had, or (not a directory) one that had a name before; so a single counter proves that every inode
 * is reached and every directory has one name.
 *
 * Failure: the first contradiction is named; nothing is repaired
 * Spec:    doc/on-disk.md, "What a reader must reject"
 */
#include "overlay/index_internal.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SAY(err, r, ...) err_say(err, (r) < 0 ? (r) : -EBADMSG, __VA_ARGS__)

struct verify {
	struct idx *x;
	struct err *err;
	uint8_t *sets_seen; /* a bit for each 4 bytes of XATTRS: a right set begins there */
};

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* ---- blocks ---- */

static int verify_blocks(struct verify *v)
{
	const struct idx_header *h = &v->x->h;
	const uint8_t *data = v->x->map.data;
	uint64_t table_end = h->crc_off + h->crc_n * UINT64_C(4);

	for (uint64_t b = 1; b <= h->crc_n; b++) {
		int r = idx_check_block(v->x, b);

		if (r < 0)
			return SAY(v->err, r, "block %llu is damaged", (unsigned long long)b);
	}
	for (unsigned int i = 0; i < IDX_SEC_MAX_; i++) {
		uint64_t end = h->sections[i].off + h->sections[i].len;

		if (!is_zero(data + end,
			    (IDX_BLOCK_BYTES - end % IDX_BLOCK_BYTES) % IDX_BLOCK_BYTES))
			return SAY(v->err, 0, "bytes behind section %u are not zero", i);
	}
	if (!is_zero(data + table_end, h->file_size - table_end) ||
		!is_zero(h->zero, sizeof(h->zero)) || h->reserved)
		return SAY(v->err, 0, "reserved bytes are not zero");
	return 0;
}

/* ---- what inodes and members share ---- */

static int verify_xattrs(struct verify *v, uint32_t off)
{
	struct idx_xattr a, last = { 0 };
	uint64_t cursor = 0, sum = 0;
	int r;

	if (off == 0 || (v->sets_seen[off / 32] & 1U << off / 4 % 8))
		return 0;
	while ((r = idx_xattr_next(v->x, off, &cursor, &a)) == 1) {
		size_t n = a.name_len < last.name_len ? a.name_len : last.name_len;
		int c = last.name ? memcmp(last.name, a.name, n) : -1;

		if (c > 0 || (c == 0 && last.name_len >= a.name_len))
			return -EBADMSG;
		sum += a.name_len + a.value_len;
		if (sum > LIMIT_IDX_XATTRS_BYTES)
			return -EBADMSG;
		last = a;
	}
	if (r == 0)
		v->sets_seen[off / 32] |= (uint8_t)(1U << off / 4 % 8);
	return r;
}

static int verify_content(struct verify *v, const struct idx_content *c)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < c->n_extents; i++) {
		struct idx_extent e;
		int r = idx_extent(v->x, c->data + i, &e);

		if (r < 0)
			return r;
		if (!idx_check_extent(&e, c->size, c->tar_size) || e.file_off < end)
			return -EBADMSG;
		end = e.file_off + e.len;
	}
	return 0;
}

static int verify_target(struct verify *v, uint64_t off, uint64_t len)
{
	const char *s;

	return idx_string(v->x, (uint32_t)off, (uint32_t)len, &s);
}

/* ---- a layer ---- */

static int verify_member(struct verify *v, const struct idx_member *m)
{
	struct idx_content c;
	int r;

	if (m->reserved)
		return -EBADMSG;
	if (m->kind != IDX_MEMBER_ENTRY)
		return 0;
	r = verify_xattrs(v, m->xattrs);
	if (r < 0)
		return r;
	if (S_ISLNK(m->mode))
		return verify_target(v, m->link, m->link_len);
	return idx_member_content(v->x, m, &c) == 0 ? verify_content(v, &c) : 0;
}

static int verify_layer(struct verify *v)
{
	uint64_t next_hdr = 0;

	for (uint32_t i = 0; i < idx_n_members(v->x); i++) {
		struct idx_member m;
		int r = idx_member(v->x, i, &m);

		if (r == 0)
			r = m.hdr_off < next_hdr ? -EBADMSG : verify_member(v, &m);
		if (r < 0)
			return SAY(v->err, r, "member %u is damaged or breaks the format", i);
		next_hdr = m.hdr_off + 512;
	}
	return 0;
}

/* ---- an image ---- */

struct tree {
	uint32_t *n_names; /* of each inode: names, or for a directory its subdirectories */
	uint64_t *numbers; /* of each inode */
	uint64_t next_name; /* where the next directory's run begins */
	uint32_t next_inode; /* the next row that has no name yet */
};

static int verify_inode(struct verify *v, struct tree *t, uint32_t row, struct idx_inode *ret)
{
	struct idx_content c;
	int r = idx_inode(v->x, row, ret);

	if (r < 0)
		return r;
	t->numbers[row] = ret->ino;
	r = verify_xattrs(v, ret->xattrs);
	if (r < 0)
		return r;
	if (S_ISLNK(ret->mode))
		return verify_target(v, ret->data, ret->size);
	if (!S_ISREG(ret->mode))
		return 0;
	r = idx_inode_content(v->x, ret, &c);
	return r < 0 ? r : verify_content(v, &c);
}

/* An entry, and how it follows the one before it in the listing. */
static int verify_entry(
	struct verify *v, struct tree *t, uint32_t dir, uint32_t ordinal, struct idx_dirent *last)
{
	struct idx_inode ino, last_ino;
	struct idx_dirent e;
	struct idx_name raw;
	int r = idx_entry(v->x, dir, ordinal, &e);

	if (r == 0)
		r = idx_row(v->x, IDX_SEC_NAMES, t->next_name + ordinal, &raw);
	if (r == 0)
		r = idx_inode(v->x, e.inode, &ino);
	if (r < 0)
		return r;
	if (raw.reserved)
		return -EBADMSG;
	if (e.inode == t->next_inode)
		t->next_inode++;
	else if (e.type == DT_DIR || e.inode > t->next_inode)
		return -EBADMSG;
	t->n_names[e.type == DT_DIR ? dir : e.inode]++;
	if (ordinal > 0) {
		r = idx_inode(v->x, last->inode, &last_ino);
		if (r < 0)
			return r;
		if (last_ino.ino > ino.ino ||
			(last_ino.ino == ino.ino &&
				idx_name_cmp(0, last->name, last->len, 0, e.name, e.len) >= 0))
			return -EBADMSG;
	}
	*last = e;
	return 0;
}

/* The hashes of a directory: strictly rising, right, and of names of this directory. */
static int verify_hashes(struct verify *v, const struct idx_inode *dir, uint32_t row)
{
	struct idx_dirent e, last = { 0 };
	struct idx_lookup h, last_h = { 0 };
	int r;

	for (uint32_t i = 0; i < dir->count; i++) {
		r = idx_row(v->x, IDX_SEC_LOOKUP, dir->data + i, &h);
		if (r < 0)
			return r;
		if (h.name < dir->data || h.name - dir->data >= dir->count)
			return -EBADMSG;
		r = idx_entry(v->x, row, (uint32_t)(h.name - dir->data), &e);
		if (r < 0)
			return r;
		if (h.hash != idx_name_hash(e.name, e.len) ||
			(i > 0 && idx_name_cmp(last_h.hash, last.name, last.len, h.hash, e.name,
					  e.len) >= 0))
			return -EBADMSG;
		last = e;
		last_h = h;
	}
	return 0;
}

static int verify_dir(struct verify *v, struct tree *t, uint32_t row, const struct idx_inode *dir)
{
	struct idx_dirent last = { 0 };

	if (dir->data != t->next_name)
		return -EBADMSG;
	for (uint32_t i = 0; i < dir->count; i++) {
		int r = verify_entry(v, t, row, i, &last);

		if (r < 0)
			return r;
	}
	t->next_name += dir->count;
	return verify_hashes(v, dir, row);
}

static int verify_layers(struct verify *v)
{
	for (uint32_t i = 0; i < idx_n_layers(v->x); i++) {
		struct idx_layer l;
		int r = idx_layer(v->x, i, &l);

		if (r < 0 || l.reserved)
			return SAY(v->err, r, "row %u of the layer table is damaged", i);
	}
	return 0;
}

static int cmp_u64(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

/* What only all rows together tell. */
static int verify_counts(struct verify *v, struct tree *t)
{
	uint32_t n = idx_n_inodes(v->x);

	if (t->next_inode != n || t->next_name != idx_n_names(v->x))
		return SAY(v->err, 0, "inodes or names belong to no directory");
	for (uint32_t i = 0; i < n; i++) {
		struct idx_inode ino;
		int r = idx_inode(v->x, i, &ino);

		if (r < 0 || ino.nlink != t->n_names[i] + (S_ISDIR(ino.mode) ? 2 : 0))
			return SAY(v->err, r, "inode %u has a wrong link count", i);
	}
	qsort(t->numbers, n, sizeof(*t->numbers), cmp_u64);
	for (uint32_t i = 1; i < n; i++)
		if (t->numbers[i] == t->numbers[i - 1])
			return SAY(v->err, 0, "two inodes have the number %llu",
				(unsigned long long)t->numbers[i]);
	return 0;
}

static int verify_image(struct verify *v)
{
	uint32_t n = idx_n_inodes(v->x);
	auto_free uint32_t *n_names = calloc(n, sizeof(*n_names));
	auto_free uint64_t *numbers = calloc(n, sizeof(*numbers));
	struct tree t = { .n_names = n_names, .numbers = numbers, .next_inode = 1 };
	int r = verify_layers(v);

	if (r < 0)
		return r;
	if (!n_names || !numbers)
		return err_set(v->err, -ENOMEM, "cannot check the index");
	for (uint32_t i = 0; i < n; i++) {
		struct idx_inode ino;

		r = verify_inode(v, &t, i, &ino);
		if (r == 0 && S_ISDIR(ino.mode))
			r = verify_dir(v, &t, i, &ino);
		if (r < 0)
			return SAY(v->err, r, "inode %u is damaged or breaks the format", i);
	}
	return verify_counts(v, &t);
}

int idx_verify(struct idx *x, struct err *err)
{
	size_t room = x->n_rows[IDX_SEC_XATTRS] / 32 + 1;
	auto_free uint8_t *sets_seen = calloc(room, 1);
	struct verify v = { .x = x, .err = err, .sets_seen = sets_seen };
	int r;

	if (!sets_seen)
		return err_set(err, -ENOMEM, "cannot check the index");
	r = verify_blocks(&v);
	if (r < 0)
		return r;
	r = x->h.kind == IDX_KIND_LAYER ? verify_layer(&v) : verify_image(&v);
	if (r == 0 && mapping_is_broken(&x->map))
		return SAY(err, -EIO, "the file shrank while it was read");
	return r;
}
