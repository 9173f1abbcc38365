/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the store holds in true bytes, what of it is needed, and removal of the rest. */

#include "image/gc.h"

enum prune_flags {
	PRUNE_ALL = 1 << 0, /* images with a name, too */
};

struct prune_stats {
	uint32_t n_images, n_layers;
	uint32_t n_busy; /* layers that somebody holds */
	uint64_t bytes; /* freed in layers */
};

/**
 * img_prune() - remove images that nothing uses, and all that no image needs
 * Images without a name go, with PRUNE_ALL those with a name, too; one that is in use stays.
 */
int img_prune(struct img_store *s, enum prune_flags flags, const struct image_users *users,
	const struct rmi_report *report, struct prune_stats *ret, struct err *err);

/* Bytes that are allocated on disk; what images share counts once. */
struct usage {
	uint32_t n_images, n_used; /* used by containers, or held */
	uint32_t n_layers;
	uint64_t layers, indexes, blobs; /* bytes */
	uint64_t unused; /* bytes of these that only images need which nothing uses */
	uint64_t orphans; /* bytes of these that no image needs */
	uint64_t leftovers; /* bytes in tmp/ */
};

int img_usage(
	struct img_store *s, const struct image_users *users, struct usage *ret, struct err *err);

/** usage_of_tree() - allocated bytes of @name and all below it, as far as it can be read */
uint64_t usage_of_tree(int dirfd, const char *name);
