/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reader of OCI layouts: oci-layout, index.json, blobs/, in a directory or a tar
 *
 * Spec: OCI image-spec, image-layout.md.
 */

#include "image/files.h"
#include "image/origin.h"
#include "image/place.h"

/**
 * layout_open_take_files() - an origin for PATH[:REF]
 * @files: consumed, also on failure
 * @p:     its REF is compared with the entries' ref.name, or names a manifest by digest.  Without it
 *         the layout must have one entry only.
 *
 * Names: REF if it is a full name, localhost/REF if it is a short one ("alpine:3"), and
 * localhost/BASENAME:REF if it is a tag.
 */
int layout_open_take_files(
	struct origin **ret, struct files *files, const struct place *p, struct err *err);

/** layout_list() - the entries of index.json; 0 with @ret filled (index_done() it) */
int layout_list(struct files *f, struct index *ret, struct err *err);

/** layout_blob_name() - "blobs/sha256/HEX", owned by the caller; NULL if out of memory */
char *layout_blob_name(const struct idx_digest *digest);
