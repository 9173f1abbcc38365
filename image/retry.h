/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* When to ask a server again, and after how long.  Pure. */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define RETRY_TRIES	5 /* requests for one thing, the first included */
#define RETRY_FIRST_MS	250 /* doubles with each try */
#define RETRY_CAP_MS	8000
#define RETRY_AFTER_CAP 30000 /* of what a server may ask for, ms */

/** retry_status() - may the same request succeed later? */
bool retry_status(int status);

/**
 * retry_delay_ms() - how long to wait before try number @try_no + 1
 * @try_no:      tries that failed, from 1
 * @random:      any number; the delay is spread over 50 to 150 % by it
 * @retry_after: the server's header (seconds or a date), or NULL
 * @now:         for a date
 */
unsigned int retry_delay_ms(
	unsigned int try_no, uint32_t random, const char *retry_after, time_t now);

/** retry_range_matches() - does a 206's Content-Range begin at @from, within @size bytes? */
bool retry_range_matches(const char *content_range, uint64_t from, uint64_t size);
