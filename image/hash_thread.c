/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that hashes (the contract is in the header)
 *
 *      n_pushed    pieces that were pushed, ever; piece i lies in queue[i % HASH_QUEUE]
 *      n_hashed    pieces that were hashed, ever; n_pushed - n_hashed is at most HASH_QUEUE
 *
 * Locking: lock guards n_pushed, n_hashed and stop.  A piece is constant from its push until it is
 *          hashed, so its bytes are read without the lock.
 */
#include "image/hash_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct piece {
	const void *data;
	size_t len;
};

struct hash_thread {
	struct hasher *hasher; /* the thread's until it ended */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of the fields below */
	uint64_t n_pushed, n_hashed; /* lock */
	bool stop; /* lock; no more pieces will come */
	struct piece queue[HASH_QUEUE];
};

static void *hash_pieces(void *arg)
{
	struct hash_thread *h = arg;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		const struct piece *p = &h->queue[h->n_hashed % HASH_QUEUE];

		if (h->n_hashed == h->n_pushed) {
			if (h->stop)
				break;
			pthread_cond_wait(&h->changed, &h->lock);
			continue;
		}
		pthread_mutex_unlock(&h->lock);
		hasher_update(h->hasher, p->data, p->len);
		pthread_mutex_lock(&h->lock);
		h->n_hashed++;
		pthread_cond_broadcast(&h->changed);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

void hash_thread_wait(struct hash_thread *h, unsigned int n)
{
	pthread_mutex_lock(&h->lock);
	while (h->n_pushed - h->n_hashed > n)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

void hash_thread_push(struct hash_thread *h, const void *data, size_t len)
{
	pthread_mutex_lock(&h->lock);
	while (h->n_pushed - h->n_hashed == HASH_QUEUE)
		pthread_cond_wait(&h->changed, &h->lock);
	h->queue[h->n_pushed % HASH_QUEUE] = (struct piece){ data, len };
	h->n_pushed++;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void join(struct hash_thread *h)
{
	if (!h->has_thread)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	(void)pthread_join(h->thread, NULL);
	h->has_thread = false;
}

int hash_thread_new(struct hash_thread **ret, uint16_t alg)
{
	struct hash_thread *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_cond_init(&h->changed, NULL);
	r = hasher_new(&h->hasher, alg);
	if (r == 0)
		r = -pthread_create(&h->thread, NULL, hash_pieces, h);
	if (r < 0) {
		hash_thread_free(h);
		return r;
	}
	h->has_thread = true;
	*ret = h;
	return 0;
}

void hash_thread_finish(struct hash_thread *h, struct idx_digest *ret)
{
	join(h);
	hasher_finish(h->hasher, ret);
}

void hash_thread_free(struct hash_thread *h)
{
	if (!h)
		return;
	join(h);
	hasher_free(h->hasher);
	(void)pthread_cond_destroy(&h->changed);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}
