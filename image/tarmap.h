/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Maps of sparse files: which pieces of a file the archive holds.  Pure.
 *
 * Four spellings: GNU's old one (binary-ish, in header blocks), and pax 0.0, 0.1 and 1.0 (text).
 * Spec: the GNU tar manual, "Storing Sparse Files".
 */

#include "overlay/index_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tarmap {
	struct idx_extent
		*v; /* pieces that are not empty; tar_off counts from the first data byte */
	size_t n;
	size_t room;
	uint64_t n_read; /* pieces, with the empty ones */
	uint64_t sum; /* bytes of data */
	uint64_t end; /* of the last piece */
};

/** tarmap_clear() - forget the pieces, keep the memory */
void tarmap_clear(struct tarmap *m);
void tarmap_done(struct tarmap *m);

/**
 * tarmap_add() - the next piece
 * Return: 0; -EBADMSG with @ret_why if it overlaps, goes backwards or out of range, or is one too
 * many; -ENOMEM.
 */
int tarmap_add(struct tarmap *m, uint64_t off, uint64_t len, const char **ret_why);

#define TARMAP_PIECE_BYTES 24 /* of the old GNU format: offset and length in 12 bytes each */

/**
 * tarmap_add_gnu() - pieces of a block, up to the first empty one, behind which nothing may follow
 * @ret_full: all @n were there, so another block may follow
 */
int tarmap_add_gnu(
	struct tarmap *m, const uint8_t *p, unsigned int n, bool *ret_full, const char **ret_why);

/** tarmap_add_01() - pax 0.1: "offset,bytes,offset,bytes…" */
int tarmap_add_01(struct tarmap *m, const char *p, size_t len, const char **ret_why);

/**
 * tarmap_add_1() - pax 1.0: lines in front of the data, padded to a block
 * @ret_len: bytes that the map takes with its padding
 * Return: 1 if more than @len bytes are needed; 0; -EBADMSG; -ENOMEM.
 */
int tarmap_add_1(
	struct tarmap *m, const uint8_t *p, size_t len, uint64_t *ret_len, const char **ret_why);

/** tarmap_check() - the whole map against the size of the file and the bytes that are stored */
int tarmap_check(const struct tarmap *m, uint64_t size, uint64_t stored, const char **ret_why);
