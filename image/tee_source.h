/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A source that passes bytes on, appends them to a file, and hashes them in a thread of its own
 *
 *      below ──copy──▶ block ──┬─▶ write(2)
 *                              ├─▶ queue ─▶ thread ─▶ digest
 *                              └─▶ reader
 */

#include "image/digest.h"
#include "image/source.h"

struct tee;

struct tee_opts {
	uint16_t alg; /* enum idx_digest_alg */
	uint64_t max_bytes; /* more is -EFBIG */
	int fd; /* open for writing at its end, borrowed; -1: only hash */
};

/** tee_new() - @below is borrowed until tee_free() */
int tee_new(struct tee **ret, struct source *below, const struct tee_opts *opts, struct err *err);

/** tee_source() - what to read from; borrowed, never closed */
struct source *tee_source(struct tee *t);

/**
 * tee_finish() - pass what is left of @below, end the thread
 * Return: 0 with digest and size of all bytes; errors of @below and of the file; -EFBIG.
 */
int tee_finish(struct tee *t, struct idx_digest *ret, uint64_t *ret_bytes, struct err *err);

void tee_free(struct tee *t);
