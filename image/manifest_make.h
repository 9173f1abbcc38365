/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Manifests that are made up, around the blobs of an origin that has none. */

#include "base/json.h"
#include "image/origin.h"

struct made_blob {
	const char *media_type;
	struct idx_digest digest;
	uint64_t size;
};

/** manifest_make_descriptor() - a new reference; NULL if out of memory */
json_t *manifest_make_descriptor(const struct made_blob *b);

/**
 * manifest_make() - a manifest
 * @type:  its media type
 * @blobs: the config, then @n - 1 layers, lowest first
 */
int manifest_make(const char *type, const struct made_blob *blobs, size_t n, struct document *ret,
	struct err *err);
