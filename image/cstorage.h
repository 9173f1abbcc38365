/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Images of containers-storage, where Podman, Buildah and CRI-O keep theirs: read, never written
 *
 *      ROOT/DRIVER-images/images.json, ID/KEY       images; manifests and configs by key
 *      ROOT/DRIVER-layers/layers.json               the chain of each image's layers
 *      ROOT/DRIVER-layers/ID.tar-split.gz           what makes a layer's tar of its files
 *      ROOT/overlay/ID/diff, ROOT/vfs/dir/ID        the files
 *
 * Layers come as plain tars with their diff ids; the manifest is made up around them; a pull
 * stores the one that the image had.  Files belong to subordinate ids, so a caller
 * that is not root enters the user's namespace first.
 * Spec: containers-transports(5), containers-storage.conf(5).
 */

#include "image/transport.h"

/**
 * cstorage_open() - an origin for containers-storage:[SPEC]NAME
 * @p: its path is SPEC as of cstorage_records_open(), its ref NAME
 * Return: 0; errors of cstorage_records_find(); -EBADMSG for records that make no sense.
 */
int cstorage_open(struct origin **ret, const struct place *p, struct err *err);

/**
 * cstorage_list() - every name of every image, and images without one by their ids
 * Return: their number with @ret owned by the caller, for listed_free(); negative errnos.
 */
int cstorage_list(const struct place *p, struct listed **ret, struct err *err);
