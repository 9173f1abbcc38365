/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the last layer of an image changes, as a list of paths */

#include "image/store.h"
#include "image/tree_diff.h"

/**
 * image_diff() - call @fn for each change, in the order of tree_diff()
 * @img: with its lease, borrowed
 *
 * Of a change only kind and path are filled.  All of an image's only layer is added.
 * Return: 0; what @fn returned, if that is negative; -EBADMSG, -EIO for damaged layers.
 */
int image_diff(struct img_store *s, const struct img *img,
	int (*fn)(void *ctx, const struct tree_change *change, struct err *err), void *ctx,
	struct err *err);
