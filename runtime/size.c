/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts (the contract is in the header). */
#include "runtime/size.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <ctype.h>

/* "12.34" times @unit, rounded down; the end of the number in @ret_end. */
static int scale(const char *text, uint64_t unit, uint64_t *ret, const char **ret_end)
{
	uint64_t whole = 0, fraction = 0, part = unit;
	const char *s = text;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return -ERANGE;
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++) {
			/* Beyond this no digit counts. */
			if (part < 10)
				continue;
			fraction += part / 10 * (uint64_t)(*s - '0') +
				    part % 10 * (uint64_t)(*s - '0') / 10;
			part /= 10;
		}
	}
	if (__builtin_mul_overflow(whole, unit, &whole) ||
		__builtin_add_overflow(whole, fraction, &whole))
		return -ERANGE;
	*ret = whole;
	*ret_end = s;
	return 0;
}

static uint64_t unit_of(const char *suffix)
{
	static const char letters[] = "bkmgtp";
	const char *letter;
	uint64_t unit = 1;

	if (!suffix[0])
		return 1;
	letter = strchr(letters, tolower((unsigned char)suffix[0]));
	if (!letter)
		return 0;
	/* "m", "mb", "mib" in any case; "b" alone. */
	if (suffix[1] && (letter == letters || (strcasecmp(suffix + 1, "b") != 0 &&
						       strcasecmp(suffix + 1, "ib") != 0)))
		return 0;
	for (; letter > letters; letter--)
		unit *= 1024;
	return unit;
}

int size_parse(const char *option, const char *text, uint64_t *ret, struct err *err)
{
	uint64_t unit = unit_of(text + strspn(text, "0123456789."));
	const char *end;
	int r = unit ? scale(text, unit, ret, &end) : -EINVAL;

	if (r == -ERANGE || (r == 0 && *ret > INT64_MAX))
		return err_say(err, -EINVAL, "%s: '%.64s' is too much", option, text);
	if (r < 0) {
		err_say(err, r, "%s: '%.64s' is no size", option, text);
		return err_hint(err, r, "a number with b, k, m or g behind it: 64m");
	}
	return 0;
}

int size_parse_decimal(
	const char *option, const char *text, uint64_t unit, uint64_t *ret, struct err *err)
{
	const char *end = text;
	uint64_t v = 0;
	int r = scale(text, unit, &v, &end);

	if (r < 0 || *end || v == 0 || v > INT64_MAX)
		return err_say(err, -EINVAL, "%s: '%.64s' is no number above 0", option, text);
	*ret = v;
	return 0;
}
