/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Listings of indexes on stdout, like those of tar -tv, or a JSON object a line. */

#include "overlay/index.h"

enum layer_list_flags {
	LAYER_LIST_JSON = 1 << 0,
};

/** layer_list_members() - what a layer has, in the order of its tar */
int layer_list_members(struct idx *x, enum layer_list_flags flags, struct err *err);

/** layer_list_tree() - the tree of an image, depth first, entries in listing order */
int layer_list_tree(struct idx *x, enum layer_list_flags flags, struct err *err);
