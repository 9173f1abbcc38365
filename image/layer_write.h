/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From a stream of tar bytes to layer.tar and layer.idx, in one pass
 *
 *      source (decoded tar) ──┬─▶ SHA-256 = diff id      (a thread of its own)
 *                             ├─▶ layer.tar
 *                             └─▶ tarstream ─▶ checks ─▶ rows ─▶ layer.idx
 *
 * Refuses what is refused in doc/on-disk.md, "What a writer refuses"; skips and counts what it
 * says is skipped.
 */

#include "base/err.h"
#include "image/digest.h"
#include "image/source.h"

#include <stdint.h>

struct layer_limits {
	uint64_t max_tar_bytes; /* of layer.tar; 0: LIMIT_LAYER_TAR_BYTES */
	uint32_t max_members; /* 0: LIMIT_LAYER_MEMBERS */
	uint16_t alg; /* enum idx_digest_alg of the diff id; 0: SHA-256 */
};
#define LIMIT_LAYER_TAR_BYTES (UINT64_C(1) << 40)
#define LIMIT_LAYER_MEMBERS   UINT32_C(16777216)

struct layer_stats {
	struct idx_digest diff_id;
	uint64_t tar_bytes;
	uint32_t n_members;
	uint32_t n_stripped_xattrs; /* overlay-private ones, see overlay/xattrs.h */
};

/**
 * layer_write() - consume a tar stream into a directory
 * @src:    borrowed, read to its end also behind the tar's end marker
 * @dirfd:  gets "layer.tar" and "layer.idx", mode 0600, not yet synced; must not hold them before
 * @limits: NULL for the defaults
 *
 * Return: 0 with @ret filled; -EBADMSG for a malformed or refused tar (the text names the member);
 * -EFBIG above a limit; -ENOSPC and others of the filesystem; errors of @src.  On an error both
 * files are unlinked.
 */
int layer_write(struct source *src, int dirfd, const struct layer_limits *limits,
	struct layer_stats *ret, struct err *err);

/**
 * layer_index() - the index of a layer.tar
 * @tar_fd: open for reading, borrowed; its offset does not matter and is not changed
 * @idx_fd: at the start of an empty file, borrowed
 * @alg:    of the diff id, enum idx_digest_alg
 */
int layer_index(int tar_fd, int idx_fd, uint16_t alg, struct layer_stats *ret, struct err *err);

/**
 * layer_reindex() - write layer.idx anew from a layer.tar, e.g. after a format change or damage
 * @dirfd: gets "layer.idx.new", which must not exist; unlinked on an error
 */
int layer_reindex(int tar_fd, int dirfd, uint16_t alg, struct layer_stats *ret, struct err *err);
