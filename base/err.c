/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that a person reads (the contract is in the header)
 *
 * Texts may quote names from images and registries, so every control character is
 * replaced before it can reach a terminal.
 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* Bytes that could move the cursor or end the line become '?'; UTF-8 passes. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static void append(char *buf, size_t size, const char *text)
{
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, "%s", text);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err->text, sizeof(err->text), ": ");
	append(err->text, sizeof(err->text), strerror(-code));
	make_printable(err->text);
	return code;
}

int err_say(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	make_printable(err->text);
	return code;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char old[ERR_TEXT_BYTES];
	va_list ap;

	if (!err)
		return code;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err->text, sizeof(err->text), ": ");
	append(err->text, sizeof(err->text), old[0] ? old : strerror(-code));
	make_printable(err->text);
	return code;
}

int err_hint(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->hint[0])
		return code;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	make_printable(err->hint);
	return code;
}

void err_print(const struct err *err, const char *program)
{
	fprintf(stderr, "%s: %s\n", program, err->text[0] ? err->text : "unknown error");
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
}
