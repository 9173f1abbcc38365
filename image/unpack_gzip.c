/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip members, by ISA-L (two to three times as fast) or zlib
 * Both check the CRC and the length at the end of a member.  Spec: RFC 1952.
 */
#include "image/unpack_codec.h"

#include "base/cleanup.h"

#include <limits.h>

static size_t at_most_32_bits(size_t n)
{
	return n < UINT32_MAX ? n : UINT32_MAX;
}

#ifdef HAVE_ISAL

#include <isa-l/igzip_lib.h>

static int gzip_reset(void *ctx)
{
	struct inflate_state *z = ctx;

	isal_inflate_reset(z);
	z->crc_flag = ISAL_GZIP;
	return 0;
}

static int gzip_new(void **ret)
{
	struct inflate_state *z = malloc(sizeof(*z));

	if (!z)
		return -ENOMEM;
	isal_inflate_init(z);
	*ret = z;
	return gzip_reset(z);
}

static int gzip_run(void *ctx, struct codec_io *io, struct err *err)
{
	struct inflate_state *z = ctx;
	size_t in_len = at_most_32_bits(io->in_len), out_len = at_most_32_bits(io->out_len);
	int r;

	z->next_in = (uint8_t *)io->in; /* the library reads only */
	z->avail_in = (uint32_t)in_len;
	z->next_out = io->out;
	z->avail_out = (uint32_t)out_len;
	r = isal_inflate(z);
	io->in += in_len - z->avail_in;
	io->in_len -= in_len - z->avail_in;
	io->out += out_len - z->avail_out;
	io->out_len -= out_len - z->avail_out;
	if (r == ISAL_INCORRECT_CHECKSUM)
		return err_say(err, -EBADMSG, "the gzip data has a wrong checksum");
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT)
		return err_say(err, -EBADMSG, "the gzip data is damaged");
	return z->block_state == ISAL_BLOCK_FINISH;
}

static void gzip_free(void *ctx)
{
	free(ctx);
}

#else

#include <zlib.h>

static int gzip_new(void **ret)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	if (inflateInit2(z, MAX_WBITS + 16) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	*ret = z;
	return 0;
}

static int gzip_reset(void *ctx)
{
	return inflateReset(ctx) == Z_OK ? 0 : -EINVAL;
}

static int gzip_run(void *ctx, struct codec_io *io, struct err *err)
{
	z_stream *z = ctx;
	size_t in_len = at_most_32_bits(io->in_len), out_len = at_most_32_bits(io->out_len);
	int r;

	z->next_in = (uint8_t *)io->in; /* the library reads only */
	z->avail_in = (uInt)in_len;
	z->next_out = io->out;
	z->avail_out = (uInt)out_len;
	r = inflate(z, Z_NO_FLUSH);
	io->in += in_len - z->avail_in;
	io->in_len -= in_len - z->avail_in;
	io->out += out_len - z->avail_out;
	io->out_len -= out_len - z->avail_out;
	if (r == Z_MEM_ERROR)
		return err_set(err, -ENOMEM, "cannot unpack gzip data");
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return err_say(err, -EBADMSG, "the gzip data is damaged%s%s", z->msg ? ": " : "",
			z->msg ? z->msg : "");
	return r == Z_STREAM_END;
}

static void gzip_free(void *ctx)
{
	(void)inflateEnd(ctx);
	free(ctx);
}

#endif

const struct codec_ops codec_gzip = { gzip_new, gzip_reset, gzip_run, gzip_free };
