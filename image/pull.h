/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pull: from a registry, a layout or an archive into the store
 *
 *      reference ─▶ index … ─▶ manifest ─▶ config      one after the other, each checked
 *                                 └▶ layers            a thread each, at most `jobs` at once:
 *                                      blob ─ check ─ unpack ─ layer_write() ─ diff id ─ publish
 *      all there ─▶ blobs and index.json, under the store lock
 *
 * Nothing becomes visible but complete layers, which are harmless alone, and at the end the image
 * in one step.  A layer that is there already is used; one that another process is downloading is
 * waited for.
 */

#include "image/crew.h"
#include "image/platform.h"
#include "image/store.h"
#include "image/transport.h"

struct pull_options {
	struct transport_options transport;
	struct platform platform; /* os "": this machine's */
	const char *name; /* to be stored as; NULL: as the origin says */
	bool keep_blobs; /* keep layers also as they came */
	unsigned int jobs; /* layers at once; 0: PULL_JOBS */
	struct view view;
};
#define PULL_JOBS 4

struct pull_result {
	char *name; /* owned; as stored */
	struct idx_digest manifest_digest;
	struct idx_digest config_digest; /* the image id */
};

/**
 * img_pull() - make an image part of the store
 * @source: as of place_parse()
 * @ret:    free ret->name
 *
 * Return: 0; -ENOENT there is none; -EACCES not allowed; -EBADMSG what came is not what was
 * promised; -ENOSPC, -EDQUOT; errors of http_open().  The store is as it was, but for whole layers.
 */
int img_pull(struct img_store *s, const char *source, const struct pull_options *opts,
	struct pull_result *ret, struct err *err);
