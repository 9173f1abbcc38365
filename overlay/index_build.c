/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of an index file: header, sections one behind the other, CRC table
 *
 * All CRCs are known before the first byte is written, so the file is written strictly forwards,
 * header included.  Equal sets of attributes are stored once: SELinux labels and capabilities
 * repeat on many files.
 *
 * Invariants: - the same additions give the same bytes; the key of the hash table does not show
 */
#include "overlay/index_build.h"

#include "base/cleanup.h"
#include "base/crc.h"
#include "base/fd.h"
#include "base/hash.h"

#include <errno.h>
#include <string.h>

struct section {
	uint8_t *data;
	size_t len;
	size_t room;
};

struct idx_build {
	enum idx_kind kind;
	struct section s[IDX_SEC_MAX_];
	struct hash_key key;
	uint32_t *sets; /* open addressing: offset of a set in IDX_SEC_XATTRS, 0: free */
	size_t n_sets;
	size_t sets_room; /* a power of two, or 0 */
};

int idx_build_new(struct idx_build **ret, enum idx_kind kind)
{
	struct idx_build *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->kind = kind;
	r = hash_key_random(&b->key);
	if (r < 0) {
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void idx_build_free(struct idx_build *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < IDX_SEC_MAX_; i++)
		free(b->s[i].data);
	free(b->sets);
	free(b);
}

int idx_build_reserve(struct idx_build *b, enum idx_section_id id, size_t len)
{
	struct section *s = &b->s[id];
	size_t room = s->room + s->room / 2;
	uint8_t *data;

	if (len > LIMIT_IDX_FILE_BYTES)
		return -EFBIG;
	if (len <= s->room - s->len)
		return 0;
	if (room < s->len + len)
		room = s->len + len;
	if (room < IDX_BLOCK_BYTES)
		room = IDX_BLOCK_BYTES;
	data = realloc(s->data, room);
	if (!data)
		return -ENOMEM;
	s->data = data;
	s->room = room;
	return 0;
}

static uint64_t max_bytes(enum idx_section_id id)
{
	static const uint64_t row[IDX_SEC_MAX_] = {
		[IDX_SEC_EXTENTS] = sizeof(struct idx_extent),
		[IDX_SEC_MEMBERS] = sizeof(struct idx_member),
		[IDX_SEC_INODES] = sizeof(struct idx_inode),
		[IDX_SEC_NAMES] = sizeof(struct idx_name),
		[IDX_SEC_LOOKUP] = sizeof(struct idx_lookup),
	};

	if (id == IDX_SEC_LAYERS)
		return LIMIT_IDX_LAYERS * sizeof(struct idx_layer);
	return row[id] ? LIMIT_IDX_ROWS * row[id] : LIMIT_IDX_BLOB_BYTES;
}

int idx_build_add(struct idx_build *b, enum idx_section_id id, const void *data, size_t len,
	uint64_t *ret_off)
{
	struct section *s = &b->s[id];
	int r;

	if (len > max_bytes(id) || s->len > max_bytes(id) - len)
		return -EFBIG;
	r = idx_build_reserve(b, id, len);
	if (r < 0)
		return r;
	if (ret_off)
		*ret_off = s->len;
	if (len)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	return 0;
}

void *idx_build_bytes(struct idx_build *b, enum idx_section_id s, size_t *ret_len)
{
	*ret_len = b->s[s].len;
	return b->s[s].data;
}

/* ---- attributes ---- */

static int cmp_xattrs(const void *va, const void *vb)
{
	const struct idx_xattr *a = va, *b = vb;
	size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int c = memcmp(a->name, b->name, n);

	return c ? c : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* Sort, and check what doc/on-disk.md demands of a set. */
static int check_set(struct idx_xattr *v, size_t n)
{
	size_t sum = 0;

	if (n > LIMIT_IDX_XATTRS_N)
		return -E2BIG;
	qsort(v, n, sizeof(*v), cmp_xattrs);
	for (size_t i = 0; i < n; i++) {
		sum += v[i].name_len + v[i].value_len;
		if (v[i].name_len > LIMIT_IDX_XATTR_NAME || v[i].value_len > LIMIT_IDX_XATTR_VALUE)
			return -E2BIG;
		if (v[i].name_len == 0 || memchr(v[i].name, '\0', v[i].name_len) ||
			(i > 0 && cmp_xattrs(&v[i - 1], &v[i]) == 0))
			return -EINVAL;
	}
	return sum > LIMIT_IDX_XATTRS_BYTES ? -E2BIG : 0;
}

static size_t padded(size_t len)
{
	return (len + 3) / 4 * 4;
}

/* The bytes of a set, whose size is returned by the same walk with @to NULL. */
static size_t encode_set(const struct idx_xattr *v, size_t n, uint8_t *to)
{
	const uint32_t n_u32 = (uint32_t)n;
	size_t at = sizeof(n_u32);

	if (to)
		memcpy(to, &n_u32, sizeof(n_u32));
	for (size_t i = 0; i < n; i++) {
		const uint32_t head[2] = { v[i].name_len, v[i].value_len };
		size_t len = sizeof(head) + v[i].name_len + v[i].value_len;

		if (to) {
			memset(to + at + len, 0, padded(len) - len);
			memcpy(to + at, head, sizeof(head));
			memcpy(to + at + sizeof(head), v[i].name, v[i].name_len);
			if (v[i].value_len)
				memcpy(to + at + sizeof(head) + v[i].name_len, v[i].value,
					v[i].value_len);
		}
		at += padded(len);
	}
	return at;
}

/* The length of the set at @off, which we wrote ourselves. */
static size_t set_len(const uint8_t *set)
{
	uint32_t n, head[2];
	size_t at = sizeof(n);

	memcpy(&n, set, sizeof(n));
	while (n-- > 0) {
		memcpy(head, set + at, sizeof(head));
		at += padded(sizeof(head) + head[0] + head[1]);
	}
	return at;
}

static size_t find_set(const struct idx_build *b, const uint8_t *set, size_t len)
{
	const uint8_t *data = b->s[IDX_SEC_XATTRS].data;
	size_t at = hash_bytes(&b->key, set, len) & (b->sets_room - 1);

	while (b->sets[at]) {
		const uint8_t *old = data + b->sets[at];

		if (set_len(old) == len && memcmp(old, set, len) == 0)
			break;
		at = (at + 1) & (b->sets_room - 1);
	}
	return at;
}

/* Keep the table at most half full. */
static int grow_sets(struct idx_build *b)
{
	const uint8_t *data = b->s[IDX_SEC_XATTRS].data;
	size_t old_room = b->sets_room;
	uint32_t *old = b->sets;

	if (b->n_sets * 2 < old_room)
		return 0;
	b->sets_room = old_room ? old_room * 2 : 64;
	b->sets = calloc(b->sets_room, sizeof(*b->sets));
	if (!b->sets) {
		b->sets = old;
		b->sets_room = old_room;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old_room; i++)
		if (old[i]) {
			const uint8_t *set = data + old[i];

			b->sets[find_set(b, set, set_len(set))] = old[i];
		}
	free(old);
	return 0;
}

int idx_build_xattrs(struct idx_build *b, struct idx_xattr *v, size_t n, uint32_t *ret_off)
{
	static const uint8_t none[4] = { 0 };
	auto_free uint8_t *set = NULL;
	size_t len, at;
	uint64_t off;
	int r;

	*ret_off = 0;
	if (n == 0)
		return 0;
	r = check_set(v, n);
	if (r < 0)
		return r;
	len = encode_set(v, n, NULL);
	set = malloc(len);
	if (!set || grow_sets(b) < 0)
		return -ENOMEM;
	encode_set(v, n, set);
	at = find_set(b, set, len);
	if (b->sets[at] == 0) {
		/* Offset 0 means "none", so nothing else may begin there. */
		if (b->s[IDX_SEC_XATTRS].len == 0) {
			r = idx_build_add(b, IDX_SEC_XATTRS, none, sizeof(none), NULL);
			if (r < 0)
				return r;
		}
		r = idx_build_add(b, IDX_SEC_XATTRS, set, len, &off);
		if (r < 0)
			return r;
		b->sets[at] = (uint32_t)off;
		b->n_sets++;
	}
	*ret_off = b->sets[at];
	return 0;
}

/* ---- the file ---- */

static size_t n_blocks(size_t len)
{
	return len / IDX_BLOCK_BYTES + (len % IDX_BLOCK_BYTES != 0);
}

/* The last block of a section with its padding; NULL if it needs none. */
static const uint8_t *last_block(const uint8_t *data, size_t len, uint8_t block[IDX_BLOCK_BYTES])
{
	size_t tail = len % IDX_BLOCK_BYTES;

	if (tail == 0)
		return NULL;
	memset(block, 0, IDX_BLOCK_BYTES);
	memcpy(block, data + len - tail, tail);
	return block;
}

static void checksum_section(const struct section *s, uint32_t *crcs)
{
	uint8_t block[IDX_BLOCK_BYTES];
	size_t whole = s->len / IDX_BLOCK_BYTES;

	for (size_t i = 0; i < whole; i++)
		crcs[i] = crc_update(0, s->data + i * IDX_BLOCK_BYTES, IDX_BLOCK_BYTES);
	if (last_block(s->data, s->len, block))
		crcs[whole] = crc_update(0, block, IDX_BLOCK_BYTES);
}

static int write_padded(int fd, const void *data, size_t len)
{
	uint8_t block[IDX_BLOCK_BYTES];
	const uint8_t *last = last_block(data, len, block);
	int r = fd_write_all(fd, data, len - len % IDX_BLOCK_BYTES);

	return r < 0 || !last ? r : fd_write_all(fd, last, IDX_BLOCK_BYTES);
}

/* Places the sections and returns the number of their blocks. */
static size_t lay_out(const struct idx_build *b, struct idx_header *h)
{
	size_t blocks = 0;

	for (size_t i = 0; i < IDX_SEC_MAX_; i++) {
		if (b->s[i].len == 0)
			continue;
		h->sections[i] = (struct idx_section){ .off = (1 + blocks) * IDX_BLOCK_BYTES,
			.len = b->s[i].len };
		blocks += n_blocks(b->s[i].len);
	}
	h->crc_n = (uint32_t)blocks;
	h->crc_off = (1 + blocks) * IDX_BLOCK_BYTES;
	h->file_size = h->crc_off + n_blocks(blocks * sizeof(uint32_t)) * IDX_BLOCK_BYTES;
	return blocks;
}

int idx_build_write(struct idx_build *b, const struct idx_digest *id, uint64_t tar_size, int fd,
	struct err *err)
{
	struct idx_header h = { .magic = IDX_MAGIC,
		.version = IDX_VERSION,
		.kind = b->kind,
		.id = *id,
		.tar_size = tar_size };
	size_t blocks = lay_out(b, &h), at = 0;
	auto_free uint32_t *crcs = calloc(blocks + 1, sizeof(*crcs));
	int r;

	if (!crcs)
		return err_set(err, -ENOMEM, "cannot write the index");
	if (h.file_size > LIMIT_IDX_FILE_BYTES)
		return err_set(err, -EFBIG, "cannot write the index");
	for (size_t i = 0; i < IDX_SEC_MAX_; i++) {
		checksum_section(&b->s[i], crcs + at);
		at += n_blocks(b->s[i].len);
	}
	h.crc_crc = crc_update(0, crcs, blocks * sizeof(*crcs));
	h.header_crc = crc_update(0, &h, offsetof(struct idx_header, header_crc));
	r = fd_write_all(fd, &h, sizeof(h));
	for (size_t i = 0; r == 0 && i < IDX_SEC_MAX_; i++)
		r = write_padded(fd, b->s[i].data, b->s[i].len);
	if (r == 0)
		r = write_padded(fd, crcs, blocks * sizeof(*crcs));
	return r < 0 ? err_set(err, r, "cannot write the index") : 0;
}
