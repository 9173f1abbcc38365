/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index files as files: opening, sections, blocks and their checksums, blobs
 *
 *      accessor ──▶ idx_row()/idx_bytes() ──▶ inside of its section? ──▶ block's bit set? ──▶ bytes
 *                                                                            │ no
 *                                                               CRC, NUL bytes; set the bit
 *
 * The bitmap of verified blocks starts empty and lies in memory that the kernel hands out when it
 * is touched, so opening costs the header, the CRC table and nothing for each row.
 *
 * Invariants: - no address outside of the mapping is formed from what the file says
 *             - bytes are handed out only from blocks whose CRC was right once
 *             - STRINGS handed out hold no NUL
 * Locking:    none; bits are set by atomic or, and setting one twice is harmless
 * Spec:       doc/on-disk.md, "Index files"
 */
#include "overlay/index_internal.h"

#include "base/cleanup.h"
#include "base/crc.h"
#include "base/fd.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

static_assert(BYTE_ORDER == LITTLE_ENDIAN, "rows are used in the mapping as they lie");

#define BIT(n) (1U << (n))

/* What a section holds, and which kinds have it. */
static const struct {
	uint32_t row_bytes;
	uint32_t kinds;
	uint64_t max_rows;
} sections[] = {
	[IDX_SEC_STRINGS] = { 1, BIT(IDX_KIND_LAYER) | BIT(IDX_KIND_IMAGE), LIMIT_IDX_BLOB_BYTES },
	[IDX_SEC_XATTRS] = { 1, BIT(IDX_KIND_LAYER) | BIT(IDX_KIND_IMAGE), LIMIT_IDX_BLOB_BYTES },
	[IDX_SEC_EXTENTS] = { sizeof(struct idx_extent), BIT(IDX_KIND_LAYER) | BIT(IDX_KIND_IMAGE),
		LIMIT_IDX_ROWS },
	[IDX_SEC_MEMBERS] = { sizeof(struct idx_member), BIT(IDX_KIND_LAYER), LIMIT_IDX_ROWS },
	[IDX_SEC_INODES] = { sizeof(struct idx_inode), BIT(IDX_KIND_IMAGE), LIMIT_IDX_ROWS },
	[IDX_SEC_NAMES] = { sizeof(struct idx_name), BIT(IDX_KIND_IMAGE), LIMIT_IDX_ROWS },
	[IDX_SEC_LOOKUP] = { sizeof(struct idx_lookup), BIT(IDX_KIND_IMAGE), LIMIT_IDX_ROWS },
	[IDX_SEC_LAYERS] = { sizeof(struct idx_layer), BIT(IDX_KIND_IMAGE), LIMIT_IDX_LAYERS },
};
static_assert(ARRAY_SIZE(sections) == IDX_SEC_MAX_, "a row for each section");

DEFINE_CLEANUP(struct idx *, idx, idx_close)

static uint64_t to_blocks(uint64_t bytes)
{
	return bytes / IDX_BLOCK_BYTES + (bytes % IDX_BLOCK_BYTES != 0);
}

static uint32_t header_crc(const struct idx_header *h)
{
	return crc_update(0, h, offsetof(struct idx_header, header_crc));
}

/* The facts of block 0 that do not need the rest of the file. */
static int check_header(
	const struct idx_header *h, uint64_t file_size, enum idx_kind kind, struct err *err)
{
	if (memcmp(h->magic, IDX_MAGIC, sizeof(h->magic)) != 0)
		return err_say(err, -EBADMSG, "not an index file");
	if (h->header_crc != header_crc(h))
		return err_say(err, -EBADMSG, "damaged: wrong checksum of the header");
	if (h->version != IDX_VERSION || h->incompat)
		return err_say(err, -EPROTONOSUPPORT, "made by a newer version (%u, features %#x)",
			h->version, h->incompat);
	if (h->kind != (uint32_t)kind)
		return err_say(err, -EBADMSG, "an index of kind %u, not %u", h->kind, kind);
	if (h->file_size != file_size || file_size > LIMIT_IDX_FILE_BYTES)
		return err_say(err, -EBADMSG, "damaged: has %llu bytes, not %llu",
			(unsigned long long)file_size, (unsigned long long)h->file_size);
	if (h->crc_off < IDX_BLOCK_BYTES || h->crc_off % IDX_BLOCK_BYTES ||
		h->crc_off > file_size || h->crc_n != h->crc_off / IDX_BLOCK_BYTES - 1 ||
		to_blocks(h->crc_n * UINT64_C(4)) * IDX_BLOCK_BYTES != file_size - h->crc_off)
		return err_say(err, -EBADMSG, "the table of checksums is out of place");
	if (kind == IDX_KIND_LAYER && h->tar_size > LIMIT_IDX_FILE_BYTES)
		return err_say(err, -EBADMSG, "the tar is above the limit");
	return 0;
}

static bool overlap(const struct idx_section *a, const struct idx_section *b)
{
	return a->len && b->len && a->off < b->off + b->len && b->off < a->off + a->len;
}

static int check_sections(struct idx *x, struct err *err)
{
	const struct idx_section *v = x->h.sections;

	for (unsigned int i = 0; i < ARRAY_SIZE(x->h.sections); i++) {
		bool used = i < IDX_SEC_MAX_ && sections[i].kinds & BIT(x->h.kind);

		if (v[i].len == 0 && v[i].off == 0)
			continue;
		if (!used || v[i].off < IDX_BLOCK_BYTES || v[i].off % IDX_BLOCK_BYTES ||
			v[i].off > x->h.crc_off || v[i].len > x->h.crc_off - v[i].off)
			return err_say(err, -EBADMSG, "section %u is out of place", i);
		if (v[i].len % sections[i].row_bytes ||
			v[i].len / sections[i].row_bytes > sections[i].max_rows)
			return err_say(err, -EBADMSG, "section %u has a wrong size", i);
		for (unsigned int j = 0; j < i; j++)
			if (overlap(&v[i], &v[j]))
				return err_say(err, -EBADMSG, "sections %u and %u overlap", j, i);
		x->n_rows[i] = v[i].len / sections[i].row_bytes;
	}
	if (x->n_rows[IDX_SEC_NAMES] != x->n_rows[IDX_SEC_LOOKUP])
		return err_say(err, -EBADMSG, "names and their hashes differ in number");
	if (x->h.kind == IDX_KIND_IMAGE && x->n_rows[IDX_SEC_INODES] == 0)
		return err_say(err, -EBADMSG, "no root");
	return 0;
}

int idx_open(struct idx **ret, int fd, enum idx_kind kind, struct err *err)
{
	auto_cleanup(idx) struct idx *x = NULL;
	const uint8_t *table;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot stat the index");
	if (!S_ISREG(st.st_mode))
		return err_say(err, -EINVAL, "not a regular file");
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_set(err, -ENOMEM, "cannot open the index");
	r = fd_pread_all(fd, &x->h, sizeof(x->h), 0);
	if (r == -ENODATA)
		return err_say(err, -EBADMSG, "too short for an index");
	if (r < 0)
		return err_set(err, r, "cannot read the index");
	r = check_header(&x->h, (uint64_t)st.st_size, kind, err);
	if (r < 0)
		return r;
	r = check_sections(x, err);
	if (r < 0)
		return r;
	x->verified = calloc(x->h.crc_n / 64 + 1, sizeof(*x->verified));
	if (!x->verified)
		return err_set(err, -ENOMEM, "cannot open the index");
	r = mapping_open(&x->map, fd, x->h.file_size);
	if (r < 0)
		return err_set(err, r, "cannot map the index");
	table = x->map.data + x->h.crc_off;
	if (x->h.crc_crc != crc_update(0, table, x->h.crc_n * sizeof(uint32_t)))
		return err_say(err, mapping_is_broken(&x->map) ? -EIO : -EBADMSG,
			"damaged: wrong checksum of the table of checksums");
	*ret = ptr_take(&x);
	return 0;
}

void idx_close(struct idx *x)
{
	if (!x)
		return;
	mapping_close(&x->map);
	free((void *)x->verified);
	free(x);
}

const struct idx_header *idx_header(const struct idx *x)
{
	return &x->h;
}

bool idx_is_broken(const struct idx *x)
{
	return mapping_is_broken(&x->map);
}

uint32_t idx_n_members(const struct idx *x)
{
	return (uint32_t)x->n_rows[IDX_SEC_MEMBERS];
}

uint32_t idx_n_inodes(const struct idx *x)
{
	return (uint32_t)x->n_rows[IDX_SEC_INODES];
}

uint32_t idx_n_names(const struct idx *x)
{
	return (uint32_t)x->n_rows[IDX_SEC_NAMES];
}

uint32_t idx_n_layers(const struct idx *x)
{
	return (uint32_t)x->n_rows[IDX_SEC_LAYERS];
}

/* The part of STRINGS that lies in a block holds no NUL, so neither does any string. */
static bool strings_are_clean(const struct idx *x, uint64_t off, const uint8_t *block)
{
	const struct idx_section *s = &x->h.sections[IDX_SEC_STRINGS];
	uint64_t len = IDX_BLOCK_BYTES;

	if (off < s->off || off >= s->off + s->len)
		return true;
	if (s->off + s->len - off < len)
		len = s->off + s->len - off;
	return !memchr(block, '\0', len);
}

int idx_check_block(struct idx *x, uint64_t block)
{
	_Atomic uint64_t *word = &x->verified[block / 64];
	uint64_t bit = UINT64_C(1) << block % 64, off = block * IDX_BLOCK_BYTES;
	const uint8_t *p = x->map.data + off;
	uint32_t want;

	if (atomic_load_explicit(word, memory_order_relaxed) & bit)
		return 0;
	memcpy(&want, x->map.data + x->h.crc_off + (block - 1) * sizeof(want), sizeof(want));
	if (crc_update(0, p, IDX_BLOCK_BYTES) != want || !strings_are_clean(x, off, p))
		return mapping_is_broken(&x->map) ? -EIO : -EBADMSG;
	atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
	return 0;
}

int idx_bytes(struct idx *x, enum idx_section_id s, uint64_t off, uint64_t len, const void **ret)
{
	const struct idx_section *sec = &x->h.sections[s];
	uint64_t first, last;

	if (off > sec->len || len > sec->len - off)
		return -EBADMSG;
	first = (sec->off + off) / IDX_BLOCK_BYTES;
	last = (sec->off + off + len - (len > 0)) / IDX_BLOCK_BYTES;
	for (uint64_t b = first; len && b <= last; b++) {
		int r = idx_check_block(x, b);

		if (r < 0)
			return r;
	}
	if (mapping_is_broken(&x->map))
		return -EIO;
	*ret = x->map.data + sec->off + off;
	return 0;
}

int idx_row(struct idx *x, enum idx_section_id s, uint64_t row, void *ret)
{
	uint32_t n = sections[s].row_bytes;
	const void *p;
	int r;

	if (row >= x->n_rows[s])
		return -EBADMSG;
	r = idx_bytes(x, s, row * n, n, &p);
	if (r < 0)
		return r;
	memcpy(ret, p, n);
	return mapping_is_broken(&x->map) ? -EIO : 0;
}

int idx_string(struct idx *x, uint32_t off, uint32_t len, const char **ret)
{
	const void *p;
	int r = idx_bytes(x, IDX_SEC_STRINGS, off, len, &p);

	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

/* A u32 of the attributes; never aligned by trust. */
static int xattr_u32(struct idx *x, uint64_t off, uint32_t *ret)
{
	const void *p;
	int r = idx_bytes(x, IDX_SEC_XATTRS, off, sizeof(*ret), &p);

	if (r < 0)
		return r;
	memcpy(ret, p, sizeof(*ret));
	return 0;
}

/* The cursor is (attributes handed out << 32 | offset of the next one). */
int idx_xattr_next(struct idx *x, uint32_t off, uint64_t *cursor, struct idx_xattr *ret)
{
	uint64_t done = *cursor >> 32, pos = *cursor & UINT32_MAX, len;
	uint32_t n, name_len, value_len;
	const void *p;
	int r;

	if (off == 0)
		return 0;
	r = off % 4 ? -EBADMSG : xattr_u32(x, off, &n);
	if (r < 0)
		return r;
	if (n == 0 || n > LIMIT_IDX_XATTRS_N)
		return -EBADMSG;
	if (done >= n)
		return 0;
	if (done == 0)
		pos = off + sizeof(n);
	r = xattr_u32(x, pos, &name_len);
	if (r < 0)
		return r;
	r = xattr_u32(x, pos + 4, &value_len);
	if (r < 0)
		return r;
	/* The upper half of the first word is reserved and 0, so this checks it, too. */
	if (name_len == 0 || name_len > LIMIT_IDX_XATTR_NAME || value_len > LIMIT_IDX_XATTR_VALUE)
		return -EBADMSG;
	len = 8 + name_len + value_len;
	r = idx_bytes(x, IDX_SEC_XATTRS, pos, len, &p);
	if (r < 0)
		return r;
	if (memchr((const char *)p + 8, '\0', name_len))
		return -EBADMSG;
	*ret = (struct idx_xattr){ .name = (const char *)p + 8,
		.value = (const char *)p + 8 + name_len,
		.value_len = value_len,
		.name_len = (uint16_t)name_len };
	*cursor = (done + 1) << 32 | (pos + len + 3) / 4 * 4;
	return mapping_is_broken(&x->map) ? -EIO : 1;
}
