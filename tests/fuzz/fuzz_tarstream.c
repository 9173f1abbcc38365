/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader finds the same members, or the same fault, in whatever pieces the bytes come. */
#include "base/str.h"
#include "image/tarstream.h"
#include "tests/fuzz/fuzz.h"
#include "tests/helpers/make_tar.h"
#include "tests/helpers/mem_source.h"

static void check(int r)
{
	if (r < 0)
		abort();
}

static void say_member(struct buf *out, const struct tar_member *tm)
{
	const struct tarhead *h = tm->head;

	check(buf_printf(out, "%c %o %llu:%llu %lld.%u %llu %llu@%llu+%llu ", h->type, h->mode,
		(unsigned long long)h->uid, (unsigned long long)h->gid, (long long)h->mtime_sec,
		h->mtime_nsec, (unsigned long long)h->size, (unsigned long long)h->stored,
		(unsigned long long)tm->hdr_off, (unsigned long long)tm->data_off));
	for (size_t i = 0; i < h->map.n; i++)
		check(buf_printf(out, "%llu+%llu ", (unsigned long long)h->map.v[i].file_off,
			(unsigned long long)h->map.v[i].len));
	if (h->path.len)
		check(buf_add(out, h->path.data, h->path.len));
	if (h->link.len)
		check(buf_add(out, h->link.data, h->link.len));
	if (h->pax.bytes.len)
		check(buf_add(out, h->pax.bytes.data, h->pax.bytes.len));
}

/* Every other member's data is read, the rest is skipped. */
static void read_all(const uint8_t *data, size_t len, size_t piece, struct buf *out)
{
	struct err err = ERR_INIT;
	struct tarstream *ts;
	struct mem_source src;
	struct tar_member tm;
	unsigned int n = 0;
	int r;

	mem_source_init(&src, data, len, piece);
	check(tarstream_new(&ts, &src.base));
	while ((r = tarstream_next(ts, &tm, &err)) == 1) {
		const uint8_t *p;
		size_t p_len;

		say_member(out, &tm);
		while (n % 2 == 0 && (r = tarstream_data(ts, &p, &p_len, &err)) == 1)
			check(buf_add(out, p, p_len));
		if (r < 0)
			break;
		n++;
	}
	check(buf_printf(
		out, "end %d %llu '%s'", r, (unsigned long long)tarstream_at(ts), err.text));
	tarstream_free(ts);
	source_close(&src.base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t pieces[] = { 0, 100, 512, 1000 };
	auto_free uint8_t *copy = malloc(len + 1);
	auto_buf want = { 0 };

	if (!copy || len > 1 << 20)
		return 0;
	memcpy(copy, data, len);
	for (size_t off = 0; off + 512 <= len; off += 512)
		if (memcmp(copy + off + 257, "ustar", 5) == 0)
			make_tar_fix(copy + off);
	read_all(copy, len, pieces[0], &want);
	for (size_t i = 1; i < ARRAY_SIZE(pieces); i++) {
		auto_buf got = { 0 };

		read_all(copy, len, pieces[i], &got);
		if (got.len != want.len || memcmp(got.data, want.data, want.len) != 0)
			abort();
	}
	return 0;
}
