/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Strings and growing byte buffers.  Pure: no I/O, any thread. */

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/** str_to_u64() - a whole decimal number, digits only; 0, -EINVAL, or -ERANGE above @max */
int str_to_u64(const char *s, uint64_t max, uint64_t *ret);

/** str_format() - printf into a new string owned by the caller; NULL if out of memory */
char *str_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * str_quote() - a name as one printable token for messages and listings
 * @data: bytes, any value
 *
 * Backslash, control characters and bytes that are not UTF-8 become \n, \t, \\ or \xHH.
 *
 * Return: a string owned by the caller; NULL if out of memory.
 */
char *str_quote(const void *data, size_t len);

/* A byte buffer that grows.  Zero-initialised is empty; a NUL always stands behind the data. */
struct buf {
	char *data; /* NULL while nothing was ever added */
	size_t len;
	size_t room;
};

void buf_done(struct buf *b);
/** buf_add() - append bytes; 0 or -ENOMEM */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** buf_take() - the bytes, owned by the caller; the buffer is empty again.  Never NULL unless out
 * of memory */
char *buf_take(struct buf *b);

static inline void cleanup_buf(struct buf *b)
{
	buf_done(b);
}
#define auto_buf __attribute__((cleanup(cleanup_buf))) struct buf

/* A NULL-terminated list of strings that grows.  Zero-initialised is empty. */
struct strv {
	char **v; /* NULL while nothing was ever added */
	size_t n;
};

void strv_done(struct strv *sv);
/** strv_add() - append a copy; 0 or -ENOMEM */
int strv_add(struct strv *sv, const char *s);
int strv_addf(struct strv *sv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strv_has(const struct strv *sv, const char *s);

static inline void cleanup_strv(struct strv *sv)
{
	strv_done(sv);
}
#define auto_strv __attribute__((cleanup(cleanup_strv))) struct strv
