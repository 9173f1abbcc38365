/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Layers made of what an upper changes, and tars of a whole merged tree
 *
 *      upper over lower ─ tree_diff() ─▶ changes, sorted ─ tarwrite ─▶ a tar
 *
 * Deletions become ".wh.NAME", a directory that replaces one of the lower gets ".wh..wh..opq".
 * The same changes give the same bytes: names are sorted, there are no times but the files' own,
 * and holes are found by content, not by how the filesystem keeps them.
 */

#include "image/store.h"
#include "image/tree_diff.h"
#include "overlay/upper.h"

struct layer_diff_options {
	bool has_epoch; /* times after epoch become epoch, as SOURCE_DATE_EPOCH wants it */
	int64_t epoch; /* seconds */
};

struct layer_diff_stats {
	uint64_t n_members;
	uint64_t n_sockets; /* left out: a tar cannot hold them */
};

/* An upper seen over its image. */
struct upper_view {
	struct ovl_fs *fs;
	struct lower *lower; /* belongs to fs */
	bool own_is_root; /* the caller's own ids stand for 0: what one user alone wrote */
	uid_t uid;
	gid_t gid;
};

/**
 * upper_read_super() - what an upper says about itself
 * Return: 0; -ENOENT if @state_fd is no upper; -EBADMSG, -EPROTONOSUPPORT.
 */
int upper_read_super(int state_fd, struct upper_super *ret, struct err *err);

/**
 * upper_view_open() - look at an upper
 * @state_fd: its state directory (doc/on-disk.md, "The upper"), borrowed; -1: the image alone
 *
 * Nothing is locked or written, so the upper may be mounted; then its mount is synced first
 * (syncfs(2)), and its writers are stopped if the result has to be of one moment.  The process
 * must be able to read the upper's files: below `userns_enter()` where they belong to subordinate
 * ids.
 * Return: 0; -ENOENT if it is no upper; -ESTALE if it belongs to another image.
 */
int upper_view_open(struct img_store *s, const struct img *img, int state_fd,
	struct upper_view *ret, struct err *err);
void upper_view_close(struct upper_view *v);

/**
 * upper_find_image() - the image of the store that an upper lies over
 * @ret: img_done() it
 * Return: 0; -ENOENT if it is no upper, or no image of the store has these layers.
 */
int upper_find_image(struct img_store *s, int state_fd, struct img *ret, struct err *err);

/**
 * layer_diff_write() - the tar of a layer that holds what the upper changes
 * @fd: borrowed; may be a pipe
 *
 * Return: 0; -EINVAL for what a layer cannot hold (the text names it: a name that begins with
 * ".wh.", say); -EBUSY if a file shrank while it was read; write errors.
 */
int layer_diff_write(const struct upper_view *v, int fd, const struct layer_diff_options *opts,
	struct layer_diff_stats *ret, struct err *err);

/** layer_export_write() - the tar of the whole merged tree, as `podman export` makes it */
int layer_export_write(const struct upper_view *v, int fd, const struct layer_diff_options *opts,
	struct layer_diff_stats *ret, struct err *err);
