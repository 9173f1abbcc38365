/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of sparse files. */
#include "image/tarmap.h"

#include "image/tarnum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 20 /* digits of 2^63 and a line feed */

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

void tarmap_clear(struct tarmap *m)
{
	m->n = 0;
	m->n_read = m->sum = m->end = 0;
}

void tarmap_done(struct tarmap *m)
{
	free(m->v);
	*m = (struct tarmap){ 0 };
}

int tarmap_add(struct tarmap *m, uint64_t off, uint64_t len, const char **ret_why)
{
	if (++m->n_read > LIMIT_IDX_EXTENTS_FILE)
		return bad(ret_why, "sparse map with too many pieces");
	if (off < m->end)
		return bad(ret_why, "sparse map whose pieces overlap or are out of order");
	if (len > TAR_MAX_SIZE || off > TAR_MAX_SIZE - len)
		return bad(ret_why, "sparse map with a piece that is out of range");
	m->end = off + len;
	if (len == 0)
		return 0;
	if (m->n == m->room) {
		size_t room = m->room ? m->room * 2 : 16;
		struct idx_extent *v = reallocarray(m->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		m->v = v;
		m->room = room;
	}
	m->v[m->n++] = (struct idx_extent){ .file_off = off, .len = len, .tar_off = m->sum };
	m->sum += len;
	return 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

int tarmap_add_gnu(
	struct tarmap *m, const uint8_t *p, unsigned int n, bool *ret_full, const char **ret_why)
{
	unsigned int i;

	for (i = 0; i < n && p[i * TARMAP_PIECE_BYTES]; i++) {
		const uint8_t *piece = p + i * TARMAP_PIECE_BYTES;
		uint64_t off, len;
		int r;

		if (tarnum_count(piece, 12, &off) < 0 || tarnum_count(piece + 12, 12, &len) < 0)
			return bad(ret_why, "sparse map with something else than numbers");
		r = tarmap_add(m, off, len, ret_why);
		if (r < 0)
			return r;
	}
	*ret_full = i == n;
	if (!is_zero(p + i * TARMAP_PIECE_BYTES, (n - i) * TARMAP_PIECE_BYTES))
		return bad(ret_why, "sparse map with a gap");
	return 0;
}

int tarmap_add_01(struct tarmap *m, const char *p, size_t len, const char **ret_why)
{
	const char *end = p + len;
	uint64_t v[2];
	int r, i = 0;

	for (;;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;

		if (tarnum_decimal(p, (size_t)(stop - p), &v[i]) < 0)
			return bad(ret_why, "sparse map with something else than numbers");
		if (i == 1) {
			r = tarmap_add(m, v[0], v[1], ret_why);
			if (r < 0)
				return r;
		}
		if (!comma)
			return i == 1 ? 0 : bad(ret_why, "sparse map with half a piece");
		p = comma + 1;
		i = !i;
	}
}

/* Return: 1 if the line may go on behind @len. */
static int read_line(const uint8_t *p, size_t len, size_t *at, uint64_t *ret, const char **ret_why)
{
	size_t left = len - *at, max = left < LINE_BYTES ? left : LINE_BYTES;
	const uint8_t *end = memchr(p + *at, '\n', max);

	if (!end && left < LINE_BYTES)
		return 1;
	if (!end || tarnum_decimal((const char *)p + *at, (size_t)(end - p) - *at, ret) < 0)
		return bad(ret_why, "sparse map with something else than numbers");
	*at = (size_t)(end - p) + 1;
	return 0;
}

int tarmap_add_1(
	struct tarmap *m, const uint8_t *p, size_t len, uint64_t *ret_len, const char **ret_why)
{
	uint64_t n, off = 0, bytes = 0;
	size_t at = 0;
	int r = read_line(p, len, &at, &n, ret_why);

	if (r)
		return r;
	if (n > LIMIT_IDX_EXTENTS_FILE)
		return bad(ret_why, "sparse map with too many pieces");
	while (n-- > 0) {
		r = read_line(p, len, &at, &off, ret_why);
		if (r == 0)
			r = read_line(p, len, &at, &bytes, ret_why);
		if (r == 0)
			r = tarmap_add(m, off, bytes, ret_why);
		if (r)
			return r;
	}
	*ret_len = tar_blocks(at);
	return *ret_len > len ? 1 : 0;
}

int tarmap_check(const struct tarmap *m, uint64_t size, uint64_t stored, const char **ret_why)
{
	if (m->end > size)
		return bad(ret_why, "sparse map that leaves the file");
	if (m->sum != stored)
		return bad(ret_why, "sparse map that does not add up to the data");
	return 0;
}
