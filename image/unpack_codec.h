/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What image/decode.c asks of a compression library: one stream (gzip member, zstd frame) after the
 * other, bytes in, bytes out
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Where the decoder reads and writes; it moves both ends forward. */
struct codec_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

struct codec_ops {
	int (*new)(void **ret);
	/* Get ready for the next stream; 0 or a negative errno. */
	int (*reset)(void *ctx);
	/* Return: 1 at the end of a stream, 0 in the middle, -EBADMSG with a text, -ENOMEM. */
	int (*run)(void *ctx, struct codec_io *io, struct err *err);
	void (*free)(void *ctx);
};

extern const struct codec_ops codec_gzip; /* image/unpack_gzip.c: ISA-L where built, else zlib */
extern const struct codec_ops codec_zstd; /* image/unpack_zstd.c */
