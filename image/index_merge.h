/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The merged index of a chain: whiteouts, opaque marks, parents, hard links and duplicates of all
 * layers resolved into one tree, once
 *
 * Pure: layer indexes in, index bytes out.  Deterministic: the same layers give the same bytes.
 * Linear in the number of members (resolving a path is linear in its length).
 */

#include "base/err.h"
#include "overlay/index.h"

/**
 * index_merge() - merge layers and write the index
 * @layers: @n open layer indexes, lowest first; their headers name the diff ids and tar sizes
 * @chain:  the chain id for the header
 * @fd:     where the index is written, from offset 0; borrowed, open for writing, empty
 *
 * Return: 0; -EBADMSG if a layer contradicts the format or the chain cannot be a tree (hard link to
 * a missing target, too many symlinks; the text names layer and member); -ENOMEM; write errors.
 */
int index_merge(struct idx *const *layers, uint32_t n, const struct idx_digest *chain, int fd,
	struct err *err);
