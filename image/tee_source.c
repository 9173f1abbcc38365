/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tee: a ring of blocks between the reader and the hashing thread
 *
 * The reader holds the newest block, which stays untouched until it asks for the next; that one
 * goes into another slot, whose old content has been hashed.  A block is a piece of the source
 * below if that keeps pieces for long enough, else a copy.
 */
#include "image/tee_source.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/hash_thread.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define RING	    6
#define BLOCK_BYTES (256 * 1024)

static_assert(RING <= HASH_QUEUE, "every slot may wait");

struct block {
	const uint8_t *data;
	size_t len;
	uint8_t *own; /* where a copy goes; NULL until it is needed */
};

struct tee {
	struct source base;
	struct source *below;
	struct tee_opts opts;
	const uint8_t *rest; /* of the piece of @below that did not fit into the last block */
	size_t rest_len;
	uint64_t bytes;
	bool ended;
	int failed; /* the error that every later call repeats */
	struct hash_thread *hash;
	uint64_t n_blocks; /* ever; block i lies in ring[i % RING] */
	struct block ring[RING];
};

/* More of @below into t->rest, unless it ended. */
static int refill(struct tee *t, struct err *err)
{
	int r = source_next(t->below, &t->rest, &t->rest_len, err);

	if (r == 0) {
		t->ended = true;
		t->rest_len = 0;
	}
	return r < 0 ? r : 0;
}

static int copy(struct tee *t, struct block *b, struct err *err)
{
	int r = 0;

	if (!b->own)
		b->own = malloc(BLOCK_BYTES);
	if (!b->own)
		return err_set(err, -ENOMEM, "cannot read the layer");
	b->data = b->own;
	while (r == 0 && b->len < BLOCK_BYTES && !t->ended) {
		size_t n = BLOCK_BYTES - b->len;

		if (t->rest_len == 0) {
			r = refill(t, err);
			continue;
		}
		if (n > t->rest_len)
			n = t->rest_len;
		memcpy(b->own + b->len, t->rest, n);
		t->rest += n;
		t->rest_len -= n;
		b->len += n;
	}
	return r;
}

static int fill(struct tee *t, struct block *b, struct err *err)
{
	int r = t->rest_len || t->ended ? 0 : refill(t, err);

	b->len = 0;
	if (r < 0)
		return r;
	if (t->below->n_kept < RING)
		return copy(t, b, err);
	b->data = t->rest;
	b->len = t->rest_len;
	t->rest_len = 0;
	return 0;
}

static int next_block(struct tee *t, struct block **ret, struct err *err)
{
	struct block *b = &t->ring[t->n_blocks % RING];
	int r;

	hash_thread_wait(t->hash, RING - 1);
	r = fill(t, b, err);
	if (r < 0 || b->len == 0)
		return r;
	if (b->len > t->opts.max_bytes - t->bytes)
		return err_say(err, -EFBIG, "larger than the limit of %llu bytes",
			(unsigned long long)t->opts.max_bytes);
	if (t->opts.fd >= 0) {
		r = fd_write_all(t->opts.fd, b->data, b->len);
		if (r < 0)
			return err_set(err, r, "cannot write the layer");
	}
	t->bytes += b->len;
	t->n_blocks++;
	hash_thread_push(t->hash, b->data, b->len);
	*ret = b;
	return 1;
}

static int tee_next(struct source *s, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	struct tee *t = (struct tee *)s;
	struct block *b = NULL;
	int r;

	if (t->failed)
		return err_set(err, t->failed, "cannot read the layer");
	r = next_block(t, &b, err);
	if (r < 0)
		t->failed = r;
	if (r == 1) {
		*ret_data = b->data;
		*ret_len = b->len;
	}
	return r;
}

static void tee_close(struct source *s)
{
	/* tee_free() does it: the reader only borrows. */
}

int tee_new(struct tee **ret, struct source *below, const struct tee_opts *opts, struct err *err)
{
	struct tee *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(err, -ENOMEM, "cannot read the layer");
	t->base = (struct source){ .next = tee_next, .close = tee_close };
	t->below = below;
	t->opts = *opts;
	r = hash_thread_new(&t->hash, opts->alg);
	if (r < 0) {
		tee_free(t);
		return err_set(err, r, "cannot read the layer");
	}
	*ret = t;
	return 0;
}

struct source *tee_source(struct tee *t)
{
	return &t->base;
}

int tee_finish(struct tee *t, struct idx_digest *ret, uint64_t *ret_bytes, struct err *err)
{
	const uint8_t *data;
	size_t len;
	int r;

	do
		r = tee_next(&t->base, &data, &len, err);
	while (r == 1);
	if (r < 0)
		return r;
	hash_thread_finish(t->hash, ret);
	*ret_bytes = t->bytes;
	return 0;
}

void tee_free(struct tee *t)
{
	if (!t)
		return;
	hash_thread_free(t->hash);
	for (size_t i = 0; i < RING; i++)
		free(t->ring[i].own);
	free(t);
}
