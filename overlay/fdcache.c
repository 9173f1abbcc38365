/* SPDX-License-Identifier: Apache-2.0 */
/* Open descriptors of inodes: a list in the order of use. */
#include "overlay/fdcache.h"

#include "base/cleanup.h"
#include <pthread.h>
#include <stdbool.h>

struct fd_slot {
	struct fd_slot *prev, *next; /* in the ring of slots that have a home */
	struct fd_slot **home; /* NULL: dropped, closed at its last release */
	int fd;
	uint32_t n_users;
};

struct fd_cache {
	pthread_mutex_t lock; /* guards everything here, slots, and their homes */
	struct fd_slot ring; /* ring.next was used last */
	uint32_t n, max;
};

int fdc_new(struct fd_cache **ret, uint32_t max)
{
	struct fd_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->ring.prev = c->ring.next = &c->ring;
	c->max = max;
	*ret = c;
	return 0;
}

static void unchain(struct fd_cache *c, struct fd_slot *s)
{
	s->prev->next = s->next;
	s->next->prev = s->prev;
	*s->home = NULL;
	s->home = NULL;
	c->n--;
}

static void chain_first(struct fd_cache *c, struct fd_slot *s)
{
	s->next = c->ring.next;
	s->prev = &c->ring;
	s->next->prev = s;
	c->ring.next = s;
}

static void destroy(struct fd_slot *s)
{
	(void)close(s->fd);
	free(s);
}

void fdc_free(struct fd_cache *c)
{
	if (!c)
		return;
	while (c->ring.next != &c->ring) {
		struct fd_slot *s = c->ring.next;

		unchain(c, s);
		destroy(s);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void use(struct fd_cache *c, struct fd_slot *s, struct fd_ref *ret)
{
	s->n_users++;
	s->prev->next = s->next;
	s->next->prev = s->prev;
	chain_first(c, s);
	*ret = (struct fd_ref){ s->fd, s };
}

int fdc_get_at(struct fd_cache *c, struct fd_slot **home, struct fd_ref *ret)
{
	int found = 0;

	pthread_mutex_lock(&c->lock);
	if (*home) {
		use(c, *home, ret);
		found = 1;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* The slot that was not used for longest, taken out of the ring; NULL if there is room. */
static struct fd_slot *evict_one(struct fd_cache *c)
{
	if (c->n <= c->max)
		return NULL;
	for (struct fd_slot *s = c->ring.prev; s != &c->ring; s = s->prev)
		if (s->n_users == 0) {
			unchain(c, s);
			return s;
		}
	return NULL;
}

int fdc_put_take_fd_at(struct fd_cache *c, struct fd_slot **home, int fd, struct fd_ref *ret)
{
	struct fd_slot *fresh = calloc(1, sizeof(*fresh)), *old;

	if (!fresh) {
		(void)close(fd);
		return -ENOMEM;
	}
	fresh->fd = fd;
	pthread_mutex_lock(&c->lock);
	if (*home) {
		use(c, *home, ret);
		old = fresh;
	} else {
		fresh->home = home;
		*home = fresh;
		c->n++;
		fresh->n_users = 1;
		chain_first(c, fresh);
		*ret = (struct fd_ref){ fd, fresh };
		old = evict_one(c);
	}
	pthread_mutex_unlock(&c->lock);
	if (old)
		destroy(old);
	return 0;
}

void fdc_release(struct fd_cache *c, struct fd_ref *r)
{
	struct fd_slot *s = r->slot;
	bool dead = false;

	if (s) {
		pthread_mutex_lock(&c->lock);
		dead = --s->n_users == 0 && !s->home;
		pthread_mutex_unlock(&c->lock);
	}
	if (dead)
		destroy(s);
	*r = (struct fd_ref){ -1, NULL };
}

int fdc_take_at(struct fd_cache *c, struct fd_slot **home)
{
	struct fd_slot *s;
	int fd = -1;

	pthread_mutex_lock(&c->lock);
	s = *home;
	if (s && s->n_users == 0) {
		unchain(c, s);
		fd = s->fd;
	} else {
		s = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	free(s);
	return fd;
}

void fdc_drop_at(struct fd_cache *c, struct fd_slot **home)
{
	struct fd_slot *s;
	bool dead = false;

	pthread_mutex_lock(&c->lock);
	s = *home;
	if (s) {
		unchain(c, s);
		dead = s->n_users == 0;
	}
	pthread_mutex_unlock(&c->lock);
	if (dead)
		destroy(s);
}
