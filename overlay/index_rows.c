/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of an index: each is copied, then checked, then handed out
 *
 * The checks are those that a row and what it refers to allow; what needs all rows (unique numbers,
 * link counts, one name for each directory) is idx_verify()'s business.  What callers' safety rests
 * on is here: ranges, valid names, and directories that only lead to greater rows.
 */
#include "overlay/index_internal.h"

#include "overlay/inum.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names and paths ---- */

uint32_t idx_name_hash(const char *name, size_t len)
{
	uint32_t h = UINT32_C(2166136261);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * UINT32_C(16777619);
	return h;
}

int idx_name_cmp(
	uint32_t hash_a, const char *a, size_t len_a, uint32_t hash_b, const char *b, size_t len_b)
{
	int c;

	if (hash_a != hash_b)
		return hash_a < hash_b ? -1 : 1;
	c = memcmp(a, b, len_a < len_b ? len_a : len_b);
	if (c != 0)
		return c;
	return (len_a > len_b) - (len_a < len_b);
}

bool idx_name_is_valid(const char *name, size_t len)
{
	if (len == 0 || len > 255 || memchr(name, '/', len))
		return false;
	return name[0] != '.' || (len != 1 && (len != 2 || name[1] != '.'));
}

bool idx_path_is_clean(const char *path, size_t len)
{
	size_t at = 0, n = 0;

	if (len > LIMIT_IDX_PATH_BYTES)
		return false;
	while (at < len) {
		const char *slash = memchr(path + at, '/', len - at);
		size_t part = slash ? (size_t)(slash - path) - at : len - at;

		if (!idx_name_is_valid(path + at, part) || ++n > LIMIT_IDX_DEPTH)
			return false;
		at += part;
		/* A slash stands between two components, never at the end. */
		if (slash && ++at == len)
			return false;
	}
	return true;
}

/* ---- content of files ---- */

bool idx_check_extent(const struct idx_extent *e, uint64_t size, uint64_t tar_size)
{
	return e->len && e->file_off <= size && e->len <= size - e->file_off &&
	       e->tar_off <= tar_size && e->len <= tar_size - e->tar_off;
}

static int check_content(const struct idx *x, const struct idx_content *c)
{
	uint64_t rows = x->n_rows[IDX_SEC_EXTENTS];

	if (c->size > LIMIT_IDX_FILE_SIZE)
		return -EBADMSG;
	if (c->n_extents)
		return c->n_extents <= LIMIT_IDX_EXTENTS_FILE && c->data <= rows &&
				       c->n_extents <= rows - c->data
			       ? 0
			       : -EBADMSG;
	if (c->data == 0) /* empty, or one hole */
		return 0;
	return c->data <= c->tar_size && c->size <= c->tar_size - c->data ? 0 : -EBADMSG;
}

int idx_inode_content(struct idx *x, const struct idx_inode *ino, struct idx_content *ret)
{
	struct idx_content c = { .size = ino->size,
		.data = ino->data,
		.n_extents = ino->count,
		.layer = inum_layer(ino->ino) };
	struct idx_layer layer;
	int r;

	if (!S_ISREG(ino->mode))
		return -EINVAL;
	r = idx_layer(x, c.layer, &layer);
	if (r < 0)
		return r;
	c.tar_size = layer.tar_size;
	*ret = c;
	return 0;
}

int idx_member_content(struct idx *x, const struct idx_member *m, struct idx_content *ret)
{
	if (m->kind != IDX_MEMBER_ENTRY || !S_ISREG(m->mode))
		return -EINVAL;
	*ret = (struct idx_content){ .size = m->size,
		.data = m->data,
		.n_extents = m->n_extents,
		.tar_size = x->h.tar_size };
	return 0;
}

/* How many of the file's extents start at or before @off; they are sorted by their start. */
static int count_extents_before(
	struct idx *x, const struct idx_content *c, uint64_t off, uint32_t *ret)
{
	uint32_t lo = 0, hi = c->n_extents;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		struct idx_extent e;
		int r = idx_extent(x, c->data + mid, &e);

		if (r < 0)
			return r;
		if (e.file_off <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret = lo;
	return 0;
}

int idx_map(struct idx *x, const struct idx_content *c, uint64_t off, uint64_t *ret_pos,
	uint64_t *ret_len)
{
	struct idx_extent e;
	uint64_t end = c->size;
	uint32_t n;
	int r = check_content(x, c);

	if (r < 0)
		return r;
	if (off >= c->size)
		return -ENXIO;
	if (c->n_extents == 0) {
		*ret_len = c->size - off;
		*ret_pos = c->data ? c->data + off : 0;
		return c->data != 0;
	}
	r = count_extents_before(x, c, off, &n);
	if (r < 0)
		return r;
	if (n > 0) {
		r = idx_extent(x, c->data + n - 1, &e);
		if (r < 0)
			return r;
		if (!idx_check_extent(&e, c->size, c->tar_size) || e.file_off > off)
			return -EBADMSG;
		if (off - e.file_off < e.len) {
			*ret_pos = e.tar_off + (off - e.file_off);
			*ret_len = e.len - (off - e.file_off);
			return 1;
		}
	}
	if (n < c->n_extents) {
		r = idx_extent(x, c->data + n, &e);
		if (r < 0)
			return r;
		if (e.file_off <= off || e.file_off > c->size)
			return -EBADMSG;
		end = e.file_off;
	}
	*ret_pos = 0;
	*ret_len = end - off;
	return 0;
}

int idx_extent(struct idx *x, uint64_t row, struct idx_extent *ret)
{
	return idx_row(x, IDX_SEC_EXTENTS, row, ret);
}

/* ---- what inodes and members have in common ---- */

static bool metadata_is_valid(uint32_t mode, uint32_t uid, uint32_t gid)
{
	return (mode & ~(uint32_t)(S_IFMT | 07777)) == 0 && uid <= LIMIT_IDX_ID &&
	       gid <= LIMIT_IDX_ID;
}

static bool time_is_valid(int64_t sec, uint32_t nsec)
{
	return sec >= -LIMIT_IDX_TIME && sec <= LIMIT_IDX_TIME && nsec < 1000000000;
}

static bool xattrs_are_in_range(const struct idx *x, uint32_t off)
{
	return off == 0 || (off % 4 == 0 && off < x->n_rows[IDX_SEC_XATTRS]);
}

static bool string_is_in_range(const struct idx *x, uint64_t off, uint64_t len)
{
	uint64_t n = x->n_rows[IDX_SEC_STRINGS];

	return off <= n && len <= n - off;
}

/* ---- inodes ---- */

int idx_layer(struct idx *x, uint32_t row, struct idx_layer *ret)
{
	int r = idx_row(x, IDX_SEC_LAYERS, row, ret);

	if (r == 0 && ret->tar_size > LIMIT_IDX_FILE_BYTES)
		return -EBADMSG;
	return r;
}

static bool dir_is_valid(const struct idx *x, uint32_t row, const struct idx_inode *ino)
{
	uint64_t n = x->n_rows[IDX_SEC_NAMES];

	return ino->size == 0 && ino->data <= n && ino->count <= n - ino->data && ino->nlink >= 2 &&
	       ino->nlink - 2 <= ino->count && (row ? ino->parent < row : ino->parent == 0);
}

/* The number names a layer of the table; the root's names none. */
static bool number_is_valid(const struct idx *x, uint32_t row, uint64_t ino)
{
	struct inum num;

	if (row == 0 || ino == INUM_ROOT)
		return row == 0 && ino == INUM_ROOT;
	return inum_unpack(ino, &num) && num.layer < x->n_rows[IDX_SEC_LAYERS];
}

static int check_file(struct idx *x, const struct idx_inode *ino)
{
	struct idx_content c;
	int r = idx_inode_content(x, ino, &c);

	return r < 0 ? r : check_content(x, &c);
}

static int check_inode(struct idx *x, uint32_t row, const struct idx_inode *ino)
{
	if (!metadata_is_valid(ino->mode, ino->uid, ino->gid) ||
		!time_is_valid(ino->mtime_sec, ino->mtime_nsec) ||
		!xattrs_are_in_range(x, ino->xattrs) || !number_is_valid(x, row, ino->ino))
		return -EBADMSG;
	if (S_ISDIR(ino->mode))
		return dir_is_valid(x, row, ino) ? 0 : -EBADMSG;
	if (row == 0 || ino->parent != IDX_NONE || ino->nlink == 0)
		return -EBADMSG;
	if (S_ISREG(ino->mode))
		return check_file(x, ino);
	if (ino->count)
		return -EBADMSG;
	if (S_ISLNK(ino->mode))
		return ino->size >= 1 && ino->size <= LIMIT_IDX_LINK_BYTES &&
				       string_is_in_range(x, ino->data, ino->size)
			       ? 0
			       : -EBADMSG;
	if (S_ISCHR(ino->mode) || S_ISBLK(ino->mode))
		return ino->size == 0 ? 0 : -EBADMSG;
	return S_ISFIFO(ino->mode) && ino->size == 0 && ino->data == 0 ? 0 : -EBADMSG;
}

int idx_inode(struct idx *x, uint32_t row, struct idx_inode *ret)
{
	int r = idx_row(x, IDX_SEC_INODES, row, ret);

	return r < 0 ? r : check_inode(x, row, ret);
}

static int get_dir(struct idx *x, uint32_t row, struct idx_inode *ret)
{
	int r = idx_inode(x, row, ret);

	if (r < 0)
		return r;
	return S_ISDIR(ret->mode) ? 0 : -ENOTDIR;
}

/* ---- entries ---- */

/* What descents rest on: an entry has its inode's type, and a directory is its parent's child. */
static int check_child(struct idx *x, uint32_t dir, const struct idx_name *name)
{
	struct idx_inode child;
	int r = idx_row(x, IDX_SEC_INODES, name->inode, &child);

	if (r < 0)
		return r;
	if (name->type != IFTODT(child.mode))
		return -EBADMSG;
	if (S_ISDIR(child.mode) && (name->inode <= dir || child.parent != dir))
		return -EBADMSG;
	return 0;
}

static int get_entry(struct idx *x, uint32_t dir, const struct idx_inode *ino, uint32_t ordinal,
	struct idx_dirent *ret)
{
	struct idx_name name;
	const char *s;
	int r = idx_row(x, IDX_SEC_NAMES, ino->data + ordinal, &name);

	if (r < 0)
		return r;
	r = check_child(x, dir, &name);
	if (r < 0)
		return r;
	r = idx_string(x, name.str, name.len, &s);
	if (r < 0)
		return r;
	if (!idx_name_is_valid(s, name.len))
		return -EBADMSG;
	*ret = (struct idx_dirent){ .name = s,
		.inode = name.inode,
		.ordinal = ordinal,
		.len = name.len,
		.type = name.type };
	return 0;
}

int idx_entry(struct idx *x, uint32_t dir, uint32_t ordinal, struct idx_dirent *ret)
{
	struct idx_inode ino;
	int r = get_dir(x, dir, &ino);

	if (r < 0)
		return r;
	return ordinal < ino.count ? get_entry(x, dir, &ino, ordinal, ret) : -ENOENT;
}

/* The entry that the @row-th hash of a directory points at. */
static int get_by_hash(struct idx *x, uint32_t dir, const struct idx_inode *ino,
	const struct idx_lookup *row, struct idx_dirent *ret)
{
	if (row->name < ino->data || row->name - ino->data >= ino->count)
		return -EBADMSG;
	return get_entry(x, dir, ino, (uint32_t)(row->name - ino->data), ret);
}

int idx_lookup(struct idx *x, uint32_t dir, const char *name, size_t len, struct idx_dirent *ret)
{
	uint32_t hash = idx_name_hash(name, len), lo = 0, hi;
	struct idx_inode ino;
	int r = get_dir(x, dir, &ino);

	if (r < 0)
		return r;
	hi = ino.count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		struct idx_lookup row;
		struct idx_dirent e;
		int c;

		r = idx_row(x, IDX_SEC_LOOKUP, ino.data + mid, &row);
		if (r < 0)
			return r;
		c = hash < row.hash ? -1 : hash > row.hash;
		/* Names are read for equal hashes only, and searched by halves, too: whoever
		 * makes a million names of one hash gains nothing. */
		if (c == 0) {
			r = get_by_hash(x, dir, &ino, &row, &e);
			if (r < 0)
				return r;
			c = idx_name_cmp(hash, name, len, row.hash, e.name, e.len);
		}
		if (c == 0) {
			*ret = e;
			return 0;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -ENOENT;
}

/* ---- members of a layer ---- */

static int check_path(struct idx *x, uint32_t off, uint32_t len)
{
	const char *s;
	int r = len > LIMIT_IDX_PATH_BYTES ? -EBADMSG : idx_string(x, off, len, &s);

	if (r < 0)
		return r;
	return idx_path_is_clean(s, len) ? 0 : -EBADMSG;
}

static int check_entry_member(struct idx *x, const struct idx_member *m)
{
	if (!metadata_is_valid(m->mode, m->uid, m->gid) || !xattrs_are_in_range(x, m->xattrs))
		return -EBADMSG;
	if (S_ISREG(m->mode)) {
		struct idx_content c;
		int r = idx_member_content(x, m, &c);

		return r < 0 || m->path_len == 0 ? -EBADMSG : check_content(x, &c);
	}
	if (m->size || m->n_extents)
		return -EBADMSG;
	if (S_ISDIR(m->mode))
		return m->data == 0 ? 0 : -EBADMSG;
	if (m->path_len == 0)
		return -EBADMSG;
	if (S_ISLNK(m->mode))
		return m->data == 0 && m->link_len >= 1 && m->link_len <= LIMIT_IDX_LINK_BYTES &&
				       string_is_in_range(x, m->link, m->link_len)
			       ? 0
			       : -EBADMSG;
	if (S_ISCHR(m->mode) || S_ISBLK(m->mode))
		return 0;
	return S_ISFIFO(m->mode) && m->data == 0 ? 0 : -EBADMSG;
}

static int check_member(struct idx *x, const struct idx_member *m)
{
	int r = check_path(x, m->path, m->path_len);

	if (r < 0)
		return r;
	if (!time_is_valid(m->mtime_sec, m->mtime_nsec) || m->hdr_off % 512 ||
		m->hdr_off >= x->h.tar_size)
		return -EBADMSG;
	switch (m->kind) {
	case IDX_MEMBER_ENTRY:
		return check_entry_member(x, m);
	case IDX_MEMBER_HARDLINK:
		return m->path_len && m->link_len ? check_path(x, m->link, m->link_len) : -EBADMSG;
	case IDX_MEMBER_WHITEOUT:
		return m->path_len ? 0 : -EBADMSG;
	case IDX_MEMBER_OPAQUE:
		return 0;
	default:
		return -EBADMSG;
	}
}

int idx_member(struct idx *x, uint32_t row, struct idx_member *ret)
{
	int r = idx_row(x, IDX_SEC_MEMBERS, row, ret);

	return r < 0 ? r : check_member(x, ret);
}
