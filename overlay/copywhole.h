/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A directory and all below it leave the lower: how a merged directory moves without a redirect
 *
 *      1  everything that the lower shows in it is copied up, in its place     nobody sees it
 *      2  it is marked opaque: from now on the lower's entries do not count    nobody sees it
 *      3  it may be renamed like any directory of the upper's own
 *      4  whiteouts in it, which hide nothing any more, are removed
 *
 * What was copied up never goes back to the lower, so step 1 needs no lock over the whole.
 */

#include "overlay/state.h"

/** copywhole_fill() - step 1; the caller holds no lock; -ENOENT if the directory is gone */
int copywhole_fill(struct ovl_fs *fs, struct node *dir);

/** copywhole_detach() - step 2; the directory's lock is held; -ESTALE if it is not complete */
int copywhole_detach(struct ovl_fs *fs, struct node *dir);

/** copywhole_clean_one() - step 4 for itself; the directory's lock is held */
int copywhole_clean_one(struct ovl_fs *fs, struct node *dir);
/** copywhole_clean() - step 4, in it and below; the caller holds no lock */
void copywhole_clean(struct ovl_fs *fs, struct node *dir);
