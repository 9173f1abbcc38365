/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The node table: all state of a mount that concerns an inode
 *
 *      node id     1 … n_handles         lower inodes: handle + 1 (the root is 1)
 *                  bit 62 | inode        inodes born in the upper
 *
 * An inode of the lower that nobody changed has a row in a lazily paged array and no struct node.
 * It gets one when an upper copy exists or is made, when a name is removed, when it has several
 * names, and when it is a directory above such a thing.  A struct lives while the kernel knows the
 * inode, while a child's struct points at it, and while somebody uses it; after that, what it knew
 * can be read from the upper again.
 *
 * Locking: shard locks (leaves, inside node.c) guard look-up counts, references and membership;
 * node->lock the state of a node.  Several node locks are taken by node_lock_all() only.
 */

#include "overlay/dnames.h"
#include "overlay/lower.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NODE_ROOT      UINT64_C(1)
#define NODE_BORN      (UINT64_C(1) << 62) /* bit of the ids of inodes born in the upper */
#define NODE_NO_HANDLE UINT64_MAX
#define NODE_FD_NONE   (-1)

struct node;

/* A name of an upper inode that we know.  Directories have one, the root none. */
struct node_link {
	struct node_link *next;
	struct node *parent; /* a reference */
	uint8_t len;
	char name[]; /* NUL-terminated */
};

enum node_flags {
	NODE_UPPER = 1 << 0, /* metadata (and, but for NODE_META_ONLY, data) are in the upper */
	NODE_META_ONLY = 1 << 1, /* the data is still the lower's */
	NODE_COPYING = 1 << 2, /* one thread copies it up; wait on node->changed */
	NODE_GONE = 1 << 3, /* no name is left */
	NODE_INDEXED = 1 << 4, /* index/ holds a link to the upper inode */
	NODE_LISTED = 1 << 5, /* directory: names holds all that the upper directory has */
	NODE_IN_ORPHANS = 1 << 6, /* no name is known: kept as a file in work/orphans */
	NODE_ALONE =
		1 << 7, /* directory: nothing of the lower one that it is a copy of shows in it */
	NODE_MOVED = 1 << 8, /* directory: pinned, since the lower has it somewhere else */
	NODE_FD_READ_ONLY = 1 << 9, /* the descriptor that is kept may be one that cannot write */
	NODE_SIMPLE = 1 << 10, /* upper: a file is known to have no ACL, capability and set-id bit,
				 a directory no default ACL and set-gid bit; not looked for again */
};

/* Owner, mode and type that the upper's inode itself cannot have. */
struct node_override {
	bool set;
	uint32_t uid, gid; /* the image's numbering */
	uint32_t mode; /* with S_IFMT; type 0: the inode's own */
	uint32_t major, minor;
};

struct fd_slot; /* overlay/fdcache.h */

struct node {
	/* constant */
	uint64_t id;
	uint64_t handle; /* of the lower inode that it is or is a copy of, or NODE_NO_HANDLE */
	uint64_t ino; /* what clients see */
	/* the shard's lock */
	struct node *hash_next;
	uint64_t n_lookup; /* only of born nodes; the others count in their row */
	uint32_t n_refs;
	/* fd cache's lock */
	struct fd_slot *slot;
	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* NODE_COPYING was cleared */
	uint32_t flags; /* enum node_flags; NODE_UPPER and NODE_GONE are also read without the lock
			 */
	uint32_t fmt; /* S_IFMT as clients see it; constant */
	uint64_t upper_ino; /* with NODE_UPPER */
	struct node_link *links; /* of directories: changes under fs->tree too */
	uint64_t cut; /* with NODE_META_ONLY: of the lower's data, this much counts */
	uint32_t n_lower_names; /* visible names that the upper does not have */
	struct node_override ov;
	int orphan_fd; /* where no name is known; or NODE_FD_NONE */
	uint32_t n_attr_changes; /* of owner or mode, by clients */
	struct timespec mtime; /* with mtime_kept: what writes from the page cache restore */
	bool mtime_kept;
	struct dnames names; /* of an upper directory, with NODE_LISTED */
};

struct node_table;

/** node_table_new() - @n_handles: handles of the lower are below this */
int node_table_new(struct node_table **ret, uint64_t n_handles);
/** node_table_free() - also of nodes that the kernel never forgot; calls @drop as node_put() does
 */
void node_table_free(struct node_table *t);

/** node_table_on_free() - @drop releases what the table does not know (fds) before a node dies */
void node_table_on_free(struct node_table *t, void (*drop)(void *ctx, struct node *n), void *ctx);

/**
 * node_table_on_unused() - @unused hears of handles whose inode neither the kernel nor a struct
 * needs any more, with the context of node_table_on_free(); no lock is held
 */
void node_table_on_unused(struct node_table *t, void (*unused)(void *ctx, uint64_t handle));
/** node_handle_in_use() - does the kernel or a struct need it now? */
bool node_handle_in_use(struct node_table *t, uint64_t handle);

static inline uint64_t node_id_of_handle(uint64_t handle)
{
	return handle + 1;
}

/** node_id_handle() - the handle behind an id, or NODE_NO_HANDLE for born inodes and nonsense */
uint64_t node_id_handle(const struct node_table *t, uint64_t id);

/** node_find() - the struct of a node with a new reference; NULL if there is none */
struct node *node_find(struct node_table *t, uint64_t id);

/** node_new() - a struct that is in no table yet, with one reference; NULL without memory */
struct node *node_new(uint64_t id, uint64_t handle, uint64_t ino, uint32_t fmt);

/**
 * node_publish() - put a new node into the table
 * @fresh: consumed
 * Return: the node with that id, with a reference: @fresh, or the one that was there before.
 */
struct node *node_publish(struct node_table *t, struct node *fresh);

/** node_put_fresh() - free a node that was never published */
void node_put_fresh(struct node_table *t, struct node *fresh);

struct node *node_ref(struct node_table *t, struct node *n);
/** node_put() - give a reference back; accepts NULL.  No node lock may be held. */
void node_put(struct node_table *t, struct node *n);

/** node_looked_up() - the kernel was told about the id once more; false for an unknown id */
bool node_looked_up(struct node_table *t, uint64_t id);
/** node_forget() - the kernel forgets @n of the times */
void node_forget(struct node_table *t, uint64_t id, uint64_t n);

/** node_set_alias() - note by which name a lower inode was found last, for node_alias() */
void node_set_alias(struct node_table *t, uint64_t handle, uint64_t dir, uint64_t ordinal);
/** node_alias() - false if it was never found by a name, or if that name is gone */
bool node_alias(struct node_table *t, uint64_t handle, struct lower_name *ret);
/** node_clear_alias() - the name is gone; one that was noted since stays */
void node_clear_alias(struct node_table *t, uint64_t handle, const struct lower_name *gone);

/** node_count() - structs that exist, for tests and leaks */
uint64_t node_count(struct node_table *t);

/**
 * node_lock_all() - lock several nodes whatever their order; NULLs and duplicates are skipped
 * Holds either all or none while it waits, so it cannot deadlock with anybody else doing the same.
 */
void node_lock_all(struct node *const *v, size_t n);
void node_unlock_all(struct node *const *v, size_t n);

/* ---- names; the caller holds node->lock ---- */

/** node_link_add() - note a name, if it is not known yet; references @parent; 0 or -ENOMEM */
int node_link_add(
	struct node_table *t, struct node *n, struct node *parent, const char *name, size_t len);
/** node_link_find() - a known name, or NULL */
struct node_link *node_link_find(
	const struct node *n, const struct node *parent, const char *name, size_t len);
/**
 * node_link_del() - take a name out; the caller frees it by node_link_free() when it has let go of
 * all node locks (its parent may die with it)
 */
struct node_link *node_link_del(
	struct node *n, const struct node *parent, const char *name, size_t len);
void node_link_free(struct node_table *t, struct node_link *l);

static inline bool node_is_upper(const struct node *n)
{
	return n && (__atomic_load_n(&n->flags, __ATOMIC_ACQUIRE) & NODE_UPPER);
}

static inline bool node_is_gone(const struct node *n)
{
	return n && (__atomic_load_n(&n->flags, __ATOMIC_ACQUIRE) & NODE_GONE);
}

/* The lower directory whose entries show in a directory, or NODE_NO_HANDLE. */
static inline uint64_t node_lower_dir(const struct node *n)
{
	return __atomic_load_n(&n->flags, __ATOMIC_ACQUIRE) & NODE_ALONE ? NODE_NO_HANDLE
									 : n->handle;
}

static inline void node_flags_set(struct node *n, uint32_t set, uint32_t clear)
{
	__atomic_store_n(&n->flags, (n->flags & ~clear) | set, __ATOMIC_RELEASE);
}
