/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The lower of an image: a merged index over layer tars. */

#include "base/err.h"
#include "overlay/index.h"
#include "overlay/lower.h"

/**
 * lower_image_new() - a lower from an open index and its layers
 * @x:       consumed, also on failure
 * @tar_fds: one fd open for reading per row of the index's layer table, consumed also on failure
 *           (kept open as long as the lower: they may be leases on the layers); sizes are
 *           checked against the table
 *
 * Return: 0; -EBADMSG if a tar's size differs; -ENOMEM.
 */
int lower_image_new(
	struct lower **ret, struct idx *x, const int *tar_fds, size_t n_tar_fds, struct err *err);
