/* SPDX-License-Identifier: Apache-2.0 */
/* How long ago something was (the contract is in the header). */
#include "runtime/cli/age.h"

#include "base/cleanup.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

void age_format(const char *created, char *ret, size_t room)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "year", 31557600 }, { "month", 2629800 }, { "week", 604800 },
		{ "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	struct tm tm = { 0 };
	int64_t age;

	snprintf(ret, room, "-");
	if (!created || !strptime(created, "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	age = (int64_t)time(NULL) - (int64_t)timegm(&tm);
	if (age < 0)
		age = 0;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		long long n = (long long)(age / units[i].seconds);

		/* Two of a unit say more than one of the next. */
		if (n < 2 && i + 1 < ARRAY_SIZE(units))
			continue;
		snprintf(ret, room, "%lld %s%s ago", n, units[i].unit, n == 1 ? "" : "s");
		return;
	}
}
