/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Is the store sound?  The disk is walked, not a list
 *
 *      1  index.json              can it be read
 *      2  blobs, layers, indexes  is each what its name says: every byte is read
 *      3  images                  has each all that it needs
 *      4  what is left over       needed by no image, held by nobody
 *
 * Repairing goes the same way: what is damaged is removed (an index is made anew), so that an image
 * that needed it is incomplete; what is incomplete loses its name, so that what it alone needed is
 * left over; what is left over is removed.  The next look finds nothing, and a pull brings back
 * what was lost.  Other commands run meanwhile: what somebody holds is not touched.
 */

#include "image/store.h"

enum fsck_kind {
	FSCK_DAMAGED, /* its bytes are not what its name says */
	FSCK_INCOMPLETE, /* an image that lacks something */
	FSCK_ORPHAN, /* needed by nothing */
	FSCK_LEFTOVER, /* of a command that died */
	FSCK_MAX_
};

struct fsck_finding {
	enum fsck_kind kind;
	const char *what; /* "layers/sha256-…", an image's name */
	const char *why; /* NULL: the kind says it */
	const char *done; /* what repaired it; NULL: nothing did */
};

enum fsck_flags {
	FSCK_REPAIR = 1 << 0,
	FSCK_QUICK = 1 << 1, /* sizes and indexes of layers, not every byte of their tars */
};

struct fsck_options {
	enum fsck_flags flags;
	void (*found)(void *ctx, const struct fsck_finding *f);
	void *ctx;
};

struct fsck_result {
	uint32_t n_images, n_layers, n_blobs; /* looked at */
	uint32_t n_found, n_repaired;
};

/**
 * img_fsck() - check a store, and repair it if asked to
 * Return: 0, also if something was found; an error if the store cannot be read or repaired.
 */
int img_fsck(struct img_store *s, const struct fsck_options *opts, struct fsck_result *ret,
	struct err *err);
