/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Send: an image of the store to a target (push, save)
 *
 * The manifest goes as it came if each layer's blob was kept, is what the store holds anyway (a
 * layer that was never packed), or is there already.  Other layers are packed anew, and the
 * manifest, and so its digest, change; the person is told.
 */

#include "image/copy.h"
#include "image/store_dir.h"

enum send_flags {
	SEND_PLAIN = 1 << 0, /* layers as they lie in the store: for docker's archives */
};

/**
 * img_send() - one image; the caller calls the target's finish() when all were sent
 * @ref: as of img_resolve()
 * @ret: digest of the manifest as sent
 */
int img_send(struct img_store *s, const char *ref, struct target *t, enum send_flags flags,
	const struct copy_options *opts, struct idx_digest *ret, struct err *err);
