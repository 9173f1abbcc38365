/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From an origin to a target, byte for byte, without the store
 *
 *      top document ─▶ one manifest, or with COPY_ALL whatever it names
 *           └▶ blobs, each checked on the way, by threads ─▶ manifests, the top one last
 *
 * Digests stay what they are.  Blobs that the target has are not moved.
 */

#include "image/crew.h"
#include "image/origin.h"
#include "image/platform.h"
#include "image/target.h"

enum copy_flags {
	COPY_ALL = 1 << 0, /* of an index all that it names, not one platform's */
};

#define LIMIT_COPY_MANIFESTS 10000
#define LIMIT_COPY_BLOBS     20000
#define COPY_JOBS	     4

struct copy_options {
	struct platform platform; /* os "": this machine's */
	enum copy_flags flags;
	unsigned int jobs; /* blobs at once; 0: COPY_JOBS */
	int cancel_fd; /* an eventfd that both sides' requests listen to; or -1 */
	struct view view;
};

/**
 * img_copy() - one image; the caller calls the target's finish() when all were copied
 * @ret: digest of the manifest or index that the target's reference names now
 */
int img_copy(struct origin *o, struct target *t, const struct copy_options *opts,
	struct idx_digest *ret, struct err *err);

/**
 * copy_choose() - follow indexes from a document down to a manifest
 * @doc: in: what the origin's reference names; out: the manifest
 */
int copy_choose(struct origin *o, struct origin_line *l, const struct platform *platform,
	struct document *doc, struct err *err);
