/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a stream of bytes into members
 *
 *      source ──pieces──▶ view ──▶ tarhead_parse(): headers in one piece of memory
 *                          │
 *                          └─────▶ data, lent as it lies in the source's piece
 *
 * The view is the unread rest of the source's piece.  Only where headers reach over the end of a
 * piece are bytes copied, into a buffer that is the view until it is used up.
 *
 * Invariants: - the view begins at byte `at` of the archive
 */
#include "image/tarstream.h"

#include "image/layer_name.h"
#include "image/tarnum.h"

#include <errno.h>
#include <string.h>

struct tarstream {
	struct source *src;
	struct tarhead head;
	const uint8_t *view;
	size_t view_len;
	uint64_t at; /* of the view in the archive */
	uint64_t data_left; /* stored bytes of the member that were not read */
	uint64_t padding; /* behind them */
	size_t lent; /* bytes in front of the view's end that the caller of tarstream_data() has */
	struct buf gathered; /* what the view points into if it is not the source's piece */
	struct buf spare; /* the other buffer, while one is copied from */
	bool ended; /* the source has no more */
};

int tarstream_new(struct tarstream **ret, struct source *src)
{
	struct tarstream *ts = calloc(1, sizeof(*ts));

	if (!ts)
		return -ENOMEM;
	ts->src = src;
	tarhead_init(&ts->head);
	*ret = ts;
	return 0;
}

void tarstream_free(struct tarstream *ts)
{
	if (!ts)
		return;
	tarhead_done(&ts->head);
	buf_done(&ts->gathered);
	buf_done(&ts->spare);
	free(ts);
}

uint64_t tarstream_at(const struct tarstream *ts)
{
	return ts->at;
}

static void consume(struct tarstream *ts, size_t len)
{
	if (len == 0) /* there may be no view yet */
		return;
	ts->view += len;
	ts->view_len -= len;
	ts->at += len;
}

/* Another piece of the source as the view, which is used up.  Return: 1; 0 at the end. */
static int next_view(struct tarstream *ts, struct err *err)
{
	int r = ts->ended ? 0 : source_next(ts->src, &ts->view, &ts->view_len, err);

	if (r <= 0) {
		ts->ended = true;
		ts->view_len = 0;
	}
	return r;
}

/* Make the view @len bytes long, or as long as the source allows. */
static int gather(struct tarstream *ts, uint64_t len, struct err *err)
{
	struct buf old = ts->gathered;
	const uint8_t *piece;
	size_t piece_len;
	int r;

	if (ts->view_len == 0) {
		r = next_view(ts, err);
		if (r < 0)
			return r;
	}
	if (ts->view_len >= len || ts->ended)
		return 0;
	/* The view may lie in the gathered bytes: copy it to the other buffer. */
	ts->gathered = ts->spare;
	ts->spare = old;
	ts->gathered.len = 0;
	if (ts->view_len && buf_add(&ts->gathered, ts->view, ts->view_len) < 0)
		return err_set(err, -ENOMEM, "cannot read the archive");
	while (ts->gathered.len < len) {
		r = source_next(ts->src, &piece, &piece_len, err);
		if (r < 0)
			return r;
		if (r == 0) {
			ts->ended = true;
			break;
		}
		if (buf_add(&ts->gathered, piece, piece_len) < 0)
			return err_set(err, -ENOMEM, "cannot read the archive");
	}
	ts->view = (const uint8_t *)ts->gathered.data;
	ts->view_len = ts->gathered.len;
	return 0;
}

static int fail(struct tarstream *ts, const char *why, struct err *err)
{
	auto_free char *name =
		layer_name_quote(ts->head.path.data ? ts->head.path.data : "", ts->head.path.len);

	if (ts->head.path.len && name)
		return err_say(err, -EBADMSG, "'%s' at byte %llu: %s", name,
			(unsigned long long)ts->at, why);
	return err_say(err, -EBADMSG, "at byte %llu: %s", (unsigned long long)ts->at, why);
}

/* Over the rest of the data and its padding. */
static int skip_data(struct tarstream *ts, struct err *err)
{
	uint64_t left = ts->data_left + ts->padding;

	consume(ts, ts->lent);
	ts->lent = 0;
	while (left > 0) {
		size_t n;
		int r;

		if (ts->view_len == 0) {
			r = next_view(ts, err);
			if (r < 0)
				return r;
			if (r == 0)
				return fail(ts, "the archive ends inside of this member", err);
		}
		n = ts->view_len < left ? ts->view_len : left;
		consume(ts, n);
		left -= n;
	}
	ts->data_left = ts->padding = 0;
	return 0;
}

/*
 * Parse at the view, which grows until the headers are in it.
 * Return: 1; 0 if only global headers stand before the end.
 */
static int read_head(struct tarstream *ts, struct err *err)
{
	uint64_t want = TAR_BLOCK_BYTES;
	const char *why = NULL;
	int r;

	for (;;) {
		r = tarhead_parse(&ts->head, ts->view, ts->view_len, &want, &why);
		if (r != 1)
			break;
		if (ts->ended && ts->head.own_off == ts->view_len)
			return 0;
		if (ts->ended)
			return fail(ts, "header that is cut short", err);
		/* Twice as much each time, so that parsing anew costs twice at most. */
		if (want < 2 * ts->view_len)
			want = 2 * ts->view_len;
		r = gather(ts, want, err);
		if (r < 0)
			return r;
	}
	if (r == -EBADMSG)
		return fail(ts, why, err);
	if (r < 0)
		return err_set(err, r, "cannot read the archive");
	return r == TARHEAD_END ? 0 : 1;
}

int tarstream_next(struct tarstream *ts, struct tar_member *ret, struct err *err)
{
	uint64_t start;
	int r = skip_data(ts, err);

	if (r < 0)
		return r;
	ts->head.path.len = 0; /* not the member that an error is about */
	r = gather(ts, TAR_BLOCK_BYTES, err);
	if (r < 0)
		return r;
	if (ts->view_len == 0) /* some writers leave out the end mark */
		return 0;
	if (ts->view_len < TAR_BLOCK_BYTES)
		return fail(ts, "header that is cut short", err);
	if (tarhead_is_end(ts->view))
		return 0;
	r = read_head(ts, err);
	if (r <= 0)
		return r;
	start = ts->at;
	consume(ts, ts->head.head_bytes);
	ts->data_left = ts->head.stored;
	ts->padding = tar_blocks(ts->data_left) - ts->data_left;
	*ret = (struct tar_member){
		.head = &ts->head, .hdr_off = start + ts->head.own_off, .data_off = ts->at
	};
	return 1;
}

int tarstream_data(struct tarstream *ts, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	int r;

	consume(ts, ts->lent);
	ts->lent = 0;
	if (ts->data_left == 0)
		return 0;
	if (ts->view_len == 0) {
		r = next_view(ts, err);
		if (r < 0)
			return r;
		if (r == 0)
			return fail(ts, "the archive ends inside of this member", err);
	}
	ts->lent = ts->view_len < ts->data_left ? ts->view_len : ts->data_left;
	ts->data_left -= ts->lent;
	*ret_data = ts->view;
	*ret_len = ts->lent;
	return 1;
}
