/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(both_ways)
{
	static const struct {
		const char *plain, *encoded;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
		{ "\xfb", "+w==" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *e = cases[i].encoded;
		auto_buf to = { 0 }, from = { 0 };

		CHECK_INT(base64_encode(&to, cases[i].plain, strlen(cases[i].plain)), ==, 0);
		CHECK_STR(to.data ? to.data : "", e);
		CHECK_INT(base64_decode(&from, e, strlen(e)), ==, 0);
		CHECK_STR(from.data ? from.data : "", cases[i].plain);
	}
}

TEST(padding_may_be_missing_and_nothing_else_is_taken)
{
	static const char *const bad[] = { "Zm9v!", "Zm 9v", "Z=9v", "Zm9v\n", "Zm-_" };
	auto_buf b = { 0 };

	CHECK_INT(base64_decode(&b, "Zm8", 3), ==, 0);
	CHECK_STR(b.data, "fo");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(base64_decode(&b, bad[i], strlen(bad[i])), ==, -EINVAL);
}
