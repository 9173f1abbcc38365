/* SPDX-License-Identifier: Apache-2.0 */
/* Packing a layer by gzip (the contract is in the header). */
#include "image/pack.h"

#include "base/fd.h"

#include <string.h>
#include <zlib.h>

#define OUT_BYTES (256 << 10)
#define LEVEL	  6

struct packer {
	z_stream z;
	struct hasher *hasher;
	int fd;
	uint64_t size;
	uint8_t out[OUT_BYTES];
};

/* Let zlib work until it has used up its input (or, with Z_FINISH, has ended). */
static int deflate_all(struct packer *p, int flush, struct err *err)
{
	do {
		size_t len;
		int r;

		p->z.next_out = p->out;
		p->z.avail_out = sizeof(p->out);
		if (deflate(&p->z, flush) == Z_STREAM_ERROR)
			return err_set(err, -EINVAL, "cannot pack a layer");
		len = sizeof(p->out) - p->z.avail_out;
		r = fd_write_all(p->fd, p->out, len);
		if (r < 0)
			return err_set(err, r, "cannot write a packed layer");
		hasher_update(p->hasher, p->out, len);
		p->size += len;
	} while (p->z.avail_out == 0);
	return 0;
}

static int pack(struct packer *p, struct source *in, _Atomic uint64_t *progress, struct err *err)
{
	gz_header head = { .os = 255 };
	const uint8_t *data;
	size_t len;
	int r;

	(void)deflateSetHeader(&p->z, &head);
	while ((r = source_next(in, &data, &len, err)) > 0) {
		for (size_t done = 0; done < len && r >= 0;) {
			size_t n = len - done < OUT_BYTES ? len - done : OUT_BYTES;

			p->z.next_in = (uint8_t *)data + done;
			p->z.avail_in = (uInt)n;
			r = deflate_all(p, Z_NO_FLUSH, err);
			done += n;
		}
		if (r < 0)
			return r;
		if (progress)
			atomic_fetch_add_explicit(progress, len, memory_order_relaxed);
	}
	return r < 0 ? r : deflate_all(p, Z_FINISH, err);
}

int pack_gzip(struct source *in, int fd, _Atomic uint64_t *progress, struct idx_digest *ret,
	uint64_t *ret_size, struct err *err)
{
	auto_free struct packer *p = calloc(1, sizeof(*p));
	int r = p ? hasher_new(&p->hasher, IDX_SHA256) : -ENOMEM;

	if (r == 0 &&
		deflateInit2(&p->z, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		hasher_free(p->hasher);
		r = -ENOMEM;
	}
	if (r < 0)
		return err_set(err, r, "cannot pack a layer");
	p->fd = fd;
	r = pack(p, in, progress, err);
	(void)deflateEnd(&p->z);
	if (r == 0) {
		hasher_finish(p->hasher, ret);
		*ret_size = p->size;
	}
	hasher_free(p->hasher);
	return r;
}
