/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The tree of a chain while its layers are merged: inodes and names in memory
 *
 * Numbers name inodes and names (0 of both is "none"; inode 1 is the root), so the arrays may move
 * when they grow.
 */

#include "base/hash.h"
#include "overlay/index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERGE_ROOT 1U

struct merge_inode {
	struct idx_member m; /* metadata, as the member has it */
	uint64_t ino; /* permanent number, overlay/inum.h */
	const char *target; /* symlink: borrowed from the mapping of its layer */
	uint32_t layer; /* whose xattrs and extents `m` refers to */
	uint32_t nlink; /* names; a directory has one, the root none */
	uint32_t parent; /* directory: inode of its parent; the root: itself */
	uint32_t depth; /* directory: components of its path */
	uint32_t first; /* directory: first name in it */
	uint32_t n_entries; /* directory */
	uint32_t n_subdirs; /* directory */
	uint32_t row; /* in the merged index, once numbered; IDX_NONE before */
};

struct merge_name {
	const char *str; /* no NUL; owned by the tree */
	uint32_t dir; /* inode */
	uint32_t inode; /* 0: the name was removed */
	uint32_t next, prev; /* in the directory */
	uint32_t chain; /* in the hash table */
	uint8_t len;
};

struct merge_chunk;

struct merge_tree {
	struct merge_inode *inodes;
	struct merge_name *names;
	uint32_t *buckets; /* a power of two of them */
	size_t n_inodes, inodes_room;
	size_t n_names, names_room;
	size_t n_buckets;
	struct merge_chunk *chunks; /* of the names' bytes */
	uint64_t epoch; /* grows when a name goes that a path may have been resolved through */
	uint64_t link_bytes; /* of targets that may still be followed; see merge_apply.h */
	struct hash_key key;
};

/** merge_tree_init() - a tree of the root alone, a directory 0755 of 0:0; 0 or -ENOMEM */
int merge_tree_init(struct merge_tree *t);
void merge_tree_done(struct merge_tree *t);

/** merge_find() - the name in a directory, or 0 */
uint32_t merge_find(const struct merge_tree *t, uint32_t dir, const char *str, size_t len);

/** merge_new_inode() - @ret_inode has no name yet; 0, -EFBIG, -ENOMEM */
int merge_new_inode(struct merge_tree *t, const struct merge_inode *in, uint32_t *ret_inode);

/**
 * merge_link() - give an inode a name that the directory does not have
 * @str: copied; @len is at most 255
 * Return: 0, -EFBIG, -ENOMEM.
 */
int merge_link(struct merge_tree *t, uint32_t dir, const char *str, size_t len, uint32_t inode);

/** merge_unlink() - remove a name and, if it is a directory's, all below it; never fails */
void merge_unlink(struct merge_tree *t, uint32_t name);

/** merge_empty() - remove all that is in a directory */
void merge_empty(struct merge_tree *t, uint32_t dir);

static inline bool merge_is_dir(const struct merge_inode *in)
{
	return (in->m.mode & 0170000) == 0040000;
}

static inline bool merge_is_symlink(const struct merge_inode *in)
{
	return (in->m.mode & 0170000) == 0120000;
}
