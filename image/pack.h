/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Packing a layer by gzip: the bytes depend on the layer and the version of zlib alone
 *
 * No name, no time; level 6 of zlib, for ISA-L's output depends on the processor.
 */

#include "image/digest.h"
#include "image/source.h"

#include <stdatomic.h>

/**
 * pack_gzip() - everything of @in into a file
 * @fd:       open for writing at its end, borrowed
 * @progress: grows by the bytes that were read, or NULL
 * @ret:      digest and size of what was written
 */
int pack_gzip(struct source *in, int fd, _Atomic uint64_t *progress, struct idx_digest *ret,
	uint64_t *ret_size, struct err *err);
