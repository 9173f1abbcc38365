/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
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

TEST(what_a_container_was_not_given_is_left_out)
{
	static const struct {
		uint32_t exists[2][2]; /* first, count */
		const char *want;
	} cases[] = {
		{ { { 0, 4294967295u } }, "0>1000+1 1>100000+65536 65537>300000+10 " },
		{ { { 0, 65536 } }, "0>1000+1 " },
		{ { { 0, 100005 } }, "0>1000+1 1>100000+5 " },
		{ { { 0, 2000 }, { 165530, 134475 } }, "0>1000+1 1>165530+6 7>300000+5 " },
		{ { { 5, 1 } }, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct idmap m = { 0 }, exists = { 0 };
		auto_buf text = { 0 };

		CHECK_INT(idmap_add(&m, 0, 1000, 1), ==, 0);
		CHECK_INT(idmap_add(&m, 1, 100000, 65536), ==, 0);
		CHECK_INT(idmap_add(&m, 65537, 300000, 10), ==, 0);
		for (size_t k = 0; k < 2 && cases[i].exists[k][1]; k++)
			CHECK_INT(idmap_add(&exists, cases[i].exists[k][0], cases[i].exists[k][0],
					  cases[i].exists[k][1]),
				==, 0);
		CHECK_INT(subid_clip(&exists, &m), ==, 0);
		for (size_t k = 0; k < m.n; k++)
			(void)buf_printf(
				&text, "%u>%u+%u ", m.v[k].inside, m.v[k].outside, m.v[k].n);
		CHECK_STR(text.data ? text.data : "", cases[i].want);
		idmap_done(&m);
		idmap_done(&exists);
	}
}
