/* SPDX-License-Identifier: Apache-2.0 */
/* index/ in memory: one set of pairs, chained in two hash tables. */
#include "overlay/origin_map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct pair {
	struct pair *by_origin, *by_ino; /* chains */
	uint64_t origin, ino;
};

struct origin_map {
	pthread_mutex_t lock; /* guards all of it */
	struct pair **origins, **inos;
	size_t n_buckets, n;
};

static size_t bucket(const struct origin_map *m, uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(key >> 32) & (m->n_buckets - 1);
}

static void chain(struct origin_map *m, struct pair *p)
{
	struct pair **o = &m->origins[bucket(m, p->origin)], **i = &m->inos[bucket(m, p->ino)];

	p->by_origin = *o;
	*o = p;
	p->by_ino = *i;
	*i = p;
}

static int resize(struct origin_map *m, size_t n_buckets)
{
	struct pair **origins = calloc(n_buckets, sizeof(struct pair *));
	struct pair **inos = calloc(n_buckets, sizeof(struct pair *));
	struct origin_map old = *m;

	if (!origins || !inos) {
		free(origins);
		free(inos);
		return -ENOMEM;
	}
	m->origins = origins;
	m->inos = inos;
	m->n_buckets = n_buckets;
	for (size_t b = 0; b < old.n_buckets; b++)
		for (struct pair *next, *p = old.origins[b]; p; p = next) {
			next = p->by_origin;
			chain(m, p);
		}
	free(old.origins);
	free(old.inos);
	return 0;
}

struct origin_map *origin_map_new(void)
{
	struct origin_map *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	if (resize(m, 16) < 0) {
		free(m);
		return NULL;
	}
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void origin_map_free(struct origin_map *m)
{
	if (!m)
		return;
	for (size_t b = 0; b < m->n_buckets; b++)
		for (struct pair *next, *p = m->origins[b]; p; p = next) {
			next = p->by_origin;
			free(p);
		}
	pthread_mutex_destroy(&m->lock);
	free(m->origins);
	free(m->inos);
	free(m);
}

static struct pair *find_origin(const struct origin_map *m, uint64_t origin)
{
	struct pair *p = m->origins[bucket(m, origin)];

	while (p && p->origin != origin)
		p = p->by_origin;
	return p;
}

int origin_map_add(struct origin_map *m, uint64_t origin, uint64_t ino)
{
	struct pair *p;
	int r = 0;

	pthread_mutex_lock(&m->lock);
	if (m->n >= m->n_buckets)
		(void)resize(m, m->n_buckets * 2); /* else chains get longer */
	p = find_origin(m, origin) ? NULL : calloc(1, sizeof(*p));
	if (p) {
		p->origin = origin;
		p->ino = ino;
		chain(m, p);
		m->n++;
	} else {
		r = find_origin(m, origin) ? -EEXIST : -ENOMEM;
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

void origin_map_del(struct origin_map *m, uint64_t origin)
{
	struct pair *p, **at;

	pthread_mutex_lock(&m->lock);
	p = find_origin(m, origin);
	if (p) {
		for (at = &m->origins[bucket(m, origin)]; *at != p;)
			at = &(*at)->by_origin;
		*at = p->by_origin;
		for (at = &m->inos[bucket(m, p->ino)]; *at != p;)
			at = &(*at)->by_ino;
		*at = p->by_ino;
		m->n--;
		free(p);
	}
	pthread_mutex_unlock(&m->lock);
}

bool origin_map_by_origin(struct origin_map *m, uint64_t origin, uint64_t *ret_ino)
{
	const struct pair *p;

	pthread_mutex_lock(&m->lock);
	p = find_origin(m, origin);
	if (p)
		*ret_ino = p->ino;
	pthread_mutex_unlock(&m->lock);
	return p != NULL;
}

bool origin_map_by_ino(struct origin_map *m, uint64_t ino, uint64_t *ret_origin)
{
	const struct pair *p;

	pthread_mutex_lock(&m->lock);
	p = m->inos[bucket(m, ino)];
	while (p && p->ino != ino)
		p = p->by_ino;
	if (p)
		*ret_origin = p->origin;
	pthread_mutex_unlock(&m->lock);
	return p != NULL;
}

void origin_map_each(
	struct origin_map *m, void (*fn)(void *ctx, uint64_t origin, uint64_t ino), void *ctx)
{
	struct pair *all;
	size_t n = 0;

	pthread_mutex_lock(&m->lock);
	all = calloc(m->n ? m->n : 1, sizeof(*all));
	for (size_t b = 0; all && b < m->n_buckets; b++)
		for (const struct pair *p = m->origins[b]; p; p = p->by_origin)
			all[n++] = *p;
	pthread_mutex_unlock(&m->lock);
	for (size_t i = 0; i < n; i++)
		fn(ctx, all[i].origin, all[i].ino);
	free(all);
}
