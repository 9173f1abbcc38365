/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Errors that a person reads: one line that is built from the inside out
 *
 *      err_set():  "digest is 07aa…, not 9f1b…"            where it broke
 *      err_wrap(): "layer 2 of 3: digest is …"              each caller says what it was doing
 *      main():     "lamina: cannot pull 'alpine:3': layer …"
 *
 * A function that can fail returns 0 or more, else a negative errno, and takes a
 * `struct err *` last if it faces a person.  Every function here accepts NULL for it.
 */

#include <stdarg.h>

#define ERR_TEXT_BYTES 1024
#define ERR_HINT_BYTES 512

struct err {
	char text[ERR_TEXT_BYTES]; /* NUL-terminated, no newline, control characters escaped */
	char hint[ERR_HINT_BYTES]; /* something that can be typed or done; "" if there is none */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		{ 0 },                                                                             \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/**
 * err_set() - say what broke, where it broke
 * @err:  filled; an older text and hint are dropped.  May be NULL.
 * @code: negative errno
 * @fmt:  what could not be done, without the errno text
 *
 * Appends ": " and the text of @code, so do not put it into @fmt.
 *
 * Return: @code, so that `return err_set(…)` is the whole error path.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** err_say() - like err_set(), but the text is complete: the errno's own text is not appended */
int err_say(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** err_wrap() - prefix the text with what the caller was doing; returns @code */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** err_hint() - add the remedy, unless one stands already (the innermost knows best); returns @code
 */
int err_hint(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/**
 * err_print() - write "PROGRAM: TEXT" and, if there is one, "hint: HINT" to stderr
 * @program: prefix, as people typed it
 */
void err_print(const struct err *err, const char *program);
