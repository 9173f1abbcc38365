/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From a packed layer to its tar: gzip (several members, zero padding), zstd (several frames,
 * skippable ones), or nothing
 *
 * The magic number decides, for layers are often labelled wrongly and the diff id proves the
 * result; bytes that are neither gzip nor zstd pass as they are unless they were declared to be
 * packed.  One level only: what a gzip holds is not looked at.
 */

#include "image/media.h"
#include "image/source.h"

/* zstd frames may ask for a window of this size (a long-distance match of `--long=27`), not more.
 */
#define LIMIT_ZSTD_WINDOW_LOG 27

/**
 * source_decode_new() - unpack
 * @below:    consumed, also on failure; read to its end before the end is reported, so that a
 *            check below sees every byte
 * @declared: by the media type
 *
 * The source's next(): -EBADMSG for packed bytes that are damaged, cut short, ask for too large a
 * window, or are followed by something else than padding.
 */
int source_decode_new(
	struct source **ret, struct source *below, enum codec declared, struct err *err);
