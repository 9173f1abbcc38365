/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd frames; skippable ones (zstd:chunked, seekable format) yield nothing
 * Spec: RFC 8878.
 */
#include "image/unpack_codec.h"

#include "image/decode.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

static int zstd_new(void **ret)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();

	if (!z)
		return -ENOMEM;
	(void)ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG);
	*ret = z;
	return 0;
}

static int zstd_reset(void *ctx)
{
	return ZSTD_isError(ZSTD_DCtx_reset(ctx, ZSTD_reset_session_only)) ? -EINVAL : 0;
}

static int zstd_run(void *ctx, struct codec_io *io, struct err *err)
{
	ZSTD_inBuffer in = { io->in, io->in_len, 0 };
	ZSTD_outBuffer out = { io->out, io->out_len, 0 };
	size_t r = ZSTD_decompressStream(ctx, &out, &in);

	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (!ZSTD_isError(r))
		return r == 0;
	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_memory_allocation:
		return err_set(err, -ENOMEM, "cannot unpack zstd data");
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_say(err, -EBADMSG, "the zstd data needs a window above %d MiB",
			1 << (LIMIT_ZSTD_WINDOW_LOG - 20));
	default:
		return err_say(err, -EBADMSG, "the zstd data is damaged: %s", ZSTD_getErrorName(r));
	}
}

static void zstd_free(void *ctx)
{
	(void)ZSTD_freeDCtx(ctx);
}

const struct codec_ops codec_zstd = { zstd_new, zstd_reset, zstd_run, zstd_free };
