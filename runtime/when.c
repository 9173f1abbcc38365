/* SPDX-License-Identifier: Apache-2.0 */
/* Times and durations (the contract is in the header). */
#include "runtime/when.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <ctype.h>
#include <time.h>

#define NS_PER_S 1000000000ll

struct text {
	const char *s, *end;
};

/* Exactly @n digits. */
static int take_number(struct text *t, int n, int *ret)
{
	int v = 0;

	if (t->end - t->s < n)
		return -EINVAL;
	for (; n > 0; n--, t->s++) {
		if (!isdigit((unsigned char)*t->s))
			return -EINVAL;
		v = v * 10 + (*t->s - '0');
	}
	*ret = v;
	return 0;
}

static bool take_char(struct text *t, char c)
{
	if (t->s == t->end || *t->s != c)
		return false;
	t->s++;
	return true;
}

/* Behind the dot: digits beyond nanoseconds are dropped. */
static int take_fraction(struct text *t, int64_t *ret_ns)
{
	int64_t unit = NS_PER_S / 10;

	*ret_ns = 0;
	if (t->s == t->end || !isdigit((unsigned char)*t->s))
		return -EINVAL;
	for (; t->s < t->end && isdigit((unsigned char)*t->s); t->s++, unit /= 10)
		*ret_ns += unit * (*t->s - '0');
	return 0;
}

static int take_zone(struct text *t, int64_t *ret_s)
{
	int hours, minutes, sign;

	*ret_s = 0;
	if (t->s == t->end || take_char(t, 'Z') || take_char(t, 'z'))
		return 0;
	sign = take_char(t, '-') ? -1 : take_char(t, '+') ? 1 : 0;
	if (sign == 0 || take_number(t, 2, &hours) < 0 || !take_char(t, ':') ||
		take_number(t, 2, &minutes) < 0)
		return -EINVAL;
	*ret_s = sign * (hours * 3600ll + minutes * 60ll);
	return 0;
}

static int take_date(struct text *t, struct tm *tm)
{
	if (take_number(t, 4, &tm->tm_year) < 0 || !take_char(t, '-') ||
		take_number(t, 2, &tm->tm_mon) < 0 || !take_char(t, '-') ||
		take_number(t, 2, &tm->tm_mday) < 0)
		return -EINVAL;
	if (tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_mday > 31)
		return -EINVAL;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return 0;
}

int when_parse_stamp(const char *text, size_t len, int64_t *ret_ns)
{
	struct text t = { text, text + len };
	int64_t zone = 0, fraction = 0;
	struct tm tm = { 0 };

	if (take_date(&t, &tm) < 0)
		return -EINVAL;
	if (t.s < t.end) {
		if (!take_char(&t, 'T') && !take_char(&t, ' '))
			return -EINVAL;
		if (take_number(&t, 2, &tm.tm_hour) < 0 || !take_char(&t, ':') ||
			take_number(&t, 2, &tm.tm_min) < 0)
			return -EINVAL;
		if (take_char(&t, ':') && take_number(&t, 2, &tm.tm_sec) < 0)
			return -EINVAL;
		if (take_char(&t, '.') && take_fraction(&t, &fraction) < 0)
			return -EINVAL;
		if (take_zone(&t, &zone) < 0 || t.s != t.end)
			return -EINVAL;
	}
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	/* 64 bits of nanoseconds end in 2262. */
	if (tm.tm_year + 1900 > 2261 || tm.tm_year + 1900 < 1678)
		return -EINVAL;
	*ret_ns = ((int64_t)timegm(&tm) - zone) * NS_PER_S + fraction;
	return 0;
}

/* The unit at @s: its length, 0 if there is none that we know. */
static size_t unit_of(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", NS_PER_S },
		{ "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S }, { "d", 86400 * NS_PER_S } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (str_starts(s, units[i].name)) {
			*ret_ns = units[i].ns;
			return strlen(units[i].name);
		}
	return 0;
}

int when_parse_duration(const char *text, int64_t *ret_ns)
{
	int64_t total = 0, unit, part, digit;

	if (!*text)
		return -EINVAL;
	while (*text) {
		const char *s = text, *dot = NULL;
		size_t len;

		for (; isdigit((unsigned char)*s) || (*s == '.' && !dot); s++)
			dot = *s == '.' ? s : dot;
		if (s == text || (dot && (dot == text || dot + 1 == s)))
			return -EINVAL;
		unit = NS_PER_S;
		len = unit_of(s, &unit);
		if (*s && len == 0)
			return -EINVAL;
		part = 0;
		for (const char *d = text; d < (dot ? dot : s); d++)
			if (__builtin_mul_overflow(part, 10, &part) ||
				__builtin_add_overflow(part, *d - '0', &part))
				return -EINVAL;
		if (__builtin_mul_overflow(part, unit, &part))
			return -EINVAL;
		digit = unit / 10;
		for (const char *d = dot ? dot + 1 : s; d < s; d++, digit /= 10)
			part += digit * (*d - '0');
		if (__builtin_add_overflow(total, part, &total))
			return -EINVAL;
		text = s + len;
	}
	*ret_ns = total;
	return 0;
}

int when_parse(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err)
{
	size_t len = strlen(text), digits = strspn(text, "0123456789");
	int64_t duration;

	/* Ten digits are seconds since the epoch; nobody asks for what was 30 years ago. */
	if (digits >= 9 && (text[digits] == '\0' || text[digits] == '.') &&
		when_parse_duration(text, ret_ns) == 0)
		return 0;
	if (when_parse_stamp(text, len, ret_ns) == 0)
		return 0;
	if (when_parse_duration(text, &duration) == 0) {
		*ret_ns = now_ns - duration;
		return 0;
	}
	err_say(err, -EINVAL, "'%.64s' is no time", text);
	return err_hint(err, -EINVAL, "use 10m, 1h30m, 2026-11-22T19:30:00Z or seconds since 1970");
}
