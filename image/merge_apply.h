/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One layer's members applied to the tree of a chain: doc/on-disk.md, "How layers merge". */

#include "base/err.h"
#include "image/merge_tree.h"

/** Symlinks followed for one path, as Linux's MAXSYMLINKS. */
#define LIMIT_MERGE_LINKS 40

/*
 * Bytes of symlinks' targets followed for a chain, and for each member on top of that.  40 links of
 * 4095 bytes cost a millisecond, and a compressed layer can ask for that a million times; members
 * of real images that are reached by links at all need some ten bytes.
 */
#define LIMIT_MERGE_LINK_BYTES	      (UINT64_C(32) << 20)
#define LIMIT_MERGE_LINK_BYTES_MEMBER 64

/**
 * merge_apply() - apply a layer on top of what the tree holds
 * @x:     open layer index; its strings are borrowed by the tree until idx_close()
 * @layer: its number in the chain, from 0
 *
 * Return: 0; -EBADMSG if a member is malformed or cannot be applied (the text names it); -EFBIG;
 * -ENOMEM; -EIO.
 */
int merge_apply(struct merge_tree *t, struct idx *x, uint32_t layer, struct err *err);
