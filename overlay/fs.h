/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Front door of the overlay as a library: one lower, at most one upper, one filesystem
 *
 * Nothing here knows FUSE; overlay/fuse_session.h serves a filesystem to the kernel and
 * overlay/ops.h lists the operations.
 */

#include "base/err.h"
#include "overlay/idmap.h"
#include "overlay/lower.h"

struct ovl_fs;

enum ovl_flags {
	OVL_VOLATILE = 1 << 0, /* fsync is answered without syncing */
	OVL_SQUASH_OWNER = 1 << 1, /* everything is shown as squash_uid, squash_gid, and as
				      readable by them */
	OVL_COPY_DIRS = 1 << 2, /* rename(2) of a directory that the lower has copies all of it to
				   the upper first, instead of writing a redirect */
	OVL_COPY_DATA = 1 << 3, /* copy-up always brings the data: no metadata-only copies */
	OVL_PEEK = 1 << 4, /* look at an upper that may be mounted: nothing is locked or written.
			      Only operations that look may be used; what changes meanwhile is seen
			      or not.  Whoever needs it whole syncs and stops its writers first */
	OVL_MAP_UPPER = 1 << 5, /* upper files have ids of the image, not those that clients see */
	OVL_SQUASH_UID = 1 << 9, /* all is shown as squash_uid's; changes of it are ignored */
	OVL_SQUASH_GID = 1 << 6, /* the same for squash_gid */
	OVL_COUNT_NLINK = 1 << 12, /* links of directories are right where that costs a listing */
	OVL_STATIC_NLINK = 1 << 7, /* all directories show one link */
	OVL_GIVEN_TREE = 1 << 10, /* the upper tree stands where somebody else chose */
	OVL_NAME_WHITEOUTS = 1 << 11, /* with OVL_GIVEN_TREE: a new upper spells whiteouts as names
				       */
	OVL_KEEP_OWNERS = 1 << 8, /* owner and mode of all that is written stand in the override */
};

struct ovl_config {
	struct lower *lower; /* consumed by ovl_fs_new(), also on failure */
	const char *lower_id; /* recorded in the upper's superblock: "image:CHAIN-ID"; borrowed */
	int upper_dirfd; /* state directory (doc/on-disk.md, "The upper"); -1: read-only; borrowed
			  */
	int tree_fd; /* with OVL_GIVEN_TREE: the upper tree; its root keeps the owner, mode and
			times that it has; borrowed */
	const struct idmap *uids; /* ids of the image -> ids that the kernel sees; NULL: the same;
				     borrowed for the call */
	const struct idmap *gids;
	uid_t squash_uid;
	gid_t squash_gid;
	enum ovl_flags flags;
};

/**
 * ovl_fs_new() - open an overlay
 *
 * Takes the upper's exclusive lock, creates or checks its superblock, sweeps its work directory.
 * With OVL_PEEK takes no lock, and the upper must have been mounted before (-ENOENT).
 * Return: 0; -EBUSY if the upper is mounted already; -ESTALE if it belongs to another lower;
 * -EPROTONOSUPPORT for unknown features; -EUCLEAN if the machine went down while it was mounted
 * volatile; others of the filesystem.
 */
int ovl_fs_new(struct ovl_fs **ret, const struct ovl_config *cfg, struct err *err);
void ovl_fs_free(struct ovl_fs *fs);

/**
 * ovl_begin(), ovl_end() - around each operation, and around the use of what it returned, where
 * several threads serve a filesystem; between them no inode that was forgotten loses its id
 */
void ovl_begin(struct ovl_fs *fs);
void ovl_end(struct ovl_fs *fs);
