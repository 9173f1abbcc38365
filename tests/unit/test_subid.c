/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/subid.h"
#include "tests/unit/test.h"

TEST(ranges_follow_each_other_whoever_they_are_named_by)
{
	static const char text[] = "other:100000:65536\n"
				   "dev:200000:1000\n"
				   "1000:300000:24\n"
				   "dev:not:numbers\n"
				   "dev\n"
				   "dev:1:0\n"
				   "dev:200100:5\n"
				   "deve:1:1";
	struct idmap m = { 0 };

	CHECK_INT(idmap_add(&m, 0, 1000, 1), ==, 0);
	CHECK_INT(subid_append(text, sizeof(text) - 1, "dev", 1000, &m), ==, 0);
	CHECK_INT(m.n, ==, 3);
	CHECK_INT(m.v[1].inside, ==, 1);
	CHECK_INT(m.v[1].outside, ==, 200000);
	CHECK_INT(m.v[1].n, ==, 1000);
	CHECK_INT(m.v[2].inside, ==, 1001);
	CHECK_INT(m.v[2].outside, ==, 300000);
	CHECK_INT(m.v[2].n, ==, 24);
	idmap_done(&m);
}
