/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Copy-up: the first change to an inode of the lower gives it an upper copy. */

#include "overlay/child.h"

/* What data the caller needs: a number of bytes, or one of these. */
#define COPYUP_META UINT64_MAX /* none */
#define COPYUP_ALL  (UINT64_MAX - 1)

/*
 * What a file needs that gets a name which the lower does not have for it: where the lower cannot
 * be asked by number, a metadata-only copy is tied to its place.
 */
static inline uint64_t copyup_for_new_name(const struct ovl_fs *fs)
{
	return state_is_partial(fs) ? COPYUP_ALL : COPYUP_META;
}

/**
 * copyup_file() - make sure that an inode that is no directory is in the upper
 * @want: COPYUP_META: its metadata; COPYUP_ALL: its data too; else: its data up to that size, to
 *        which it is cut if it is longer (a truncation)
 * @ret:  a reference
 *
 * Blocks while another thread copies the same inode; the caller holds no node lock.
 * Return: 0; -EROFS without an upper; -EISDIR; errors of the upper, with nothing half-made.
 */
int copyup_file(struct ovl_fs *fs, uint64_t id, uint64_t want, struct node **ret);

/** copyup_dir() - make sure that a directory and its parents are in the upper; -ENOTDIR */
int copyup_dir(struct ovl_fs *fs, uint64_t id, struct node **ret);

/**
 * copyup_name() - give a name of the lower's to the upper, too, as a link to the copy
 * @n:     the inode, which is in the upper; its lock and the directory's are held
 * @dirfd: the upper directory
 * @slot:  what stands at the name; updated.  Nothing happens if the upper has the name.
 */
int copyup_name(struct ovl_fs *fs, struct node *n, struct node *dir, int dirfd, const char *name,
	struct dir_slot *slot);

/**
 * copyup_any() - the metadata of whatever it is, to be changed
 * Unlike copyup_dir() also of a directory that was removed and is open.
 */
int copyup_any(struct ovl_fs *fs, uint64_t id, struct node **ret);

/**
 * copyup_wait() - wait until nobody copies the node up; its lock is held
 * Whoever changes times or data of an upper inode waits first, for they are in motion meanwhile.
 */
void copyup_wait(struct node *n);
