/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member's headers: extended ones first, the member's own last
 *
 *      [g] [V] …  x | L | K | A  …  header  [blocks of a GNU map]  [pax 1.0 map]  data
 *                 ╰─────────── the member, from own_off on ──────────────────────────
 *
 * What counts: sparse name > pax path > GNU long name > the header's own; own pax value > global
 * pax value > the header's own.
 *
 * Invariants: - no byte outside of data[0 … len) is read
 *             - stored and head_bytes fit into 63 bits together with their padding
 *             - a second call with more bytes gives what one call with all of them gives
 */
#include "image/tarhead.h"

#include "image/tarnum.h"

#include <errno.h>
#include <string.h>

/* Offsets and sizes of the fields of a header block. */
enum {
	NAME = 0,
	NAME_LEN = 100,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	MTIME = 136,
	CHECKSUM = 148,
	TYPE = 156,
	LINK = 157,
	LINK_LEN = 100,
	MAGIC = 257,
	DEV_MAJOR = 329,
	DEV_MINOR = 337,
	PREFIX = 345, /* ustar */
	PREFIX_LEN = 155,
	STAR_PREFIX_LEN = 131, /* with "tar" at 508: atime and ctime follow */
	STAR_MAGIC = 508,
	GNU_MAP = 386,
	GNU_MAP_PIECES = 4,
	GNU_EXTENDED = 482,
	GNU_REAL_SIZE = 483,
	EXT_MAP_PIECES = 21, /* in a block that only continues the map */
	EXT_EXTENDED = 504,
};

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

static int need(uint64_t *ret_need, uint64_t bytes)
{
	*ret_need = bytes;
	return 1;
}

bool tarhead_is_end(const uint8_t *block)
{
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
		if (block[i])
			return false;
	return true;
}

static bool checksum_is_right(const uint8_t *b)
{
	int64_t want, plain = 8 * ' ', with_sign = 8 * ' ';

	if (tarnum_field(b + CHECKSUM, 8, &want) < 0)
		return false;
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
		if (i >= CHECKSUM && i < CHECKSUM + 8)
			continue;
		plain += b[i];
		with_sign += (int8_t)b[i]; /* historic tars summed signed characters */
	}
	return want == plain || want == with_sign;
}

static bool is_gnu(const uint8_t *b)
{
	return memcmp(b + MAGIC, "ustar  ", 8) == 0;
}

static bool is_ustar(const uint8_t *b)
{
	return memcmp(b + MAGIC, "ustar", 5) == 0 && !is_gnu(b);
}

/* ---- extended headers ---- */

static int take_once(bool *has, const char **ret_why)
{
	if (*has)
		return bad(ret_why, "two extended headers of one kind");
	*has = true;
	return 0;
}

static int take_long_name(struct buf *to, const char *body, size_t len, const char **ret_why)
{
	size_t n = strnlen(body, len);

	for (size_t i = n; i < len; i++)
		if (body[i])
			return bad(ret_why, "name with a NUL byte");
	to->len = 0;
	return buf_add(to, body, n);
}

static int take_extended(
	struct tarhead *h, char type, const char *body, size_t len, const char **ret_why)
{
	int r = 0;

	switch (type) {
	case 'g':
		return tarpax_read_global(&h->global, body, len, ret_why);
	case 'V': /* volume label */
		return len ? bad(ret_why, "volume label with content") : 0;
	case 'L':
		r = take_once(&h->has_long_name, ret_why);
		return r < 0 ? r : take_long_name(&h->long_name, body, len, ret_why);
	case 'K':
		r = take_once(&h->has_long_link, ret_why);
		return r < 0 ? r : take_long_name(&h->long_link, body, len, ret_why);
	case 'A': /* ACLs of Solaris, which nothing here can keep */
		return take_once(&h->has_acl, ret_why);
	default: /* x, and X of Solaris */
		r = take_once(&h->has_pax, ret_why);
		return r < 0 ? r : tarpax_read(&h->pax, body, len, ret_why);
	}
}

/* The extended header at head_bytes, which is complete in its first block. */
static int read_extended(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why)
{
	const uint8_t *b = data + h->head_bytes;
	char type = (char)b[TYPE];
	uint64_t size, end;
	int r;

	if (tarnum_count(b + SIZE, 12, &size) < 0 || size > LIMIT_TAR_EXT_BYTES)
		return bad(ret_why, "extended header that is too large");
	end = h->head_bytes + TAR_BLOCK_BYTES + tar_blocks(size);
	if (end > len)
		return need(ret_need, end);
	r = take_extended(h, type, (const char *)b + TAR_BLOCK_BYTES, size, ret_why);
	if (r < 0)
		return r;
	h->head_bytes = end;
	if (type != 'g' && type != 'V')
		return 0;
	if (h->has_pax || h->has_long_name || h->has_long_link || h->has_acl)
		return bad(ret_why, "global header inside of a member");
	h->own_off = end;
	return 0;
}

/* ---- the member's own header ---- */

static int set_string(struct buf *to, const uint8_t *p, size_t max)
{
	to->len = 0;
	return buf_add(to, p, strnlen((const char *)p, max));
}

static int set_buf(struct buf *to, const struct buf *from)
{
	to->len = 0;
	return from->len ? buf_add(to, from->data, from->len) : 0;
}

static int set_path(struct tarhead *h, const uint8_t *b)
{
	bool star = memcmp(b + STAR_MAGIC, "tar", 4) == 0;
	int r;

	if (h->pax.sparse_name.len)
		return set_buf(&h->path, &h->pax.sparse_name);
	if (h->pax.path.len)
		return set_buf(&h->path, &h->pax.path);
	if (h->has_long_name)
		return set_buf(&h->path, &h->long_name);
	if (!is_ustar(b) || !b[PREFIX])
		return set_string(&h->path, b + NAME, NAME_LEN);
	r = set_string(&h->path, b + PREFIX, star ? STAR_PREFIX_LEN : PREFIX_LEN);
	if (r == 0)
		r = buf_add_str(&h->path, "/");
	return r < 0 ? r : buf_add(&h->path, b + NAME, strnlen((const char *)b + NAME, NAME_LEN));
}

static int set_names(struct tarhead *h, const uint8_t *b, const char **ret_why)
{
	int r = set_path(h, b);

	if (r < 0)
		return r;
	if ((h->pax.path.len && h->has_long_name) || (h->pax.link.len && h->has_long_link))
		return bad(ret_why, "two long names");
	if (h->pax.link.len)
		return set_buf(&h->link, &h->pax.link);
	if (h->has_long_link)
		return set_buf(&h->link, &h->long_link);
	return set_string(&h->link, b + LINK, LINK_LEN);
}

static int set_type(struct tarhead *h, const uint8_t *b, const char **ret_why)
{
	bool slash = h->path.len && h->path.data[h->path.len - 1] == '/';

	h->type = (char)b[TYPE];
	switch (h->type) {
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
		return 0;
	case 'D': /* a directory whose data lists what it held when it was dumped */
		h->type = '5';
		return 0;
	case 'S':
		if (!is_gnu(b) || h->has_pax || slash)
			return bad(ret_why, "sparse file of an unknown format");
		h->is_sparse = true;
		h->type = '0';
		return 0;
	case '\0':
	case '0':
	case '7':
		/* Version 7 has no type for directories, only the slash. */
		h->type = slash ? '5' : '0';
		return 0;
	default:
		return bad(ret_why, "member of an unknown type");
	}
}

static int set_device(struct tarhead *h, const uint8_t *b, const char **ret_why)
{
	h->dev_major = h->dev_minor = 0;
	if (h->type != '3' && h->type != '4')
		return 0;
	if ((is_gnu(b) || is_ustar(b)) &&
		(tarnum_count(b + DEV_MAJOR, 8, &h->dev_major) < 0 ||
			tarnum_count(b + DEV_MINOR, 8, &h->dev_minor) < 0))
		return bad(ret_why, "device number that is none");
	if (h->pax.has_dev_major)
		h->dev_major = h->pax.dev_major;
	if (h->pax.has_dev_minor)
		h->dev_minor = h->pax.dev_minor;
	if (h->dev_major > UINT32_MAX || h->dev_minor > UINT32_MAX)
		return bad(ret_why, "device number that is too large");
	return 0;
}

static int set_numbers(struct tarhead *h, const uint8_t *b, const char **ret_why)
{
	const struct tarpax_values *own = &h->pax.values, *g = &h->global;
	const struct tarpax_values *when = own->has_mtime ? own : g->has_mtime ? g : NULL;
	uint64_t mode, uid, gid;
	int64_t mtime;

	if (tarnum_count(b + MODE, 8, &mode) < 0)
		return bad(ret_why, "mode that is not a number");
	if (tarnum_count(b + SIZE, 12, &h->stored) < 0)
		return bad(ret_why, "size that is negative, too large, or not a number");
	if (tarnum_field(b + MTIME, 12, &mtime) < 0)
		return bad(ret_why, "time that is not a number");
	if (tarnum_count(b + UID, 8, &uid) < 0 || tarnum_count(b + GID, 8, &gid) < 0)
		return bad(ret_why, "owner that is negative, too large, or not a number");
	h->mode = mode & 07777;
	h->uid = own->has_uid ? own->uid : g->has_uid ? g->uid : uid;
	h->gid = own->has_gid ? own->gid : g->has_gid ? g->gid : gid;
	h->mtime_sec = when ? when->mtime_sec : mtime;
	h->mtime_nsec = when ? when->mtime_nsec : 0;
	if (h->pax.has_size)
		h->stored = h->pax.size;
	return set_device(h, b, ret_why);
}

/* What follows, and how much of it. */
static int set_sizes(struct tarhead *h, const uint8_t *b, const char **ret_why)
{
	if (h->type == '0') {
		h->size = h->stored;
		return 0;
	}
	h->size = 0;
	if (b[TYPE] == 'D')
		return 0;
	if (h->stored && b[TYPE] != (uint8_t)h->type)
		return bad(ret_why, "file whose name ends in a slash");
	/* Old writers put sizes into headers of links and directories; no data follows. */
	h->stored = 0;
	return 0;
}

/* ---- sparse files ---- */

/* The old GNU format: pieces in the header and in blocks behind it. */
static int read_gnu_map(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why)
{
	const uint8_t *b = data + h->head_bytes - TAR_BLOCK_BYTES;
	bool full, more = b[GNU_EXTENDED];
	int r = tarmap_add_gnu(&h->map, b + GNU_MAP, GNU_MAP_PIECES, &full, ret_why);

	if (r < 0)
		return r;
	if (tarnum_count(b + GNU_REAL_SIZE, 12, &h->size) < 0)
		return bad(ret_why, "sparse file without a size");
	while (more) {
		if (!full)
			return bad(ret_why, "sparse map with a gap");
		if (len - h->head_bytes < TAR_BLOCK_BYTES)
			return need(ret_need, h->head_bytes + TAR_BLOCK_BYTES);
		b = data + h->head_bytes;
		h->head_bytes += TAR_BLOCK_BYTES;
		more = b[EXT_EXTENDED];
		r = tarmap_add_gnu(&h->map, b, EXT_MAP_PIECES, &full, ret_why);
		if (r < 0)
			return r;
	}
	return tarmap_check(&h->map, h->size, h->stored, ret_why);
}

/* pax 1.0: the map stands in front of the data and is counted as such. */
static int read_map_1(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why)
{
	uint64_t left = len - h->head_bytes, map_bytes;
	int r;

	if (left > h->stored)
		left = h->stored;
	r = tarmap_add_1(&h->map, data + h->head_bytes, left, &map_bytes, ret_why);
	if (r < 0)
		return r;
	if (r == 1 && left == h->stored)
		return bad(ret_why, "sparse map that is cut short");
	if (r == 1)
		return need(ret_need, len + TAR_BLOCK_BYTES);
	h->head_bytes += map_bytes;
	h->stored -= map_bytes;
	return tarmap_check(&h->map, h->size, h->stored, ret_why);
}

/* One of the three formats, whole, and on a plain file. */
static int read_pax_sparse(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why)
{
	const struct tarpax *x = &h->pax;
	bool v1 = x->sparse_major >= 0 || x->sparse_minor >= 0;
	bool v0 = x->n_pieces >= 0 || h->map.n_read || x->piece_off >= 0;

	if (!v0 && !v1 && !x->has_real_size && !x->sparse_name.len)
		return 0;
	if (h->type != '0' || !x->has_real_size || v0 == v1)
		return bad(ret_why, "sparse file of an unknown format");
	h->is_sparse = true;
	h->size = x->real_size;
	if (v1) {
		if (x->sparse_major != 1 || x->sparse_minor != 0)
			return bad(ret_why, "sparse file of an unknown format");
		return read_map_1(h, data, len, ret_need, ret_why);
	}
	if (x->n_pieces != (int64_t)h->map.n_read || x->piece_off >= 0)
		return bad(ret_why, "sparse map with a wrong number of pieces");
	return tarmap_check(&h->map, h->size, h->stored, ret_why);
}

static int read_header(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why)
{
	const uint8_t *b = data + h->head_bytes;
	int r = set_names(h, b, ret_why);

	if (r == 0)
		r = set_type(h, b, ret_why);
	if (r == 0)
		r = set_numbers(h, b, ret_why);
	if (r == 0)
		r = set_sizes(h, b, ret_why);
	if (r < 0)
		return r;
	h->head_bytes += TAR_BLOCK_BYTES;
	if (h->is_sparse)
		return read_gnu_map(h, data, len, ret_need, ret_why);
	return read_pax_sparse(h, data, len, ret_need, ret_why);
}

/* ---- the member ---- */

void tarhead_init(struct tarhead *h)
{
	*h = (struct tarhead){ 0 };
	h->pax.map = &h->map;
}

void tarhead_done(struct tarhead *h)
{
	buf_done(&h->path);
	buf_done(&h->link);
	buf_done(&h->long_name);
	buf_done(&h->long_link);
	tarmap_done(&h->map);
	tarpax_done(&h->pax);
}

static void forget_member(struct tarhead *h)
{
	h->path.len = h->link.len = 0;
	h->has_pax = h->has_long_name = h->has_long_link = h->has_acl = false;
	h->own_off = h->head_bytes = h->stored = h->size = 0;
	h->is_sparse = false;
	tarmap_clear(&h->map);
	tarpax_clear(&h->pax);
}

int tarhead_parse(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why)
{
	int r;

	forget_member(h);
	for (unsigned int n = 0; n <= LIMIT_TAR_EXTS; n++) {
		char type;

		if (len - h->head_bytes < TAR_BLOCK_BYTES)
			return need(ret_need, h->head_bytes + TAR_BLOCK_BYTES);
		if (n > 0 && h->own_off == h->head_bytes && tarhead_is_end(data + h->head_bytes))
			return TARHEAD_END;
		if (!checksum_is_right(data + h->head_bytes))
			return bad(ret_why, "header with a wrong checksum");
		type = (char)data[h->head_bytes + TYPE];
		if (type == '\0' || !strchr("gxXLKAV", type))
			return read_header(h, data, len, ret_need, ret_why);
		r = read_extended(h, data, len, ret_need, ret_why);
		if (r)
			return r;
	}
	return bad(ret_why, "too many extended headers");
}
