/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Open descriptors of inodes: few, reused, closed when others need the room
 *
 * With opens that are never announced, a daemon cannot hold a descriptor per open file; it opens
 * what it needs and keeps the most recently used.  Any thread; the cache's lock is a leaf.
 */

#include "overlay/node.h"

#include <stdint.h>

struct fd_cache;
struct fd_slot;

/* A descriptor in use: it is not closed before fdc_release(). */
struct fd_ref {
	int fd;
	struct fd_slot *slot; /* NULL: not the cache's, nothing to release */
};

/** fdc_new() - a cache that keeps about @max descriptors open */
int fdc_new(struct fd_cache **ret, uint32_t max);
void fdc_free(struct fd_cache *c);

/** fdc_get_at() - the descriptor that has its home at @home, if it is open; 1 or 0 */
int fdc_get_at(struct fd_cache *c, struct fd_slot **home, struct fd_ref *ret);

/**
 * fdc_put_take_fd_at() - keep a descriptor
 * @home: of the owner: points at the slot while the descriptor is open; guarded by the cache
 * @fd:   consumed; if another thread was faster, theirs is used and @fd closed
 */
int fdc_put_take_fd_at(struct fd_cache *c, struct fd_slot **home, int fd, struct fd_ref *ret);

void fdc_release(struct fd_cache *c, struct fd_ref *r);

/** fdc_take_at() - the descriptor, the caller's own from now on, if it is open and unused; or -1 */
int fdc_take_at(struct fd_cache *c, struct fd_slot **home);

/** fdc_drop_at() - forget the descriptor; it is closed when nobody uses it any more */
void fdc_drop_at(struct fd_cache *c, struct fd_slot **home);

/* The same for the upper inodes of nodes. */
static inline int fdc_get(struct fd_cache *c, struct node *n, struct fd_ref *ret)
{
	return fdc_get_at(c, &n->slot, ret);
}

static inline int fdc_put_take_fd(struct fd_cache *c, struct node *n, int fd, struct fd_ref *ret)
{
	return fdc_put_take_fd_at(c, &n->slot, fd, ret);
}

static inline void fdc_drop(struct fd_cache *c, struct node *n)
{
	fdc_drop_at(c, &n->slot);
}
