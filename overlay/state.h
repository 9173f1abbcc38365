/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What one mount is made of; for the files behind overlay/ops.h alone
 *
 * Lock order: node->lock → fs->tree → leaves (shards, fd cache, origin map).  No lock is held
 * while a reply is sent or while the data of a file is copied up.
 */

#include "overlay/fdcache.h"
#include "overlay/fs.h"
#include "overlay/node.h"
#include "overlay/upper.h"

struct ovl_fs {
	struct lower *lower;
	struct upper *up; /* NULL: read-only */
	struct node_table *nodes;
	struct node *root; /* a reference; NULL: read-only */
	struct fd_cache *fds;
	/*
	 * Where directories stand: read-held while a path of upper directories is walked,
	 * write-held over a rename or removal of a directory.
	 */
	pthread_rwlock_t tree;
	struct idmap uids, gids; /* n 0: the same ids */
	struct idmap ns_uids, ns_gids; /* ids that this process's user namespace has; n 0: all */
	uid_t squash_uid;
	gid_t squash_gid;
	enum ovl_flags flags;
	uid_t euid;
	gid_t egid;
	bool can_chown; /* CAP_CHOWN */
	bool can_override; /* CAP_DAC_OVERRIDE: any mode may stand on an upper file */
	pthread_rwlock_t gate; /* read-held by operations; see ovl_begin() */
	pthread_mutex_t search_lock; /* outermost: one thread looks for renamed directories */
	bool moved_known; /* atomic; all of them have structs */
	uint64_t n_dir_moves; /* atomic; directories that changed their place */
	uint64_t n_orphan_fds; /* atomic */
	uint64_t max_orphan_fds;
};

/* Does anybody ask how often the kernel was told about an inode? */
static inline bool state_counts_lookups(const struct ovl_fs *fs)
{
	return fs->up || fs->lower->ops->release;
}

/* Does the lower know no more names and numbers than those that were looked up? */
static inline bool state_is_partial(const struct ovl_fs *fs)
{
	return fs->lower->flags & LOWER_NAMES_PARTIAL;
}
