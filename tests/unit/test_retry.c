/* SPDX-License-Identifier: Apache-2.0 */
#include "image/retry.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

TEST(what_may_pass_is_tried_again)
{
	static const int again[] = { 408, 429, 500, 502, 503, 504 };
	static const int never[] = { 200, 206, 301, 400, 401, 403, 404, 416, 501, 505 };

	for (size_t i = 0; i < ARRAY_SIZE(again); i++)
		CHECK(retry_status(again[i]));
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		CHECK(!retry_status(never[i]));
}

TEST(delays_double_up_to_a_cap_and_are_spread)
{
	for (unsigned int n = 1; n < 40; n++) {
		unsigned int lowest = retry_delay_ms(n, 0, NULL, 0);
		unsigned int want = n < 6 ? RETRY_FIRST_MS << (n - 1) : RETRY_CAP_MS;

		CHECK_INT(lowest, ==, want / 2);
		for (uint32_t random = 1; random; random *= 3) {
			CHECK_INT(retry_delay_ms(n, random, NULL, 0), >=, want / 2);
			CHECK_INT(retry_delay_ms(n, random, NULL, 0), <=, want / 2 + want);
			if (random > UINT32_MAX / 3)
				break;
		}
	}
}

TEST(a_server_may_ask_for_a_delay_up_to_a_cap)
{
	static const struct {
		const char *header;
		int want; /* -1: as without the header */
	} cases[] = {
		{ "0", 0 },
		{ "2", 2000 },
		{ "30", RETRY_AFTER_CAP },
		{ "31", RETRY_AFTER_CAP },
		{ "1000000000", RETRY_AFTER_CAP },
		{ "99999999999999999999999999", RETRY_AFTER_CAP },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:40 GMT", 3000 },
		{ "Sun, 06 Nov 2094 08:49:40 GMT", RETRY_AFTER_CAP },
		{ "-1", -1 },
		{ "soon", -1 },
		{ "", -1 },
	};
	const time_t now = 784111777; /* of the first date */

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int ms = retry_delay_ms(1, 0, cases[i].header, now);

		CHECK_INT(ms, ==, cases[i].want < 0 ? RETRY_FIRST_MS / 2 : cases[i].want);
	}
}

TEST(a_range_must_be_the_one_that_was_asked_for)
{
	CHECK(retry_range_matches("bytes 10-19/20", 10, 20));
	CHECK(retry_range_matches("bytes 10-14/20", 10, 20));
	CHECK(retry_range_matches("bytes 10-19/*", 10, 20));
	CHECK(!retry_range_matches("bytes 0-19/20", 10, 20));
	CHECK(!retry_range_matches("bytes 11-19/20", 10, 20));
	CHECK(!retry_range_matches("bytes 10-20/20", 10, 20));
	CHECK(!retry_range_matches("bytes 10-20/*", 10, 20));
	CHECK(!retry_range_matches("bytes 10-9/20", 10, 20));
	CHECK(!retry_range_matches("bytes 10-19/21", 10, 20));
	CHECK(!retry_range_matches("bytes 10-19/20x", 10, 20));
	CHECK(!retry_range_matches("bytes 10-19/**", 10, 20));
	CHECK(!retry_range_matches("10-19/20", 10, 20));
	CHECK(!retry_range_matches("", 10, 20));
	CHECK(!retry_range_matches(NULL, 10, 20));
}
