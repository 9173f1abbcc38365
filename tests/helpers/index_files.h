/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Indexes in memory files, for tests and fuzz targets; all abort where only memory can be short. */

#include "image/layer_write.h"
#include "overlay/index.h"

/** memory_file() - a memory file with these bytes; the fd is the caller's */
int memory_file(const void *data, size_t len);

/** layer_from_tar() - index a tar; NULL if it is refused */
struct idx *layer_from_tar(const void *data, size_t len);

/**
 * merge_checked() - merge layers and check the result
 * Aborts if a merge that succeeds gives an index that idx_verify() refuses or that differs from a
 * second merge.  Return: the merged index, or NULL if the chain is refused.
 */
struct idx *merge_checked(struct idx *const *layers, uint32_t n);
