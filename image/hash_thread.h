/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A digest that is computed by a thread of its own, beside whoever produces and uses the bytes
 *
 *      push ──▶ queue of borrowed pieces ──▶ thread ──▶ digest
 */

#include "image/digest.h"

#define HASH_QUEUE 8 /* pieces that wait, at most */

struct hash_thread;

/** hash_thread_new() - for @alg of enum idx_digest_alg; 0, -ENOMEM, -EINVAL, -EAGAIN */
int hash_thread_new(struct hash_thread **ret, uint16_t alg);

/** hash_thread_push() - more bytes, borrowed until they are hashed; waits for room in the queue */
void hash_thread_push(struct hash_thread *h, const void *data, size_t len);

/** hash_thread_wait() - until all but the @n newest pieces are hashed */
void hash_thread_wait(struct hash_thread *h, unsigned int n);

/** hash_thread_finish() - the digest of all bytes; only hash_thread_free() may follow */
void hash_thread_finish(struct hash_thread *h, struct idx_digest *ret);

/** hash_thread_free() - what was pushed is no longer looked at when this returns */
void hash_thread_free(struct hash_thread *h);
