/* SPDX-License-Identifier: Apache-2.0 */
/* Permanent inode numbers (the layout is in the header). */
#include "overlay/inum.h"

#include "overlay/index_format.h"

#include <errno.h>

#define BLOCK_BITS 39
#define DEPTH_BITS 12

int inum_pack(const struct inum *in, uint64_t *ret)
{
	uint64_t block = in->hdr_off / 512 + 1;

	if (in->hdr_off % 512 || block >> BLOCK_BITS || in->layer > LIMIT_IDX_LAYERS ||
		in->depth > LIMIT_IDX_DEPTH)
		return -ERANGE;
	*ret = (uint64_t)in->layer << (BLOCK_BITS + DEPTH_BITS) | block << DEPTH_BITS | in->depth;
	return 0;
}

bool inum_unpack(uint64_t ino, struct inum *ret)
{
	uint64_t block = ino >> DEPTH_BITS & ((UINT64_C(1) << BLOCK_BITS) - 1);

	if (ino & INUM_UPPER || block == 0)
		return false;
	ret->layer = inum_layer(ino);
	ret->depth = ino & ((1U << DEPTH_BITS) - 1);
	ret->hdr_off = (block - 1) * 512;
	return true;
}
