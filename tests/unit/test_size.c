/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/size.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = { { "0", 0 }, { "1024", 1024 }, { "64m", 64 << 20 }, { "64M", 64 << 20 },
		{ "1.5g", (uint64_t)3 << 29 }, { "10MiB", 10 << 20 }, { "512kb", 512 << 10 },
		{ "7b", 7 }, { "0.5k", 512 } };
	static const char *const bad[] = { "", "m", "-1", "1x", "1.m", "1mm", "1bb", " 1",
		"99999999999999999999", "9223372036854775807k" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_INT(size_parse("--x", cases[i].text, &v, NULL), ==, 0);
		CHECK_INT(v, ==, cases[i].want);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(size_parse("--x", bad[i], &v, NULL), ==, -EINVAL);
}

TEST(decimals_are_scaled)
{
	uint64_t v;

	CHECK_INT(size_parse_decimal("--cpus", "1.5", 100000, &v, NULL), ==, 0);
	CHECK_INT(v, ==, 150000);
	CHECK_INT(size_parse_decimal("--cpus", "0.25", 100000, &v, NULL), ==, 0);
	CHECK_INT(v, ==, 25000);
	CHECK_INT(size_parse_decimal("--cpus", "0", 100000, &v, NULL), ==, -EINVAL);
	CHECK_INT(size_parse_decimal("--cpus", "1k", 100000, &v, NULL), ==, -EINVAL);
	CHECK_INT(size_parse_decimal("--cpus", "-1", 100000, &v, NULL), ==, -EINVAL);
}
