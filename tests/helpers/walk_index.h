/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reads all that an index holds, as a caller that believes nothing would. */

#include "base/str.h"
#include "overlay/index.h"

/**
 * walk_index() - visit every row, string, attribute, extent, and each name by look-up
 * @out: gets all answers as text; NULL: read only
 *
 * Aborts if the reader breaks what overlay/index.h promises.
 * Return: 0, or the first error of the reader.
 */
int walk_index(struct idx *x, struct buf *out);
