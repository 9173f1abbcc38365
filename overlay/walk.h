/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Walking over the directories of the upper, deep trees included: no recursion, no held lock. */

#include "overlay/child.h"

#include <dirent.h>
#include <limits.h>

/* Directories that are still to be looked into; each with a reference.  Zeros: none. */
struct walk {
	struct node **v;
	size_t n, room;
};

/** walk_add() - @n: a reference, consumed if 0 is returned; -ENOMEM */
int walk_add(struct walk *w, struct node *n);

/** walk_take() - the next directory with its reference; NULL at the end, when @w is empty again */
struct node *walk_take(struct walk *w);

/**
 * walk_next_dir() - the next directory that an upper directory has by itself
 * @off: 0, or what was set by the last call
 * Return: 1; 0 behind the last; -ENOENT if @dir is gone.
 */
int walk_next_dir(struct ovl_fs *fs, struct node *dir, uint64_t *off, char name[NAME_MAX + 1]);
