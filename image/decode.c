/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a packed layer to its tar (the contract is in the header)
 *
 *      START ─ magic ─▶ STREAM ⇄ BETWEEN ─ zeros ─▶ PADDING ─ end ─▶ END
 *        └── no magic ─▶ PLAIN ─ end ─▶ END
 *
 * The first bytes may come one by one, so START and BETWEEN gather a head of 4 bytes before they
 * decide; the head is then read before the rest of the piece.
 */
#include "image/decode.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "image/unpack_codec.h"

#define OUT_BYTES  (256 << 10)
#define N_OUT	   8 /* pieces that stay valid, so that they can be hashed beside the unpacking */
#define HEAD_BYTES 4

enum state { START, STREAM, BETWEEN, PADDING, PLAIN, END };

struct decode_source {
	struct source source;
	struct source *below;
	const struct codec_ops *ops; /* NULL until the magic number was seen */
	void *ctx;
	const uint8_t *in; /* what is left of the piece of @below */
	size_t in_len;
	uint8_t head[HEAD_BYTES]; /* gathered, to be read before @in */
	size_t head_len;
	enum codec declared;
	enum state state;
	bool below_ended;
	int broken;
	unsigned int slot; /* of out, that is being filled */
	size_t out_len; /* bytes in it */
	uint8_t out[N_OUT][OUT_BYTES];
};

static enum codec codec_of_magic(const uint8_t *p, size_t len)
{
	uint32_t le;

	if (len >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8)
		return CODEC_GZIP;
	if (len < 4)
		return CODEC_NONE;
	le = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	/* A frame, or one of the sixteen kinds of skippable frames. */
	return le == 0xfd2fb528 || (le & 0xfffffff0) == 0x184d2a50 ? CODEC_ZSTD : CODEC_NONE;
}

static const struct codec_ops *ops_of(enum codec codec)
{
	return codec == CODEC_GZIP ? &codec_gzip : &codec_zstd;
}

/* Have a piece of @below, unless it ended. */
static int fill(struct decode_source *d, struct err *err)
{
	int r;

	if (d->in_len || d->below_ended)
		return 0;
	r = source_next(d->below, &d->in, &d->in_len, err);
	if (r == 0)
		d->below_ended = true;
	return r < 0 ? r : 0;
}

/* Gather the head; fewer than HEAD_BYTES only at the end. */
static int gather_head(struct decode_source *d, struct err *err)
{
	while (d->head_len < HEAD_BYTES) {
		int r = fill(d, err);

		if (r < 0)
			return r;
		if (d->below_ended)
			return 0;
		d->head[d->head_len++] = *d->in++;
		d->in_len--;
	}
	return 0;
}

static int start(struct decode_source *d, struct err *err)
{
	static const char *const names[] = { "plain", "gzip", "zstd" };
	enum codec codec;
	int r = gather_head(d, err);

	if (r < 0)
		return r;
	codec = codec_of_magic(d->head, d->head_len);
	if (codec == CODEC_NONE) {
		if (d->declared != CODEC_NONE && d->head_len)
			return err_say(err, -EBADMSG, "the layer is declared as %s, but is not",
				names[d->declared]);
		if (d->declared != CODEC_NONE)
			return err_say(err, -EBADMSG, "the layer is empty");
		d->state = PLAIN;
		return 0;
	}
	d->ops = ops_of(codec);
	r = d->ops->new (&d->ctx);
	if (r < 0)
		return err_set(err, r, "cannot unpack %s data", names[codec]);
	d->source.n_kept = N_OUT;
	d->state = STREAM;
	return 0;
}

/* Run the codec over the head, if there is one, else over the piece. */
static int run_codec(struct decode_source *d, struct codec_io *io, struct err *err)
{
	size_t before;
	int r;

	if (d->head_len) {
		io->in = d->head;
		io->in_len = d->head_len;
		r = d->ops->run(d->ctx, io, err);
		memmove(d->head, io->in, io->in_len);
		d->head_len = io->in_len;
		return r;
	}
	io->in = d->in;
	io->in_len = before = d->in_len;
	r = d->ops->run(d->ctx, io, err);
	d->in += before - io->in_len;
	d->in_len = io->in_len;
	return r;
}

/* Fill the slot.  Return: 1 if it is full, 0 if the state changed, or an error. */
static int stream(struct decode_source *d, struct err *err)
{
	struct codec_io io = { .out = d->out[d->slot] + d->out_len,
		.out_len = OUT_BYTES - d->out_len };
	int r = 0;

	while (r == 0 && io.out_len > 0) {
		size_t had = io.out_len;
		size_t in_before;

		r = d->head_len ? 0 : fill(d, err);
		if (r < 0)
			return r;
		in_before = d->head_len + d->in_len;
		r = run_codec(d, &io, err);
		if (r < 0)
			return r;
		/* Neither read nor written at the end of the input: the rest is missing. */
		if (r == 0 && had == io.out_len && in_before == d->head_len + d->in_len &&
			d->below_ended)
			return err_say(err, -EBADMSG, "the packed layer is cut short");
	}
	if (r == 1)
		d->state = BETWEEN;
	d->out_len = OUT_BYTES - io.out_len;
	return io.out_len == 0;
}

/* Behind a member or frame: another one, padding, or the end. */
static int between(struct decode_source *d, struct err *err)
{
	int r = gather_head(d, err);

	if (r < 0)
		return r;
	if (d->head_len == 0) {
		d->state = END;
		return 0;
	}
	if (codec_of_magic(d->head, d->head_len) != CODEC_NONE &&
		ops_of(codec_of_magic(d->head, d->head_len)) == d->ops) {
		d->state = STREAM;
		r = d->ops->reset(d->ctx);
		return r < 0 ? err_set(err, r, "cannot unpack the layer") : 0;
	}
	d->state = PADDING;
	return 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static int padding(struct decode_source *d, struct err *err)
{
	int r;

	do {
		if (!is_zero(d->head, d->head_len) || !is_zero(d->in, d->in_len))
			return err_say(err, -EBADMSG, "the packed layer is followed by garbage");
		d->head_len = d->in_len = 0;
		r = fill(d, err);
		if (r < 0)
			return r;
	} while (!d->below_ended);
	d->state = END;
	return 0;
}

static int plain(struct decode_source *d, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	int r;

	if (d->head_len) {
		memcpy(d->out[0], d->head, d->head_len);
		*ret = d->out[0];
		*ret_len = d->head_len;
		d->head_len = 0;
		return 1;
	}
	r = fill(d, err);
	if (r < 0)
		return r;
	if (d->below_ended) {
		d->state = END;
		return 0;
	}
	*ret = d->in;
	*ret_len = d->in_len;
	d->in_len = 0;
	return 1;
}

static int step(struct decode_source *d, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	switch (d->state) {
	case START:
		return start(d, err);
	case STREAM:
		return stream(d, err);
	case BETWEEN:
		return between(d, err);
	case PADDING:
		return padding(d, err);
	case PLAIN:
		return plain(d, ret, ret_len, err);
	case END:
		break;
	}
	return 0;
}

static int decode_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct decode_source *d = (struct decode_source *)s;
	int r = 0;

	if (d->broken)
		return err_set(err, d->broken, "cannot unpack the layer");
	d->slot = (d->slot + 1) % N_OUT;
	d->out_len = 0;
	while (r == 0 && d->state != END)
		r = step(d, ret, ret_len, err);
	if (r < 0)
		d->broken = r;
	if (r < 0 || d->out_len == 0)
		return r;
	*ret = d->out[d->slot];
	*ret_len = d->out_len;
	return 1;
}

static void decode_close(struct source *s)
{
	struct decode_source *d = (struct decode_source *)s;

	if (d->ctx)
		d->ops->free(d->ctx);
	source_close(d->below);
	free(d);
}

int source_decode_new(
	struct source **ret, struct source *below, enum codec declared, struct err *err)
{
	struct decode_source *d = malloc(sizeof(*d));

	if (!d) {
		source_close(below);
		return err_set(err, -ENOMEM, "cannot unpack a layer");
	}
	/* The buffer at the end needs no zeros. */
	memset(d, 0, offsetof(struct decode_source, out));
	d->source = (struct source){ decode_next, decode_close };
	d->below = below;
	d->declared = declared;
	*ret = &d->source;
	return 0;
}
