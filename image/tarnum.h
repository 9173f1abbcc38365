/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The numbers of tar headers, read strictly: what is no number, or does not fit, is an error and
 * never another number.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK_BYTES 512
#define TAR_MAX_SIZE                                                                               \
	((uint64_t)INT64_MAX - TAR_BLOCK_BYTES) /* leaves room to round up to a block */

/** tar_blocks() - bytes rounded up to whole blocks */
static inline uint64_t tar_blocks(uint64_t bytes)
{
	return (bytes + TAR_BLOCK_BYTES - 1) / TAR_BLOCK_BYTES * TAR_BLOCK_BYTES;
}

/**
 * tarnum_field() - a field of a header block: octal text, or base 256 if its first bit is set
 * Octal: spaces, digits, then spaces and NULs up to the end; no digits at all are 0.
 * Return: 0; -EINVAL for something else; -ERANGE if 64 bits do not hold it.
 */
int tarnum_field(const uint8_t *p, size_t len, int64_t *ret);

/** tarnum_count() - a field that cannot be negative and is at most TAR_MAX_SIZE */
int tarnum_count(const uint8_t *p, size_t len, uint64_t *ret);

/** tarnum_decimal() - digits only, at least one, at most TAR_MAX_SIZE; 0 or -EINVAL */
int tarnum_decimal(const char *p, size_t len, uint64_t *ret);

/**
 * tarnum_time() - "[-]SECONDS[.FRACTION]" of a pax record
 * Digits behind the ninth of the fraction are cut; seconds that do not fit are clamped to some
 * value beyond 2^58.  @ret_nsec is never negative: -1.5 is -2 and 500000000.
 * Return: 0 or -EINVAL.
 */
int tarnum_time(const char *p, size_t len, int64_t *ret_sec, uint32_t *ret_nsec);
