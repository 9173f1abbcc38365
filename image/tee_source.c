/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tee: a ring of blocks between the reader and the hashing thread
 *
 *      n_filled    blocks that were filled, ever; block i lies in ring[i % RING]
 *      n_hashed    blocks that were hashed, ever; n_filled - n_hashed is at most RING
 *
 * The reader holds the newest block, which stays untouched until it asks for the next; that one
 * goes into another slot, whose old content has been hashed.
 *
 * Locking: lock guards n_filled, n_hashed and stop.  A filled block is constant until it is hashed,
 *          so its bytes are read without the lock.
 */
#include "image/tee_source.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define RING	    6
#define BLOCK_BYTES (256 * 1024)

struct block {
	uint8_t *data;
	size_t len;
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
	struct hasher *hasher; /* the thread's until it ended */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of the fields below */
	uint64_t n_filled, n_hashed; /* lock */
	bool stop; /* lock; no more blocks will come */
	struct block ring[RING];
};

static void *hash_blocks(void *arg)
{
	struct tee *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct block *b = &t->ring[t->n_hashed % RING];

		if (t->n_hashed == t->n_filled) {
			if (t->stop)
				break;
			pthread_cond_wait(&t->changed, &t->lock);
			continue;
		}
		pthread_mutex_unlock(&t->lock);
		hasher_update(t->hasher, b->data, b->len);
		pthread_mutex_lock(&t->lock);
		t->n_hashed++;
		pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* A slot whose block was hashed. */
static struct block *wait_for_slot(struct tee *t)
{
	struct block *b;

	pthread_mutex_lock(&t->lock);
	while (t->n_filled - t->n_hashed == RING)
		pthread_cond_wait(&t->changed, &t->lock);
	b = &t->ring[t->n_filled % RING];
	pthread_mutex_unlock(&t->lock);
	return b;
}

static void publish(struct tee *t)
{
	pthread_mutex_lock(&t->lock);
	t->n_filled++;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static int fill(struct tee *t, struct block *b, struct err *err)
{
	b->len = 0;
	while (b->len < BLOCK_BYTES && !t->ended) {
		size_t n = BLOCK_BYTES - b->len;

		if (t->rest_len == 0) {
			int r = source_next(t->below, &t->rest, &t->rest_len, err);

			if (r < 0)
				return r;
			t->ended = r == 0;
			if (r == 0)
				break;
		}
		if (n > t->rest_len)
			n = t->rest_len;
		memcpy(b->data + b->len, t->rest, n);
		t->rest += n;
		t->rest_len -= n;
		b->len += n;
	}
	return 0;
}

static int next_block(struct tee *t, struct block **ret, struct err *err)
{
	struct block *b = wait_for_slot(t);
	int r = fill(t, b, err);

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
	publish(t);
	*ret = b;
	return 1;
}

static int tee_next(struct source *s, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	struct tee *t = (struct tee *)s;
	struct block *b;
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

static void join(struct tee *t)
{
	if (!t->has_thread)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	(void)pthread_join(t->thread, NULL);
	t->has_thread = false;
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
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->changed, NULL);
	r = hasher_new(&t->hasher, opts->alg);
	for (size_t i = 0; r == 0 && i < RING; i++) {
		t->ring[i].data = malloc(BLOCK_BYTES);
		if (!t->ring[i].data)
			r = -ENOMEM;
	}
	if (r == 0)
		r = -pthread_create(&t->thread, NULL, hash_blocks, t);
	if (r < 0) {
		tee_free(t);
		return err_set(err, r, "cannot read the layer");
	}
	t->has_thread = true;
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
	join(t);
	hasher_finish(t->hasher, ret);
	*ret_bytes = t->bytes;
	return 0;
}

void tee_free(struct tee *t)
{
	if (!t)
		return;
	join(t);
	hasher_free(t->hasher);
	for (size_t i = 0; i < RING; i++)
		free(t->ring[i].data);
	(void)pthread_cond_destroy(&t->changed);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}
