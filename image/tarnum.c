/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of tar headers. */
#include "image/tarnum.h"

#include <errno.h>
#include <stdbool.h>

/* Two's complement, big endian, behind a mark of one bit. */
static int parse_base256(const uint8_t *p, size_t len, int64_t *ret)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = i ? p[i] : (uint8_t)(negative ? p[0] | 0x80 : p[0] & 0x7f);

		/* What is shifted out must be nothing but sign. */
		if ((int64_t)v >> 55 != (negative ? -1 : 0))
			return -ERANGE;
		v = v << 8 | byte;
	}
	*ret = (int64_t)v;
	return 0;
}

static int parse_octal(const uint8_t *p, size_t len, int64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++) {
		if (v >> 60)
			return -ERANGE;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	for (; i < len; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return -EINVAL;
	*ret = (int64_t)v;
	return 0;
}

int tarnum_field(const uint8_t *p, size_t len, int64_t *ret)
{
	return p[0] & 0x80 ? parse_base256(p, len, ret) : parse_octal(p, len, ret);
}

int tarnum_count(const uint8_t *p, size_t len, uint64_t *ret)
{
	int64_t v;
	int r = tarnum_field(p, len, &v);

	if (r < 0)
		return r;
	if (v < 0 || (uint64_t)v > TAR_MAX_SIZE)
		return -ERANGE;
	*ret = (uint64_t)v;
	return 0;
}

int tarnum_decimal(const char *p, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned int digit = (unsigned int)(uint8_t)p[i] - '0';

		if (digit > 9 || v > (TAR_MAX_SIZE - digit) / 10)
			return -EINVAL;
		v = v * 10 + digit;
	}
	*ret = v;
	return 0;
}

int tarnum_time(const char *p, size_t len, int64_t *ret_sec, uint32_t *ret_nsec)
{
	bool negative = len > 0 && p[0] == '-';
	uint32_t nsec = 0, unit = 100000000;
	size_t i = negative, first = i;
	int64_t sec = 0;

	for (; i < len && p[i] >= '0' && p[i] <= '9'; i++)
		sec = sec > INT64_MAX / 16 ? sec : sec * 10 + (p[i] - '0');
	if (i == first)
		return -EINVAL;
	if (i < len && p[i] == '.')
		for (i++; i < len && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10)
			nsec += unit * (uint32_t)(p[i] - '0');
	if (i < len)
		return -EINVAL;
	*ret_sec = negative ? -sec - (nsec > 0) : sec;
	*ret_nsec = negative && nsec ? 1000000000 - nsec : nsec;
	return 0;
}
