/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking: an end, and the same bytes for pieces of any size
 *
 * libzstd refuses some malformed frames only if it gets them whole, so errors may differ.
 */
#include "image/decode.h"
#include "image/blob_source.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#define MAX_OUT (8 << 20) /* a bomb in a small input is stopped by the reader */

struct piece_source {
	struct source source;
	const uint8_t *data;
	size_t len, step;
};

static int piece_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct piece_source *p = (struct piece_source *)s;
	size_t n = p->len < p->step ? p->len : p->step;

	*ret = p->data;
	*ret_len = n;
	p->data += n;
	p->len -= n;
	return n > 0;
}

static void piece_close(struct source *s)
{
	free(s);
}

static int decode(const uint8_t *data, size_t len, size_t step, char **ret, size_t *ret_len)
{
	struct piece_source *p = calloc(1, sizeof(*p));
	struct source *s;
	int r;

	assert(p);
	*p = (struct piece_source){ { piece_next, piece_close }, data, len, step };
	assert(source_decode_new(&s, &p->source, CODEC_NONE, NULL) == 0);
	r = source_read_all(s, MAX_OUT, ret, ret_len, NULL);
	source_close(s);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free char *whole = NULL, *pieces = NULL;
	size_t n_whole = 0, n_pieces = 0;
	int a = decode(data, len, len + 1, &whole, &n_whole);
	int b = decode(data, len, 3, &pieces, &n_pieces);

	if (a == 0 && b == 0)
		assert(n_whole == n_pieces && memcmp(whole, pieces, n_whole) == 0);
	return 0;
}
