/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of an upper directory: a treap ordered by offset
 *
 * Invariants: - of names with one home, the smallest (memcmp) stands first
 *             - between a home that is in use and the last name of that home no number is free, so
 *               a search may end at the first free one
 */
#include "overlay/dnames.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BITS 61

uint64_t dn_home(const char *name, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	return DN_OFF_UPPER | (h & ((UINT64_C(1) << HASH_BITS) - 1));
}

/* A generator that only has to be unpredictable by file names: the seed is an address. */
static uint32_t next_priority(struct dnames *d)
{
	if (d->seed == 0)
		d->seed = (uint64_t)(uintptr_t)d | 1;
	d->seed ^= d->seed << 13;
	d->seed ^= d->seed >> 7;
	d->seed ^= d->seed << 17;
	return (uint32_t)(d->seed >> 32);
}

/* Split @t into offsets below @off and the rest. */
static void split(struct dname *t, uint64_t off, struct dname **lo, struct dname **hi)
{
	while (t) {
		if (t->off < off) {
			*lo = t;
			lo = &t->right;
			t = t->right;
		} else {
			*hi = t;
			hi = &t->left;
			t = t->left;
		}
	}
	*lo = NULL;
	*hi = NULL;
}

static struct dname *merge(struct dname *lo, struct dname *hi)
{
	struct dname *root = NULL, **at = &root;

	while (lo && hi) {
		if (lo->priority > hi->priority) {
			*at = lo;
			at = &lo->right;
			lo = lo->right;
		} else {
			*at = hi;
			at = &hi->left;
			hi = hi->left;
		}
	}
	*at = lo ? lo : hi;
	return root;
}

static void tree_insert(struct dnames *d, struct dname *e)
{
	struct dname **at = &d->root;

	while (*at && (*at)->priority >= e->priority)
		at = e->off < (*at)->off ? &(*at)->left : &(*at)->right;
	split(*at, e->off, &e->left, &e->right);
	*at = e;
}

static void tree_remove(struct dnames *d, const struct dname *e)
{
	struct dname **at = &d->root;

	while (*at != e)
		at = e->off < (*at)->off ? &(*at)->left : &(*at)->right;
	*at = merge(e->left, e->right);
}

static struct dname *at_off(const struct dnames *d, uint64_t off)
{
	struct dname *t = d->root;

	while (t && t->off != off)
		t = off < t->off ? t->left : t->right;
	return t;
}

static int compare(const struct dname *e, const char *name, size_t len)
{
	size_t n = e->len < len ? e->len : len;
	int c = memcmp(e->name, name, n);

	return c ? c : (e->len > len) - (e->len < len);
}

/* Put @e at its home or behind it; those of the same home with greater names move up by one. */
static void place(struct dnames *d, struct dname *e)
{
	uint64_t off = e->home;

	for (;;) {
		struct dname *other = at_off(d, off);

		e->off = off;
		if (other && other->home == e->home && compare(other, e->name, e->len) > 0) {
			tree_remove(d, other);
			tree_insert(d, e);
			e = other;
		} else if (!other) {
			tree_insert(d, e);
			return;
		}
		off++;
	}
}

static void count(struct dnames *d, const struct dname *e, int sign)
{
	if (!(e->flags & DN_WHITEOUT)) {
		d->n_shown += (size_t)sign;
		if (e->type == DT_DIR)
			d->n_dirs_more += sign;
	}
	if (e->lower_type == DT_DIR)
		d->n_dirs_more -= sign;
}

int dn_add(struct dnames *d, uint64_t home, const char *name, size_t len, struct dname **ret)
{
	struct dname *e = calloc(1, sizeof(*e) + len + 1);

	if (!e)
		return -ENOMEM;
	e->home = home;
	e->len = (uint8_t)len;
	e->priority = next_priority(d);
	memcpy(e->name, name, len);
	place(d, e);
	d->n++;
	count(d, e, 1);
	*ret = e;
	return 0;
}

void dn_set(
	struct dnames *d, struct dname *e, uint8_t type, enum dname_flags flags, uint8_t lower_type)
{
	count(d, e, -1);
	e->type = type;
	e->flags = (uint8_t)flags;
	e->lower_type = lower_type;
	count(d, e, 1);
}

struct dname *dn_get(const struct dnames *d, uint64_t home, const char *name, size_t len)
{
	for (uint64_t off = home;; off++) {
		struct dname *e = at_off(d, off);

		if (!e || compare(e, name, len) == 0)
			return e;
		if (home < DN_OFF_UPPER)
			return NULL;
	}
}

void dn_del(struct dnames *d, struct dname *e)
{
	uint64_t off = e->off;
	struct dname *next;

	tree_remove(d, e);
	count(d, e, -1);
	d->n--;
	free(e);
	if (off < DN_OFF_UPPER)
		return;
	/* Close the gap, or searches would end in it; what stands at its home may stay there. */
	while ((next = at_off(d, ++off)))
		if (next->home < off) {
			tree_remove(d, next);
			place(d, next);
		}
}

struct dname *dn_next(const struct dnames *d, uint64_t off)
{
	struct dname *t = d->root, *best = NULL;

	while (t) {
		if (t->off >= off) {
			best = t;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return best;
}

void dn_done(struct dnames *d)
{
	struct dname *t = d->root;

	/* Rotate left children up until the tree is a list: no stack, no recursion. */
	while (t) {
		struct dname *l = t->left;

		if (l) {
			t->left = l->right;
			l->right = t;
			t = l;
		} else {
			l = t->right;
			free(t);
			t = l;
		}
	}
	memset(d, 0, sizeof(*d));
}
