/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which names of a lower inode clients see.  Functions take locks of nodes; the caller holds none. */

#include "overlay/state.h"

/** visible_lower_name() - a name of a lower inode that nothing hides or covers; -ENOENT */
int visible_lower_name(struct ovl_fs *fs, uint64_t handle, struct lower_name *ret);

/**
 * visible_keep_count() - keep node->n_lower_names over remounts, where it cannot be counted again;
 * the node's lock is held
 */
void visible_keep_count(struct ovl_fs *fs, struct node *n);

/** visible_count_names() - how many of them there are */
int visible_count_names(struct ovl_fs *fs, uint64_t handle, uint32_t *ret);
