/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the upper inode of a node is: as a directory descriptor and a name, or as a descriptor
 *
 * Unless said otherwise the caller holds node->lock, which keeps the names that are handed out
 * alive; directories that lead there are walked under fs->tree.
 */

#include "overlay/state.h"

/* A place; locate_done() it. */
struct place {
	int dirfd;
	const char *name; /* borrowed from the node; "." for the root; "" if @dirfd is the inode */
	struct fd_ref ref;
	char text[24]; /* @name may point here */
};

/** locate() - a place of an upper inode; -ESTALE if it has none */
int locate(struct ovl_fs *fs, struct node *n, struct place *ret);
void locate_done(struct ovl_fs *fs, struct place *p);

/** locate_dir_fd() - the upper directory, open for reading; any caller, no lock needed */
int locate_dir_fd(struct ovl_fs *fs, struct node *dir, struct fd_ref *ret);

/** locate_data_fd() - a regular upper file, open for reading and writing where that is possible */
int locate_data_fd(struct ovl_fs *fs, struct node *n, struct fd_ref *ret);
/** locate_writable_fd() - the same, or the reason why it cannot be written; lock held */
int locate_writable_fd(struct ovl_fs *fs, struct node *n, struct fd_ref *ret);

/** locate_stat() - fstat() of the upper inode, wherever it is */
int locate_stat(struct ovl_fs *fs, struct node *n, struct stat *ret);

/**
 * locate_keep() - hold on to an upper inode whose last name is about to go
 * Opens it (regular files for reading and writing); the descriptor is in node->orphan_fd from then
 * on.  -EMFILE above the cap: the caller moves the file to work/orphans instead.
 */
int locate_keep(struct ovl_fs *fs, struct node *n);
/** locate_unkeep() - the name did not go after all, or the node dies */
void locate_unkeep(struct ovl_fs *fs, struct node *n);

/** locate_orphan_name() - the name of a node in work/orphans */
void locate_orphan_name(const struct node *n, char ret[24]);
