/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Permanent inode numbers: (layer, offset of the tar header, depth) packed into 63 bits
 *
 *      bit 63      0: lower, 1: born in the upper
 *      62 … 51     layer, counted from the lowest, 0 to LIMIT_IDX_LAYERS
 *      50 … 12     header offset / 512, plus 1
 *      11 … 0      0 for the member itself; k for the directory at depth k (the root has 0
 *                  components, its children 1 …) that a member implies without an entry of its own
 *
 * The root is always 1.  A number is defined by layer bytes alone: it stays when an index is
 * rebuilt, and it is both st_ino and the origin that an upper records.
 */

#include <stdbool.h>
#include <stdint.h>

#define INUM_ROOT  UINT64_C(1)
#define INUM_UPPER (UINT64_C(1) << 63)

struct inum {
	uint32_t layer;
	uint32_t depth; /* 0 unless implied */
	uint64_t hdr_off; /* bytes, a multiple of 512 */
};

/** inum_pack() - 0, or -ERANGE if a field does not fit or @in->hdr_off is not a multiple of 512 */
int inum_pack(const struct inum *in, uint64_t *ret);

/** inum_unpack() - false if @ino is not the number of a lower inode other than the root */
bool inum_unpack(uint64_t ino, struct inum *ret);

/** inum_layer() - the layer of a lower number; the root's is 0 */
static inline uint32_t inum_layer(uint64_t ino)
{
	return (uint32_t)(ino >> 51) & 0xfff;
}
