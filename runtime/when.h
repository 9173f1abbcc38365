/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Times and durations as people type them.  Pure. */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/** when_parse_stamp() - "2026-11-22T19:27:41.5Z", also with "+01:00" or nothing; 0 or -EINVAL */
int when_parse_stamp(const char *text, size_t len, int64_t *ret_ns);

/** when_parse_duration() - "90", "1h30m", "1.5s", "250ms": into nanoseconds; 0 or -EINVAL
 * A number without a unit is seconds. */
int when_parse_duration(const char *text, int64_t *ret_ns);

/**
 * when_parse() - a point in time
 * @text:   RFC 3339, a date alone, seconds since the epoch, or a duration before @now_ns
 * Without a zone it is UTC.
 * Return: 0; -EINVAL with a text.
 */
int when_parse(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err);
