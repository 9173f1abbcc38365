/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A source over bytes in memory, in pieces of any size. */

#include "image/source.h"

struct mem_source {
	struct source base;
	const uint8_t *data;
	size_t len;
	size_t piece; /* bytes of each piece; 0: all at once */
	int fail_at_end; /* a negative errno instead of the end; 0: none */
	uint8_t *lent; /* a copy, so that a sanitizer sees who keeps a piece for too long */
};

/** mem_source_init() - @data is borrowed; end it with source_close() */
void mem_source_init(struct mem_source *m, const void *data, size_t len, size_t piece);
