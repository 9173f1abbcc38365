/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What came of a download, kept so that it goes on where it stopped, by whichever command
 *
 *      partial/sha256-HEX    the first bytes of a blob, locked by whoever downloads it
 *
 * A layer is unpacked while it comes; its packed bytes are written here as well.  A later try
 * passes them through the same digest check first, and asks the origin for the rest.  The file goes
 * when the layer is done, or becomes a blob of the store if blobs are kept.  What nobody touched for
 * a week is swept.
 */

#include "image/origin.h"
#include "image/store_dir.h"

#define PARTIAL_LEAST_BYTES (64U << 10) /* smaller blobs begin anew */
#define PARTIAL_KEEP_S	    (7 * 24 * 3600)

struct partial;

/**
 * partial_open() - the file of a blob, locked
 * Return: 0 with @ret owned by the caller, or NULL if another process has it, or it cannot be made:
 * the blob can be downloaded without it.
 */
int partial_open(struct partial **ret, struct img_store *s, const struct descriptor *d);

/** partial_held() - bytes that were there when it was opened */
uint64_t partial_held(const struct partial *p);

/**
 * partial_source() - the blob: what is held, then the rest from the origin, held from then on
 * @p: borrowed until source_close()
 */
int partial_source(struct partial *p, struct origin *o, struct origin_line *l,
	const struct descriptor *d, struct source **ret, struct err *err);

/** partial_drop() - what is held is wrong: begin anew */
void partial_drop(struct partial *p);

enum partial_end {
	PARTIAL_STAYS, /* for the next try */
	PARTIAL_GOES, /* the layer is done */
	PARTIAL_COMPLETE, /* checked to its end; partial_publish() makes it a blob */
};

void partial_close(struct partial *p, enum partial_end end);

/**
 * partial_publish() - a complete one becomes a blob of the store; store lock held exclusively
 * Return: 0, also if the blob is there already or was lost.
 */
int partial_publish(struct img_store *s, const struct descriptor *d, struct err *err);

/** partial_has_blob() - does the store hold the blob as it came? */
bool partial_has_blob(struct img_store *s, const struct descriptor *d);

/** partial_sweep() - remove what is nobody's and was not touched for @min_age_s seconds */
void partial_sweep(struct img_store *s, unsigned int min_age_s);
