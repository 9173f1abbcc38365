/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Amounts as people type them.  Pure. */

#include "base/err.h"

#include <stdint.h>

/**
 * size_parse() - "64m", "1.5g", "1024", "10MiB", "512kb": powers of 1024, whatever the spelling
 * @option: names it in the error: "--shm-size"
 * Return: 0; -EINVAL with a text.
 */
int size_parse(const char *option, const char *text, uint64_t *ret, struct err *err);

/**
 * size_parse_decimal() - "1.5" in thousandths or the like: "--cpus 1.5" with @unit 100000 is 150000
 * Return: 0; -EINVAL with a text, also for 0.
 */
int size_parse_decimal(
	const char *option, const char *text, uint64_t unit, uint64_t *ret, struct err *err);
