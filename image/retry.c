/* SPDX-License-Identifier: Apache-2.0 */
/* When to ask again (the contract is in the header). */
#include "image/retry.h"

#include "base/str.h"

#include <stdlib.h>

bool retry_status(int status)
{
	return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* Return: milliseconds, or -1 if the header is neither a number nor a date. */
static int64_t asked_ms(const char *text, time_t now)
{
	struct tm tm = { 0 };
	const char *end;
	uint64_t n;
	time_t t;

	if (str_to_u64(text, INT32_MAX, &n) == 0)
		return (int64_t)n * 1000;
	/* A number that is too large still is a number. */
	if (*text && text[strspn(text, "0123456789")] == '\0')
		return INT64_MAX;
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end)
		return -1;
	t = timegm(&tm);
	return t > now ? (int64_t)(t - now) * 1000 : 0;
}

unsigned int retry_delay_ms(
	unsigned int try_no, uint32_t random, const char *retry_after, time_t now)
{
	int64_t asked = retry_after ? asked_ms(retry_after, now) : -1;
	unsigned int ms = RETRY_FIRST_MS;

	if (asked >= 0)
		return asked < RETRY_AFTER_CAP ? (unsigned int)asked : RETRY_AFTER_CAP;
	while (--try_no > 0 && ms < RETRY_CAP_MS)
		ms *= 2;
	if (ms > RETRY_CAP_MS)
		ms = RETRY_CAP_MS;
	return ms / 2 + random % (ms + 1);
}

bool retry_range_matches(const char *content_range, uint64_t from, uint64_t size)
{
	unsigned long long first, last, total;
	char star[2] = "";
	int used = 0;

	if (!content_range)
		return false;
	if (sscanf(content_range, "bytes %llu-%llu/%llu%n", &first, &last, &total, &used) == 3 &&
		content_range[used] == '\0')
		return first == from && last >= first && last < size && total == size;
	used = 0;
	if (sscanf(content_range, "bytes %llu-%llu/%1[*]%n", &first, &last, star, &used) == 3 &&
		content_range[used] == '\0')
		return first == from && last >= first && last < size;
	return false;
}
