/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Owner, mode and type of upper inodes: what the filesystem can say itself, and what stands in
 * user.containers.override_stat instead
 *
 * Three numberings of ids meet here.  Image ids are what layers, overrides and origins hold.
 * Client ids are what the kernel sees in requests and replies.  Ids on upper files are client ids,
 * with OVL_MAP_UPPER the image's.
 */

#include "overlay/state.h"

#define META_OVERRIDE_BYTES 128 /* of the attribute's text */

/* What is read of an upper inode at once. */
struct umeta {
	struct stat st;
	struct node_override ov;
	uint64_t origin; /* 0: none */
	bool opaque;
	bool metacopy;
	bool redirect;
	bool has_names;
	uint32_t n_lower_names; /* with has_names: see meta_keep_names() */
};

/* An owner in both numberings. */
struct meta_owner {
	uint32_t uid, gid; /* client ids */
	uint32_t image_uid, image_gid;
	bool exact; /* the two name each other; else the client ids are a stand-in */
};

/* What an inode shall be. */
struct meta_want {
	struct meta_owner owner;
	uint32_t mode; /* with S_IFMT */
	uint32_t major, minor;
};

/** meta_owner_from_image() - ids that are not mapped show as the overflow id, or as 0 */
void meta_owner_from_image(
	const struct ovl_fs *fs, uint32_t uid, uint32_t gid, struct meta_owner *ret);
/** meta_owner_from_disk() - from the ids of an upper file */
void meta_owner_from_disk(
	const struct ovl_fs *fs, uint32_t uid, uint32_t gid, struct meta_owner *ret);
void meta_owner_from_client(
	const struct ovl_fs *fs, uint32_t uid, uint32_t gid, struct meta_owner *ret);

/* The ids that an upper file of this owner has. */
static inline uint32_t meta_disk_uid(const struct ovl_fs *fs, const struct meta_owner *o)
{
	return fs->flags & OVL_MAP_UPPER ? o->image_uid : o->uid;
}

static inline uint32_t meta_disk_gid(const struct ovl_fs *fs, const struct meta_owner *o)
{
	return fs->flags & OVL_MAP_UPPER ? o->image_gid : o->gid;
}

/** meta_is_whiteout() - 0/0 character device */
bool meta_is_whiteout(const struct stat *st);

/** meta_read() - look at an entry of an upper directory; @type: DT_… if known */
int meta_read(int dirfd, const char *name, uint8_t type, struct umeta *ret);

/** meta_override_parse() - the text of the attribute.  Pure.  -EINVAL */
int meta_override_parse(const char *text, size_t len, struct node_override *ret);
/** meta_override_format() - Pure.  @ret has META_OVERRIDE_BYTES */
void meta_override_format(const struct node_override *ov, char *ret);

/**
 * meta_keep_names() - note on a copy in index/ how many of the lower's names still lead to it, where
 * they could not be counted at the next mount.  Should it fail, a link count is wrong.
 */
void meta_keep_names(int fd, uint32_t n);

/**
 * meta_apply() - give an upper file or directory its owner and mode
 * @fd:  open for reading
 * @ov:  the override that it has; updated
 */
int meta_apply(struct ovl_fs *fs, int fd, const struct meta_want *w, struct node_override *ov);

/**
 * meta_make_special() - make a symlink, device, FIFO or socket, complete
 * @target: of a symlink; else NULL
 * @ret_ov: set if it had to become a regular file with an override
 */
int meta_make_special(struct ovl_fs *fs, int dirfd, const char *name, const struct meta_want *w,
	const char *target, struct node_override *ret_ov);

/** meta_type_is_kept() - does the inode itself have the type, so that owner and mode are its own?
 */
static inline bool meta_type_is_kept(const struct node_override *ov)
{
	return !ov->set || !(ov->mode & S_IFMT) || S_ISREG(ov->mode) || S_ISDIR(ov->mode);
}

/** meta_show() - the attributes that clients see of an upper inode, but for st_ino and st_nlink */
void meta_show(const struct ovl_fs *fs, const struct stat *st, const struct node_override *ov,
	struct stat *ret);

/** meta_show_lower() - the same for an inode of the lower */
void meta_show_lower(const struct ovl_fs *fs, const struct lower_attr *a, struct stat *ret);

/** meta_ids_fit() - can this process give an upper file to this owner? */
bool meta_ids_fit(const struct ovl_fs *fs, const struct meta_owner *o);
