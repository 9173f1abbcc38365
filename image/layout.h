/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reader of OCI layout directories: oci-layout, index.json, blobs/
 *
 * The directory may be anybody's: files are opened beneath it, a blob that is a symlink or a FIFO
 * is an error and no hang. Spec: OCI image-spec, image-layout.md.
 */

#include "image/origin.h"

/**
 * layout_open() - an origin for PATH[:REF]
 * @text: behind "oci:".  REF is compared with the entries' ref.name, or names a manifest by digest.
 *        Without it the layout must have one entry only.
 *
 * Names: REF if it is a full name, localhost/REF if it is a short one ("alpine:3"), and
 * localhost/BASENAME:REF if it is a tag.
 */
int layout_open(struct origin **ret, const char *text, struct err *err);
