/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/when.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define S INT64_C(1000000000)

TEST(stamps_of_rfc_3339)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01", 0 },
		{ "1970-01-01T00:00:01.5Z", S + S / 2 },
		{ "1970-01-01T00:00:00.123456789Z", 123456789 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1970-01-01T00:00", 0 },
		{ "2026-11-22T19:27:41Z", INT64_C(1795375661) * S },
		{ "2024-02-29 00:00:00", INT64_C(1709164800) * S },
	};
	int64_t ns;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_INT(when_parse_stamp(cases[i].text, strlen(cases[i].text), &ns), ==, 0);
		CHECK_INT(ns, ==, cases[i].want);
	}
}

TEST(what_is_no_stamp)
{
	static const char *const bad[] = { "", "1970", "1970-1-1", "1970-13-01", "1970-01-00",
		"1970-01-01T", "1970-01-01T24:00:00", "1970-01-01T00:60", "1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00+1", "1970-01-01T00:00:00Zx", "9999-01-01", "0001-01-01" };
	int64_t ns;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(when_parse_stamp(bad[i], strlen(bad[i]), &ns), ==, -EINVAL);
}

TEST(durations)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = { { "10", 10 * S }, { "1h30m", 5400 * S }, { "1.5s", S + S / 2 },
		{ "250ms", S / 4 }, { "2d", 172800 * S }, { "0", 0 } };
	static const char *const bad[] = { "", "m", "1x", "1.", ".5", "1..2s", "-1",
		"99999999999999999999", "9223372036854775807h" };
	int64_t ns;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_INT(when_parse_duration(cases[i].text, &ns), ==, 0);
		CHECK_INT(ns, ==, cases[i].want);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(when_parse_duration(bad[i], &ns), ==, -EINVAL);
}

TEST(points_in_time_are_before_now_or_absolute)
{
	int64_t ns;

	CHECK_INT(when_parse("10m", 1000 * S, &ns, NULL), ==, 0);
	CHECK_INT(ns, ==, 400 * S);
	CHECK_INT(when_parse("1795375661.5", 0, &ns, NULL), ==, 0);
	CHECK_INT(ns, ==, INT64_C(1795375661) * S + S / 2);
	CHECK_INT(when_parse("yesterday", 0, &ns, NULL), ==, -EINVAL);
}
