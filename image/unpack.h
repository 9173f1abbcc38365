/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An image as a flat root tree in a directory
 *
 *      merged index ──▶ directories, a task each ──▶ threads: make its entries, queue its directories
 *      layer tars   ──▶ data, written from the mapping
 *      DIR/.lamina-unpack-CHAIN/    while it goes on: the state, and a link of each hard-linked inode
 *
 * The tree was merged before, so nothing is made that a later layer would replace, and no path of
 * the image is ever resolved: every operation is on a directory's descriptor and one component,
 * and follows no symlink.  Whatever stands in the way of a name is removed, never written through.
 *
 * Owner, mode, attributes and, last of all, the time are given to a file when its data is complete;
 * a directory gets them when all below it is there.  So a file that has its time is whole, and a
 * run that was killed is continued by the next one.
 */

#include "image/store.h"

enum unpack_ownership {
	UNPACK_REAL, /* owners as the image has them; the process needs the right to */
	UNPACK_RECORD, /* all is the caller's; what the image says stands in an attribute */
	UNPACK_SQUASH, /* all is the caller's */
};

struct unpack_options {
	enum unpack_ownership ownership;
	unsigned int jobs; /* threads; 0: one a processor, at most UNPACK_JOBS */
};
#define UNPACK_JOBS	  8
#define LIMIT_UNPACK_JOBS 64

struct unpack_stats {
	uint64_t n_entries; /* names, directories among them */
	uint64_t n_kept; /* files that an earlier run had completed */
	uint64_t n_bytes; /* of data written */
	uint64_t n_devices; /* made */
	uint64_t n_devices_recorded; /* empty files that say what they stand for */
	uint64_t n_devices_skipped;
	uint64_t n_xattrs_skipped; /* that this user or filesystem cannot have */
};

/**
 * img_unpack() - write the tree of an image
 * @dir: made if it is missing; else empty, or left by an earlier run for the same image
 *
 * Set-id bits are dropped where files become the caller's, for they would lend the caller's rights.
 * Changes the umask for as long as it runs.
 *
 * Return: 0; -ENOTEMPTY; -ELOOP if @dir is a symlink; -EBUSY if another process unpacks there;
 * -EINVAL or -EPERM for owners that cannot be given (the text names file and ids); -ENOSPC and
 * others of the filesystem; errors of img_open_lower().  After an error the next run goes on.
 */
int img_unpack(struct img_store *s, const struct img *img, const char *dir,
	const struct unpack_options *opts, struct unpack_stats *ret, struct err *err);
