/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What removal and replacement have in common; shared by remove.c and rename.c. */

#include "overlay/child.h"

/** remove_node_of() - the struct of what is about to lose a name, also if it had none; a reference
 */
int remove_node_of(struct ovl_fs *fs, struct child *c, struct node **ret);

/** remove_dir_is_empty() - 0, -ENOTEMPTY; the directory's lock is held */
int remove_dir_is_empty(struct ovl_fs *fs, struct node *dir);

/**
 * remove_keep() - before the upper loses @name: hold on to an inode that nothing else would lead to
 * Both locks are held.
 */
int remove_keep(struct ovl_fs *fs, struct node *n, struct node *parent, const char *name);

/**
 * remove_forget_name() - after the name went: the node's bookkeeping
 * @slot: what stood at the name before
 * Return: the link to be freed when all locks are released; may be NULL.  Both locks are held.
 */
struct node_link *remove_forget_name(struct ovl_fs *fs, struct node *n, struct node *parent,
	const char *name, const struct dir_slot *slot);

/**
 * remove_put_away() - a removed directory that stands at work/@tmp now: into work/orphans unless a
 * descriptor keeps it; its lock is held
 */
void remove_put_away(struct ovl_fs *fs, struct node *dir, const char *tmp);
