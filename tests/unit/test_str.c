/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(numbers_are_whole_and_bounded)
{
	static const struct {
		const char *s;
		uint64_t max;
		int want;
		uint64_t value;
	} cases[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 0, 10 },
		{ "11", 10, -ERANGE, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -ERANGE, 0 },
		{ "", 10, -EINVAL, 0 },
		{ "+1", 10, -EINVAL, 0 },
		{ "1 ", 10, -EINVAL, 0 },
		{ "0x1", 10, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 0;

		CHECK_INT(str_to_u64(cases[i].s, cases[i].max, &v), ==, cases[i].want);
		CHECK(v == cases[i].value);
	}
}

TEST(quoting_leaves_nothing_that_moves_a_terminal)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "plain", "plain" }, { "a\nb\tc\\", "a\\nb\\tc\\\\" }, { "\x1b[2J", "\\x1b[2J" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "\xc3", "\\xc3" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, /* C1 CSI */
		{ "\xc0\xaf", "\\xc0\\xaf" }, /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *q = str_quote(cases[i].in, strlen(cases[i].in));

		CHECK_STR(q, cases[i].want);
	}
}

TEST(string_lists_grow_and_end_with_null)
{
	auto_strv sv = { 0 };

	for (int i = 0; i < 100; i++)
		CHECK_INT(strv_addf(&sv, "%d", i), ==, 0);
	CHECK_INT(sv.n, ==, 100);
	CHECK_STR(sv.v[99], "99");
	CHECK_STR(sv.v[100], NULL);
	CHECK(strv_has(&sv, "42"));
	CHECK(!strv_has(&sv, "100"));
}
