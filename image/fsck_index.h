/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parts of fsck that read blobs: their digests, and which of them are images. */

#include "image/store_dir.h"

/**
 * fsck_blob() - does a blob of any size have its digest?
 * @path: in the store
 * Return: 0; -EBADMSG; an error of opening or reading it.
 */
int fsck_blob(struct img_store *s, const char *path, const struct idx_digest *d);

/**
 * fsck_rebuild_index() - a new index.json of all blobs that are an image's manifest
 * The old one is kept as index.json.damaged.  Names are lost: the images are found by their ids.
 * Store lock held exclusively.
 */
int fsck_rebuild_index(struct img_store *s, uint32_t *ret_n, struct err *err);
