/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and growing byte buffers. */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*s)
		return -EINVAL;
	for (const char *p = s; *p; p++)
		if (*p < '0' || *p > '9')
			return -EINVAL;
	for (; *s; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		n = n * 10 + digit;
	}
	if (n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

char *str_format(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

/* Length of the valid UTF-8 sequence at @p, 0 if there is none (overlong and surrogates included).
 */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	uint32_t cp;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (left < n)
		return 0;
	cp = p[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff))) ||
		(n == 4 && (cp < 0x10000 || cp > 0x10ffff)))
		return 0;
	return n;
}

char *str_quote(const void *data, size_t len)
{
	const uint8_t *p = data;
	auto_buf b = { 0 };
	size_t step;
	int r;

	for (size_t i = 0; i < len; i += step) {
		step = utf8_len(p + i, len - i);
		/* C1 controls (U+0080 to U+009F) move terminals as much as C0 does. */
		bool control = p[i] < 0x20 || p[i] == 0x7f ||
			       (step == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);

		if (p[i] == '\n')
			r = buf_add_str(&b, "\\n");
		else if (p[i] == '\t')
			r = buf_add_str(&b, "\\t");
		else if (p[i] == '\\')
			r = buf_add_str(&b, "\\\\");
		else if (!step || control)
			r = buf_printf(&b, "\\x%02x", p[i]), step = 1;
		else
			r = buf_add(&b, p + i, step);
		if (r < 0)
			return NULL;
	}
	return buf_take(&b);
}

void buf_done(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (len >= SIZE_MAX / 2 - b->len)
		return -ENOMEM;
	if (b->len + len + 1 > b->room) {
		size_t room = b->room ? b->room : 64;
		char *bigger;

		while (room < b->len + len + 1)
			room *= 2;
		bigger = realloc(b->data, room);
		if (!bigger)
			return -ENOMEM;
		b->data = bigger;
		b->room = room;
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	auto_free char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s = NULL;
		return -ENOMEM;
	}
	return buf_add(b, s, (size_t)n);
}

char *buf_take(struct buf *b)
{
	char *data = b->data ? b->data : calloc(1, 1);

	memset(b, 0, sizeof(*b));
	return data;
}

void strv_done(struct strv *sv)
{
	for (size_t i = 0; i < sv->n; i++)
		free(sv->v[i]);
	free(sv->v);
	memset(sv, 0, sizeof(*sv));
}

static int strv_push_take(struct strv *sv, char *s)
{
	char **v;

	if (!s)
		return -ENOMEM;
	/* Grow at powers of two; one slot is always left for the closing NULL. */
	if ((sv->n & (sv->n + 1)) == 0) {
		v = reallocarray(sv->v, sv->n * 2 + 2, sizeof(*v));
		if (!v) {
			free(s);
			return -ENOMEM;
		}
		sv->v = v;
	}
	sv->v[sv->n++] = s;
	sv->v[sv->n] = NULL;
	return 0;
}

int strv_add(struct strv *sv, const char *s)
{
	return strv_push_take(sv, strdup(s));
}

int strv_addf(struct strv *sv, const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return strv_push_take(sv, n < 0 ? NULL : s);
}

bool strv_has(const struct strv *sv, const char *s)
{
	for (size_t i = 0; i < sv->n; i++)
		if (str_eq(sv->v[i], s))
			return true;
	return false;
}
