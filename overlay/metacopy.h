/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What copy-up does to metadata: owner, mode, xattrs, times, origin of a lower inode. */

#include "overlay/meta.h"

/**
 * metacopy_apply() - make an upper file or directory what the lower inode is, but for its data
 * @fd: open for reading; of a file: also for writing
 *
 * Ends with the origin.  Attributes that the filesystem refuses (trusted.*, foreign security.*) are
 * left out.
 */
int metacopy_apply(struct ovl_fs *fs, uint64_t handle, const struct lower_attr *a, int fd,
	struct node_override *ret_ov);

/** metacopy_times() - set the times of a lower inode on @name of @dirfd, or on @dirfd if it is ""
 */
int metacopy_times(int dirfd, const char *name, const struct lower_attr *a);

/** metacopy_want() - the owner, mode and device of a lower inode */
void metacopy_want(const struct ovl_fs *fs, const struct lower_attr *a, struct meta_want *ret);
