/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an upper changes, path by path
 *
 *      lower tree ──┐
 *                   ├─ compare, directory by directory ─▶ A  C  D  in the order of the names
 *      merged tree ─┘
 *
 * The merged tree is seen through the filesystem's own operations, so redirects, copies of metadata,
 * recorded owners and every dialect of an upper are resolved where they are known.
 */

#include "overlay/lower.h"
#include "overlay/ops.h"

enum tree_change_kind {
	TREE_ADDED = 'A',
	TREE_CHANGED = 'C',
	TREE_DELETED = 'D', /* the lower has it, the merged tree does not */
	TREE_REPLACED = 'R', /* a directory that has nothing of the lower's at its path; as 'A' */
};

struct tree_change {
	enum tree_change_kind kind;
	const char *path; /* relative; "" is the root.  Borrowed for the call */
	uint64_t id; /* for overlay/ops.h; not of what is deleted */
	struct stat st; /* ids as the image has them; not of what is deleted */
};

/**
 * tree_diff() - call @fn for each change
 * @fs:    opened without maps of ids, OVL_PEEK or not
 * @lower: the one that @fs has
 *
 * A directory stands in front of what is in it; the names of one are sorted by bytes.  Below what
 * is deleted nothing is listed.  A directory counts as changed if its own metadata is.
 *
 * Return: 0; what @fn returned, if that is negative; errors of the filesystem.
 */
int tree_diff(struct ovl_fs *fs, struct lower *lower,
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err), void *ctx,
	struct err *err);

/** tree_list() - all of the merged tree as TREE_ADDED, the root first; otherwise as tree_diff() */
int tree_list(struct ovl_fs *fs,
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err), void *ctx,
	struct err *err);
