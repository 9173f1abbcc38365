/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Is a layer what its diff id says, and its index what its tar says? */

#include "base/err.h"
#include "image/digest.h"

/**
 * layer_check() - read all of a layer
 * @tar_fd: layer.tar, open for reading, borrowed
 * @idx_fd: layer.idx, likewise; -1 if it is missing
 *
 * An index is a function of its tar, so it is made once more and compared: nothing in it escapes.
 * Return: 0; 1 with a text if the tar is right and the index is not; -EBADMSG if the tar is
 * damaged; -ENOMEM; read errors.
 */
int layer_check(int tar_fd, int idx_fd, const struct idx_digest *diff_id, struct err *err);
