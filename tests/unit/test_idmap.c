/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay/idmap.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(ids_go_out_and_come_back)
{
	struct idmap m = { 0 };
	uint32_t id = 0;

	/* Added out of order; 0 -> 1000, 1..65536 -> 100000.. */
	CHECK_INT(idmap_add(&m, 1, 100000, 65536), ==, 0);
	CHECK_INT(idmap_add(&m, 0, 1000, 1), ==, 0);
	CHECK_INT(m.v[0].inside, ==, 0);
	CHECK(idmap_out(&m, 0, &id) && id == 1000);
	CHECK(idmap_out(&m, 1, &id) && id == 100000);
	CHECK(idmap_out(&m, 65536, &id) && id == 165535);
	CHECK(!idmap_out(&m, 65537, &id));
	CHECK(idmap_in(&m, 165535, &id) && id == 65536);
	CHECK(!idmap_in(&m, 165536, &id));
	CHECK(!idmap_in(&m, 0, &id));
	idmap_done(&m);
}

TEST(ranges_may_not_overlap_or_wrap)
{
	struct idmap m = { 0 };

	CHECK_INT(idmap_add(&m, 10, 100, 10), ==, 0);
	CHECK_INT(idmap_add(&m, 19, 200, 1), ==, -EINVAL);
	CHECK_INT(idmap_add(&m, 30, 109, 1), ==, -EINVAL);
	CHECK_INT(idmap_add(&m, 5, 50, 6), ==, -EINVAL);
	CHECK_INT(idmap_add(&m, 40, 300, 0), ==, -EINVAL);
	CHECK_INT(idmap_add(&m, UINT32_MAX, 300, 1), ==, -EINVAL);
	CHECK_INT(idmap_add(&m, 40, UINT32_MAX - 1, 2), ==, -EINVAL);
	CHECK_INT(idmap_add(&m, 20, 110, 1), ==, 0);
	idmap_done(&m);
}
