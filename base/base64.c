/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (the contract is in the header). */
#include "base/base64.h"

#include <errno.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *to, const void *data, size_t len)
{
	const uint8_t *in = data;
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16;
		char out[4];

		v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint32_t)in[i + 2] : 0;
		out[0] = digits[v >> 18];
		out[1] = digits[v >> 12 & 63];
		out[2] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		out[3] = i + 2 < len ? digits[v & 63] : '=';
		r = buf_add(to, out, sizeof(out));
	}
	return r;
}

/* Return: the value of a digit, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *to, const char *text, size_t len)
{
	uint32_t bits = 0;
	int n_bits = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int v = value_of(text[i]);
		char c;

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		c = (char)(bits >> n_bits);
		if (buf_add(to, &c, 1) < 0)
			return -ENOMEM;
	}
	return 0;
}
