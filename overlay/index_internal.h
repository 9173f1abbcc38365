/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files behind overlay/index.h share: index.c, index_rows.c, index_verify.c. */

#include "overlay/index.h"
#include "overlay/mapping.h"

#include <stdatomic.h>

struct idx {
	struct mapping map;
	struct idx_header h; /* a copy, so what was checked at open stays true */
	uint64_t n_rows[IDX_SEC_MAX_]; /* bytes, for the sections without rows */
	_Atomic uint64_t *verified; /* a bit for each block: its CRC was checked */
};

/**
 * idx_bytes() - bytes of a section, in the mapping, CRCs checked
 * Return: 0; -EBADMSG if they do not lie within the section or are damaged; -EIO.
 */
int idx_bytes(struct idx *x, enum idx_section_id s, uint64_t off, uint64_t len, const void **ret);

/** idx_row() - copy a row of a section that has rows */
int idx_row(struct idx *x, enum idx_section_id s, uint64_t row, void *ret);

/** idx_check_block() - check the CRC of a block, 1 … crc_n, if that was not done yet */
int idx_check_block(struct idx *x, uint64_t block);

/** idx_check_extent() - by itself: not empty, within a file of @size bytes and a tar of @tar_size
 */
bool idx_check_extent(const struct idx_extent *e, uint64_t size, uint64_t tar_size);

/** idx_name_is_valid() - 1 to 255 bytes, without '/', not "." or "..".  Pure. */
bool idx_name_is_valid(const char *name, size_t len);

/** idx_name_cmp() - by (hash, name), the order of IDX_SEC_LOOKUP.  Pure. */
int idx_name_cmp(
	uint32_t hash_a, const char *a, size_t len_a, uint32_t hash_b, const char *b, size_t len_b);
