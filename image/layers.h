/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Layers of the store: looked at, leased, published, removed
 *
 * Whoever needs a layer to stay holds a shared flock on its layer.tar: a pull until index.json
 * names the layer, a mount as long as it has the tar open.  Removal needs the lock exclusively.
 */

#include "image/layer_write.h"
#include "image/store_dir.h"
#include "overlay/index.h"

/**
 * layer_lease() - open layer.tar of @diff_id with a shared lease
 * If the store does not have it, that of an additional store, checked (image/layer_foreign.h).
 * Return: the fd, owned by the caller, closing it ends the lease; -ENOENT if there is no such
 * layer; -EBADMSG if an additional store's is damaged.
 */
int layer_lease(struct img_store *s, const struct idx_digest *diff_id, struct err *err);

/** layer_stat() - stat(2) of layer.tar, in whichever store it is; false if it is nowhere */
bool layer_stat(struct img_store *s, const struct idx_digest *diff_id, struct stat *ret);

/**
 * layer_open_index() - layer.idx, made anew from the tar if it is missing or damaged
 * @tar_fd: from layer_lease()
 *
 * Return: 0 with @ret owned by the caller; -EBADMSG if the tar itself is damaged.
 */
int layer_open_index(struct img_store *s, const struct idx_digest *diff_id, int tar_fd,
	struct idx **ret, struct err *err);

/**
 * layer_publish() - move a finished layer from a staging directory into the store
 * @stage_dirfd: holds directory @name with layer.tar and layer.idx, both checked
 *
 * Files and directories are synced before and after the rename.  What stood in the way, being
 * damaged, goes into the staging directory and away with it.
 * Return: the lease as of layer_lease().
 */
int layer_publish(struct img_store *s, int stage_dirfd, const char *name,
	const struct idx_digest *diff_id, struct err *err);

/**
 * layer_remove() - unless somebody holds a lease; its files go with store_empty_trash()
 * @name: in layers/
 * @ret_bytes: grows by what is freed
 * The caller holds the store lock exclusively.  Return: 0; -EBUSY.
 */
int layer_remove(struct img_store *s, const char *name, uint64_t *ret_bytes, struct err *err);
