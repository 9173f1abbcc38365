/* SPDX-License-Identifier: Apache-2.0 */
/* The node table (how it is built is said in the header). */
#include "overlay/node.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/mman.h>

#define N_SHARDS 64

struct row {
	struct node *node; /* shard lock */
	uint64_t n_lookup; /* shard lock */
	uint64_t ordinal_plus_1; /* shard lock; of the name that it was found by last; 0: none */
	uint32_t dir; /* shard lock; of that name */
};

struct shard {
	pthread_mutex_t lock;
	struct node **buckets; /* born nodes, chained by hash_next */
	size_t n_buckets; /* a power of two */
	size_t n;
	uint64_t n_nodes; /* structs, of rows and born */
	char pad[64];
};

struct node_table {
	uint64_t n_handles;
	struct row *rows;
	uint64_t rows_used; /* atomic; structs stand in rows below this */
	struct shard shards[N_SHARDS];
	void (*drop)(void *ctx, struct node *n);
	void (*unused)(void *ctx, uint64_t handle);
	void *ctx;
};

static uint64_t mix(uint64_t id)
{
	id *= UINT64_C(0x9e3779b97f4a7c15);
	return id ^ id >> 32;
}

static struct shard *shard_of(struct node_table *t, uint64_t id)
{
	return &t->shards[mix(id) % N_SHARDS];
}

uint64_t node_id_handle(const struct node_table *t, uint64_t id)
{
	return id >= 1 && id - 1 < t->n_handles ? id - 1 : NODE_NO_HANDLE;
}

static struct row *row_of(struct node_table *t, uint64_t id)
{
	uint64_t handle = node_id_handle(t, id);

	return handle == NODE_NO_HANDLE ? NULL : &t->rows[handle];
}

int node_table_new(struct node_table **ret, uint64_t n_handles)
{
	struct node_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->n_handles = n_handles;
	t->rows = mmap(NULL, n_handles * sizeof(*t->rows), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->rows == MAP_FAILED) {
		free(t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < N_SHARDS; i++)
		pthread_mutex_init(&t->shards[i].lock, NULL);
	*ret = t;
	return 0;
}

void node_table_on_free(struct node_table *t, void (*drop)(void *ctx, struct node *n), void *ctx)
{
	t->drop = drop;
	t->ctx = ctx;
}

void node_table_on_unused(struct node_table *t, void (*unused)(void *ctx, uint64_t handle))
{
	t->unused = unused;
}

bool node_handle_in_use(struct node_table *t, uint64_t handle)
{
	struct shard *s = shard_of(t, node_id_of_handle(handle));
	bool used;

	pthread_mutex_lock(&s->lock);
	used = t->rows[handle].node || t->rows[handle].n_lookup > 0;
	pthread_mutex_unlock(&s->lock);
	return used;
}

static void say_unused(struct node_table *t, uint64_t id)
{
	uint64_t handle = node_id_handle(t, id);

	if (t->unused && handle != NODE_NO_HANDLE)
		t->unused(t->ctx, handle);
}

/* Free a node that is in no table; its names are handed out, for their parents need a put. */
static struct node_link *destroy(struct node_table *t, struct node *n)
{
	struct node_link *links = n->links;

	if (t->drop)
		t->drop(t->ctx, n);
	say_unused(t, n->id);
	dn_done(&n->names);
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->changed);
	free(n);
	return links;
}

void node_table_free(struct node_table *t)
{
	if (!t)
		return;
	for (uint64_t i = 0; i < N_SHARDS; i++) {
		struct shard *s = &t->shards[i];

		for (size_t b = 0; b < s->n_buckets; b++)
			while (s->buckets[b]) {
				struct node *n = s->buckets[b];

				s->buckets[b] = n->hash_next;
				for (struct node_link *next, *l = destroy(t, n); l; l = next) {
					next = l->next;
					free(l);
				}
				s->n_nodes--;
			}
		free(s->buckets);
	}
	/* Reading the rows would page all of them in: look only where nodes are left. */
	for (uint64_t h = 0; node_count(t) > 0 && h < t->rows_used; h++)
		if (t->rows[h].node) {
			for (struct node_link *next, *l = destroy(t, t->rows[h].node); l;
				l = next) {
				next = l->next;
				free(l);
			}
			shard_of(t, node_id_of_handle(h))->n_nodes--;
		}
	for (size_t i = 0; i < N_SHARDS; i++)
		pthread_mutex_destroy(&t->shards[i].lock);
	(void)munmap(t->rows, t->n_handles * sizeof(*t->rows));
	free(t);
}

uint64_t node_count(struct node_table *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < N_SHARDS; i++) {
		pthread_mutex_lock(&t->shards[i].lock);
		n += t->shards[i].n_nodes;
		pthread_mutex_unlock(&t->shards[i].lock);
	}
	return n;
}

/* ---- look-up; the shard is locked ---- */

static struct node **slot_of(struct node_table *t, struct shard *s, uint64_t id)
{
	struct row *row = row_of(t, id);
	struct node **at;

	if (row)
		return &row->node;
	if (!s->n_buckets)
		return NULL;
	at = &s->buckets[(mix(id) / N_SHARDS) & (s->n_buckets - 1)];
	while (*at && (*at)->id != id)
		at = &(*at)->hash_next;
	return at;
}

static void grow(struct shard *s)
{
	size_t n = s->n_buckets ? s->n_buckets * 2 : 64;
	struct node **v = calloc(n, sizeof(struct node *));

	if (!v)
		return; /* chains get longer: slower, not wrong */
	for (size_t b = 0; b < s->n_buckets; b++)
		while (s->buckets[b]) {
			struct node *node = s->buckets[b];
			size_t at = (mix(node->id) / N_SHARDS) & (n - 1);

			s->buckets[b] = node->hash_next;
			node->hash_next = v[at];
			v[at] = node;
		}
	free(s->buckets);
	s->buckets = v;
	s->n_buckets = n;
}

static uint64_t *lookups_of(struct node_table *t, struct node *n)
{
	struct row *row = row_of(t, n->id);

	return row ? &row->n_lookup : &n->n_lookup;
}

/* Take a node that nobody needs out of the table; true if the caller has to destroy it. */
static bool unhash_if_unused(struct node_table *t, struct shard *s, struct node *n)
{
	struct node **at;

	if (n->n_refs > 0 || *lookups_of(t, n) > 0)
		return false;
	at = slot_of(t, s, n->id);
	*at = n->hash_next;
	if (!row_of(t, n->id))
		s->n--;
	s->n_nodes--;
	return true;
}

struct node *node_find(struct node_table *t, uint64_t id)
{
	struct shard *s = shard_of(t, id);
	struct row *row = row_of(t, id);
	struct node **at, *n;

	/* The usual case takes no lock: nobody changed this inode. */
	if (row && !__atomic_load_n(&row->node, __ATOMIC_ACQUIRE))
		return NULL;
	pthread_mutex_lock(&s->lock);
	at = slot_of(t, s, id);
	n = at ? *at : NULL;
	if (n)
		n->n_refs++;
	pthread_mutex_unlock(&s->lock);
	return n;
}

struct node *node_new(uint64_t id, uint64_t handle, uint64_t ino, uint32_t fmt)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->id = id;
	n->handle = handle;
	n->ino = ino;
	n->fmt = fmt;
	n->n_refs = 1;
	n->orphan_fd = NODE_FD_NONE;
	n->cut = UINT64_MAX;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->changed, NULL);
	return n;
}

/* Destroy a node and let go of its parents; these may die too, hence the list. */
static void destroy_chain(struct node_table *t, struct node *n)
{
	struct node_link *todo = destroy(t, n);

	while (todo) {
		struct node_link *l = todo, *more = NULL;
		struct shard *s = shard_of(t, l->parent->id);
		bool dead;

		todo = l->next;
		pthread_mutex_lock(&s->lock);
		l->parent->n_refs--;
		dead = unhash_if_unused(t, s, l->parent);
		pthread_mutex_unlock(&s->lock);
		if (dead)
			more = destroy(t, l->parent);
		free(l);
		while (more) {
			struct node_link *next = more->next;

			more->next = todo;
			todo = more;
			more = next;
		}
	}
}

void node_put_fresh(struct node_table *t, struct node *fresh)
{
	destroy_chain(t, fresh);
}

/* Structs stand in rows up to this one. */
static void note_row(struct node_table *t, uint64_t id)
{
	uint64_t used = __atomic_load_n(&t->rows_used, __ATOMIC_RELAXED);

	while (used < id && !__atomic_compare_exchange_n(&t->rows_used, &used, id, true,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

struct node *node_publish(struct node_table *t, struct node *fresh)
{
	struct shard *s = shard_of(t, fresh->id);
	struct node **at, *n;

	pthread_mutex_lock(&s->lock);
	if (!row_of(t, fresh->id) && s->n >= s->n_buckets)
		grow(s);
	at = slot_of(t, s, fresh->id);
	n = at ? *at : NULL;
	if (n) {
		n->n_refs++;
	} else if (at) {
		fresh->hash_next = NULL;
		__atomic_store_n(at, fresh, __ATOMIC_RELEASE);
		if (!row_of(t, fresh->id))
			s->n++;
		else
			note_row(t, fresh->id);
		s->n_nodes++;
		n = fresh;
		fresh = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (fresh)
		node_put_fresh(t, fresh);
	return n;
}

struct node *node_ref(struct node_table *t, struct node *n)
{
	struct shard *s = shard_of(t, n->id);

	pthread_mutex_lock(&s->lock);
	n->n_refs++;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void node_put(struct node_table *t, struct node *n)
{
	struct shard *s;
	bool dead;

	if (!n)
		return;
	s = shard_of(t, n->id);
	pthread_mutex_lock(&s->lock);
	n->n_refs--;
	dead = unhash_if_unused(t, s, n);
	pthread_mutex_unlock(&s->lock);
	if (dead)
		destroy_chain(t, n);
}

bool node_looked_up(struct node_table *t, uint64_t id)
{
	struct shard *s = shard_of(t, id);
	struct row *row = row_of(t, id);
	struct node **at;
	bool known = true;

	pthread_mutex_lock(&s->lock);
	if (row) {
		row->n_lookup++;
	} else {
		at = slot_of(t, s, id);
		known = at && *at;
		if (known)
			(*at)->n_lookup++;
	}
	pthread_mutex_unlock(&s->lock);
	return known;
}

void node_forget(struct node_table *t, uint64_t id, uint64_t n)
{
	struct shard *s = shard_of(t, id);
	struct row *row = row_of(t, id);
	struct node **at, *node;
	uint64_t *count;
	bool dead = false, unused = false;

	pthread_mutex_lock(&s->lock);
	at = slot_of(t, s, id);
	node = at ? *at : NULL;
	count = row ? &row->n_lookup : node ? &node->n_lookup : NULL;
	if (count) {
		*count -= n < *count ? n : *count;
		unused = !node && *count == 0;
		if (node)
			dead = unhash_if_unused(t, s, node);
	}
	pthread_mutex_unlock(&s->lock);
	if (dead)
		destroy_chain(t, node);
	else if (unused)
		say_unused(t, id);
}

void node_set_alias(struct node_table *t, uint64_t handle, uint64_t dir, uint64_t ordinal)
{
	struct shard *s = shard_of(t, node_id_of_handle(handle));

	pthread_mutex_lock(&s->lock);
	t->rows[handle].dir = (uint32_t)dir;
	t->rows[handle].ordinal_plus_1 = ordinal + 1;
	pthread_mutex_unlock(&s->lock);
}

bool node_alias(struct node_table *t, uint64_t handle, struct lower_name *ret)
{
	struct shard *s = shard_of(t, node_id_of_handle(handle));
	bool known;

	pthread_mutex_lock(&s->lock);
	known = t->rows[handle].ordinal_plus_1 != 0;
	ret->dir = t->rows[handle].dir;
	ret->ordinal = t->rows[handle].ordinal_plus_1 - 1;
	pthread_mutex_unlock(&s->lock);
	return known;
}

void node_clear_alias(struct node_table *t, uint64_t handle, const struct lower_name *gone)
{
	struct shard *s = shard_of(t, node_id_of_handle(handle));
	struct row *row = &t->rows[handle];

	pthread_mutex_lock(&s->lock);
	if (row->dir == gone->dir && row->ordinal_plus_1 == gone->ordinal + 1)
		row->ordinal_plus_1 = 0;
	pthread_mutex_unlock(&s->lock);
}

/* ---- locks of several nodes ---- */

static bool stands_before(struct node *const *v, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (v[k] == v[i])
			return true;
	return false;
}

void node_lock_all(struct node *const *v, size_t n)
{
	size_t first = 0;

	for (;;) {
		size_t i;

		if (v[first])
			pthread_mutex_lock(&v[first]->lock);
		for (i = 0; i < n; i++) {
			if (!v[i] || v[i] == v[first] || stands_before(v, i))
				continue;
			if (pthread_mutex_trylock(&v[i]->lock) != 0)
				break;
		}
		if (i == n)
			return;
		/* Let go of what we hold and wait for the one that was taken. */
		for (size_t k = 0; k < i; k++)
			if (v[k] && v[k] != v[first] && !stands_before(v, k))
				pthread_mutex_unlock(&v[k]->lock);
		if (v[first])
			pthread_mutex_unlock(&v[first]->lock);
		first = i;
	}
}

void node_unlock_all(struct node *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] && !stands_before(v, i))
			pthread_mutex_unlock(&v[i]->lock);
}

/* ---- names ---- */

struct node_link *node_link_find(
	const struct node *n, const struct node *parent, const char *name, size_t len)
{
	for (struct node_link *l = n->links; l; l = l->next)
		if (l->parent == parent && l->len == len && memcmp(l->name, name, len) == 0)
			return l;
	return NULL;
}

int node_link_add(
	struct node_table *t, struct node *n, struct node *parent, const char *name, size_t len)
{
	struct node_link *l = node_link_find(n, parent, name, len);

	if (l)
		return 0;
	l = calloc(1, sizeof(*l) + len + 1);
	if (!l)
		return -ENOMEM;
	l->parent = node_ref(t, parent);
	l->len = (uint8_t)len;
	memcpy(l->name, name, len);
	l->next = n->links;
	n->links = l;
	return 0;
}

struct node_link *node_link_del(
	struct node *n, const struct node *parent, const char *name, size_t len)
{
	struct node_link *l = node_link_find(n, parent, name, len);

	for (struct node_link **at = &n->links; l && *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	return l;
}

void node_link_free(struct node_table *t, struct node_link *l)
{
	if (!l)
		return;
	node_put(t, l->parent);
	free(l);
}
