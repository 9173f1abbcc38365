/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay/index_format.h"
#include "overlay/inum.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(numbers_carry_layer_offset_and_depth)
{
	const struct inum in = { .layer = LIMIT_IDX_LAYERS,
		.depth = LIMIT_IDX_DEPTH,
		.hdr_off = LIMIT_IDX_FILE_BYTES - 512 };
	struct inum out;
	uint64_t ino = 0;

	CHECK_INT(inum_pack(&in, &ino), ==, 0);
	CHECK(!(ino & INUM_UPPER));
	CHECK(inum_unpack(ino, &out));
	CHECK_INT(out.layer, ==, in.layer);
	CHECK_INT(out.depth, ==, in.depth);
	CHECK_INT(out.hdr_off, ==, in.hdr_off);
}

TEST(the_first_member_of_the_first_layer_is_not_inode_0)
{
	const struct inum first = { 0 };
	uint64_t ino = 0;

	CHECK_INT(inum_pack(&first, &ino), ==, 0);
	CHECK(ino != 0 && ino != INUM_ROOT);
}

TEST(what_does_not_fit_is_refused)
{
	static const struct inum bad[] = {
		{ .layer = LIMIT_IDX_LAYERS + 1 },
		{ .depth = LIMIT_IDX_DEPTH + 1 },
		{ .hdr_off = 1 },
		{ .hdr_off = UINT64_C(1) << 48 },
	};
	struct inum out;
	uint64_t ino = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(inum_pack(&bad[i], &ino), ==, -ERANGE);
	CHECK_INT(ino, ==, 7);
	CHECK(!inum_unpack(0, &out));
	CHECK(!inum_unpack(INUM_ROOT, &out));
	CHECK(!inum_unpack(INUM_UPPER | 4096, &out));
}
