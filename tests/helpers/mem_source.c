/* SPDX-License-Identifier: Apache-2.0 */
/* A source over bytes in memory. */
#include "tests/helpers/mem_source.h"

#include <stdlib.h>
#include <string.h>

static int mem_next(struct source *s, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	struct mem_source *m = (struct mem_source *)s;
	size_t n = m->piece && m->piece < m->len ? m->piece : m->len;

	free(m->lent);
	m->lent = NULL;
	if (n == 0)
		return m->fail_at_end ? err_set(err, m->fail_at_end, "source fails") : 0;
	m->lent = malloc(n);
	if (!m->lent)
		abort();
	memcpy(m->lent, m->data, n);
	m->data += n;
	m->len -= n;
	*ret_data = m->lent;
	*ret_len = n;
	return 1;
}

static void mem_close(struct source *s)
{
	free(((struct mem_source *)s)->lent);
}

void mem_source_init(struct mem_source *m, const void *data, size_t len, size_t piece)
{
	*m = (struct mem_source){ .base = { .next = mem_next, .close = mem_close },
		.data = data,
		.len = len,
		.piece = piece };
}
