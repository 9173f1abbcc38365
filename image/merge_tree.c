/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of a chain while its layers are merged
 *
 * One hash table over (directory, name) finds names; a list through each directory's names finds
 * what is in it.  The hash is keyed, so a hostile image cannot choose names that fall together.
 * Removed names stay in the array, unused: a chain that removes much was much larger anyway.
 *
 * Invariants: - a directory has exactly one name, the root none
 *             - all work on a name is done once for each time the layers mention it
 */
#include "image/merge_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK_BYTES 262144

struct merge_chunk {
	struct merge_chunk *next;
	size_t used;
	char bytes[CHUNK_BYTES];
};

/* A copy that lives as long as the tree. */
static const char *keep_string(struct merge_tree *t, const char *str, size_t len)
{
	struct merge_chunk *c = t->chunks;
	char *copy;

	if (!c || len > CHUNK_BYTES - c->used) {
		c = malloc(sizeof(*c));
		if (!c)
			return NULL;
		c->used = 0;
		c->next = t->chunks;
		t->chunks = c;
	}
	copy = c->bytes + c->used;
	memcpy(copy, str, len);
	c->used += len;
	return copy;
}

/* Double the room of an array of @size-byte elements until @n more than it has fit. */
static int grow(void **array, size_t *room, size_t n, size_t size)
{
	size_t want = *room ? *room : 1024;
	void *bigger;

	if (n > LIMIT_IDX_ROWS)
		return -EFBIG;
	if (n <= *room)
		return 0;
	while (want < n)
		want *= 2;
	bigger = reallocarray(*array, want, size);
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*room = want;
	return 0;
}

int merge_tree_init(struct merge_tree *t)
{
	const struct merge_inode root = {
		.m = { .mode = S_IFDIR | 0755 }, .ino = 1, .parent = MERGE_ROOT, .row = IDX_NONE
	};
	uint32_t inode;
	int r;

	memset(t, 0, sizeof(*t));
	/* Element 0 of both arrays stands for "none". */
	t->n_inodes = t->n_names = 1;
	t->n_buckets = 1024;
	t->buckets = calloc(t->n_buckets, sizeof(*t->buckets));
	r = hash_key_random(&t->key);
	if (r == 0)
		r = t->buckets ? grow((void **)&t->names, &t->names_room, 1, sizeof(*t->names))
			       : -ENOMEM;
	if (r == 0)
		r = merge_new_inode(t, &root, &inode);
	if (r < 0)
		merge_tree_done(t);
	return r;
}

void merge_tree_done(struct merge_tree *t)
{
	while (t->chunks) {
		struct merge_chunk *next = t->chunks->next;

		free(t->chunks);
		t->chunks = next;
	}
	free(t->inodes);
	free(t->names);
	free(t->buckets);
	memset(t, 0, sizeof(*t));
}

static uint32_t *bucket_of(const struct merge_tree *t, uint32_t dir, const char *str, size_t len)
{
	char key[sizeof(dir) + UINT8_MAX];

	memcpy(key, &dir, sizeof(dir));
	memcpy(key + sizeof(dir), str, len);
	return &t->buckets[hash_bytes(&t->key, key, sizeof(dir) + len) & (t->n_buckets - 1)];
}

uint32_t merge_find(const struct merge_tree *t, uint32_t dir, const char *str, size_t len)
{
	if (len > UINT8_MAX)
		return 0;
	for (uint32_t n = *bucket_of(t, dir, str, len); n; n = t->names[n].chain) {
		const struct merge_name *name = &t->names[n];

		if (name->dir == dir && name->len == len && memcmp(name->str, str, len) == 0)
			return n;
	}
	return 0;
}

int merge_new_inode(struct merge_tree *t, const struct merge_inode *in, uint32_t *ret_inode)
{
	int r = grow((void **)&t->inodes, &t->inodes_room, t->n_inodes + 1, sizeof(*t->inodes));

	if (r < 0)
		return r;
	*ret_inode = (uint32_t)t->n_inodes++;
	t->inodes[*ret_inode] = *in;
	return 0;
}

/* Keep the chains of the hash table about one name long. */
static int grow_buckets(struct merge_tree *t)
{
	size_t n = t->n_buckets * 2;
	uint32_t *buckets;

	if (t->n_names < t->n_buckets)
		return 0;
	buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
	for (uint32_t i = 1; i < t->n_names; i++) {
		struct merge_name *name = &t->names[i];
		uint32_t *b;

		if (!name->inode)
			continue;
		b = bucket_of(t, name->dir, name->str, name->len);
		name->chain = *b;
		*b = i;
	}
	return 0;
}

int merge_link(struct merge_tree *t, uint32_t dir, const char *str, size_t len, uint32_t inode)
{
	int r = grow((void **)&t->names, &t->names_room, t->n_names + 1, sizeof(*t->names));
	struct merge_inode *d = &t->inodes[dir], *in = &t->inodes[inode];
	const char *copy;
	uint32_t n, *b;

	if (r == 0)
		r = grow_buckets(t);
	if (r < 0)
		return r;
	copy = keep_string(t, str, len);
	if (!copy)
		return -ENOMEM;
	n = (uint32_t)t->n_names++;
	b = bucket_of(t, dir, str, len);
	t->names[n] = (struct merge_name){ .str = copy,
		.len = (uint8_t)len,
		.dir = dir,
		.inode = inode,
		.next = d->first,
		.chain = *b };
	*b = n;
	if (d->first)
		t->names[d->first].prev = n;
	d->first = n;
	d->n_entries++;
	in->nlink++;
	if (merge_is_dir(in)) {
		in->parent = dir;
		in->depth = d->depth + 1;
		d->n_subdirs++;
	}
	return 0;
}

/* Take one name out of its directory and the hash table; what it named stays. */
static void detach(struct merge_tree *t, uint32_t n)
{
	struct merge_name *name = &t->names[n];
	struct merge_inode *d = &t->inodes[name->dir], *in = &t->inodes[name->inode];
	uint32_t *b = bucket_of(t, name->dir, name->str, name->len);

	while (*b != n)
		b = &t->names[*b].chain;
	*b = name->chain;
	if (name->prev)
		t->names[name->prev].next = name->next;
	else
		d->first = name->next;
	if (name->next)
		t->names[name->next].prev = name->prev;
	d->n_entries--;
	in->nlink--;
	if (merge_is_dir(in))
		d->n_subdirs--;
	if (merge_is_dir(in) || merge_is_symlink(in))
		t->epoch++;
	name->inode = 0;
}

void merge_empty(struct merge_tree *t, uint32_t dir)
{
	uint32_t here = dir;

	/* Depth first without a stack: an emptied directory is detached from its parent. */
	for (;;) {
		uint32_t n = t->inodes[here].first;

		if (n && merge_is_dir(&t->inodes[t->names[n].inode]) &&
			t->inodes[t->names[n].inode].first)
			here = t->names[n].inode;
		else if (n)
			detach(t, n);
		else if (here == dir)
			break;
		else
			here = t->inodes[here].parent;
	}
}

void merge_unlink(struct merge_tree *t, uint32_t n)
{
	uint32_t inode = t->names[n].inode;

	if (merge_is_dir(&t->inodes[inode]))
		merge_empty(t, inode);
	detach(t, n);
}
