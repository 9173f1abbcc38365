/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders and checks, fed in pieces of every awkward size. */
#include "image/decode.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "tests/unit/test.h"

#include <zlib.h>
#include <zstd.h>

/* A source that lends @data in pieces of @step bytes. */
struct piece_source {
	struct source source;
	const uint8_t *data;
	size_t len, step;
};

static int piece_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct piece_source *p = (struct piece_source *)s;
	size_t n = p->len < p->step ? p->len : p->step;

	*ret = p->data;
	*ret_len = n;
	p->data += n;
	p->len -= n;
	return n > 0;
}

static void piece_close(struct source *s)
{
	free(s);
}

static struct source *pieces(const struct buf *b, size_t step)
{
	struct piece_source *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	*p = (struct piece_source){ { piece_next, piece_close }, (uint8_t *)b->data, b->len, step };
	return &p->source;
}

static void add_gzip(struct buf *b, const void *data, size_t len)
{
	uint8_t out[65536];
	z_stream z = { .next_in = (void *)data, .avail_in = (uInt)len };

	CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
	z.next_out = out;
	z.avail_out = sizeof(out);
	CHECK_INT(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
	CHECK_INT(buf_add(b, out, sizeof(out) - z.avail_out), ==, 0);
	(void)deflateEnd(&z);
}

static void add_zstd(struct buf *b, const void *data, size_t len)
{
	uint8_t out[65536];
	size_t n = ZSTD_compress(out, sizeof(out), data, len, 3);

	CHECK(!ZSTD_isError(n));
	CHECK_INT(buf_add(b, out, n), ==, 0);
}

static const size_t steps[] = { 1, 2, 3, 7, 64, 4096, 1 << 20 };

/* What @packed unpacks to; the same for every size of pieces. */
static int decode(const struct buf *packed, enum codec declared, struct buf *ret)
{
	int first = 1, r0 = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		auto_source s = NULL;
		auto_free char *data = NULL;
		size_t len = 0;
		int r;

		CHECK_INT(source_decode_new(&s, pieces(packed, steps[i]), declared, NULL), ==, 0);
		r = source_read_all(s, 1 << 26, &data, &len, NULL);
		if (first) {
			r0 = r;
			if (r == 0)
				CHECK_INT(buf_add(ret, data, len), ==, 0);
		}
		CHECK_INT(r, ==, r0);
		if (r == 0)
			CHECK(len == ret->len && memcmp(data, ret->data, len) == 0);
		first = 0;
	}
	return r0;
}

static void fill(char *p, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)(x >> 24 & 15);
	}
}

TEST(members_and_frames_are_joined)
{
	static char text[30000];

	fill(text, sizeof(text));
	for (int codec = CODEC_GZIP; codec <= CODEC_ZSTD; codec++) {
		void (*add)(struct buf *, const void *, size_t) =
			codec == CODEC_GZIP ? add_gzip : add_zstd;
		auto_buf packed = { 0 }, out = { 0 };
		static const char zeros[1000];

		add(&packed, text, 10000);
		add(&packed, "", 0);
		add(&packed, text + 10000, 20000);
		CHECK_INT(decode(&packed, (enum codec)codec, &out), ==, 0);
		CHECK(out.len == sizeof(text) && memcmp(out.data, text, sizeof(text)) == 0);
		/* Padding behind it, as tape and block tools leave it. */
		for (size_t n = 1; n < sizeof(zeros); n *= 5) {
			auto_buf again = { 0 };

			CHECK_INT(buf_add(&packed, zeros, n), ==, 0);
			CHECK_INT(decode(&packed, CODEC_NONE, &again), ==, 0);
			CHECK_INT(again.len, ==, sizeof(text));
		}
	}
}

TEST(skippable_frames_are_skipped)
{
	static const char skip[] = "\x5e\x2a\x4d\x18\x05\x00\x00\x00hello";
	auto_buf packed = { 0 }, out = { 0 };

	CHECK_INT(buf_add(&packed, skip, sizeof(skip) - 1), ==, 0);
	add_zstd(&packed, "abc", 3);
	CHECK_INT(buf_add(&packed, skip, sizeof(skip) - 1), ==, 0);
	add_zstd(&packed, "def", 3);
	CHECK_INT(buf_add(&packed, skip, sizeof(skip) - 1), ==, 0);
	CHECK_INT(decode(&packed, CODEC_ZSTD, &out), ==, 0);
	CHECK_STR(out.data, "abcdef");
}

TEST(every_truncation_is_noticed)
{
	static char text[3000];

	fill(text, sizeof(text));
	for (int codec = CODEC_GZIP; codec <= CODEC_ZSTD; codec++) {
		auto_buf packed = { 0 };
		size_t whole;

		codec == CODEC_GZIP ? add_gzip(&packed, text, sizeof(text))
				    : add_zstd(&packed, text, sizeof(text));
		whole = packed.len;
		for (packed.len = 1; packed.len < whole; packed.len += packed.len < 40 ? 1 : 97) {
			auto_buf out = { 0 };

			CHECK_INT(decode(&packed, (enum codec)codec, &out), ==, -EBADMSG);
		}
	}
}

TEST(damage_is_noticed)
{
	auto_buf packed = { 0 }, out = { 0 };

	add_gzip(&packed, "hello world", 11);
	packed.data[packed.len - 6] ^= 1; /* the CRC */
	CHECK_INT(decode(&packed, CODEC_GZIP, &out), ==, -EBADMSG);
	packed.data[packed.len - 6] ^= 1;
	packed.data[packed.len - 1] ^= 1; /* the length */
	CHECK_INT(decode(&packed, CODEC_GZIP, &out), ==, -EBADMSG);
	packed.data[packed.len - 1] ^= 1;
	CHECK_INT(buf_add_str(&packed, "garbage"), ==, 0);
	CHECK_INT(decode(&packed, CODEC_GZIP, &out), ==, -EBADMSG);
}

TEST(plain_bytes_pass)
{
	static const char *const texts[] = { "", "a", "ab", "abc", "abcd", "ustar and more" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_buf in = { 0 }, out = { 0 };

		CHECK_INT(buf_add_str(&in, texts[i]), ==, 0);
		CHECK_INT(decode(&in, CODEC_NONE, &out), ==, 0);
		CHECK_STR(out.data ? out.data : "", texts[i]);
		CHECK_INT(decode(&in, CODEC_GZIP, &out), ==, -EBADMSG);
		CHECK_INT(decode(&in, CODEC_ZSTD, &out), ==, -EBADMSG);
	}
}

TEST(a_label_may_be_wrong_about_the_kind_of_packing)
{
	auto_buf packed = { 0 }, out = { 0 };

	add_gzip(&packed, "abc", 3);
	CHECK_INT(decode(&packed, CODEC_ZSTD, &out), ==, 0);
	CHECK_STR(out.data, "abc");
}

/* A frame whose header asks for a window of 2^@log bytes. */
static int decode_window(unsigned int log)
{
	const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00,
		(unsigned char)((log - 10) << 3), 0x01, 0x00, 0x00 };
	auto_buf in = { 0 }, out = { 0 };

	CHECK_INT(buf_add(&in, frame, sizeof(frame)), ==, 0);
	return decode(&in, CODEC_ZSTD, &out);
}

TEST(zstd_windows_are_limited)
{
	CHECK_INT(decode_window(LIMIT_ZSTD_WINDOW_LOG), ==, 0);
	CHECK_INT(decode_window(LIMIT_ZSTD_WINDOW_LOG + 1), ==, -EBADMSG);
	CHECK_INT(decode_window(31), ==, -EBADMSG);
}

static int check(const char *text, const char *digest_of_text, uint64_t size)
{
	auto_buf in = { 0 };
	auto_source s = NULL;
	auto_free char *data = NULL;
	_Atomic uint64_t seen = 0;
	struct idx_digest d;
	size_t len;

	CHECK_INT(buf_add_str(&in, text), ==, 0);
	CHECK_INT(digest_of(digest_of_text, strlen(digest_of_text), &d), ==, 0);
	CHECK_INT(source_check_new(&s, pieces(&in, 4), &d, size, &seen, NULL), ==, 0);
	return source_read_all(s, 100, &data, &len, NULL);
}

TEST(size_and_digest_are_checked)
{
	CHECK_INT(check("hello world", "hello world", 11), ==, 0);
	CHECK_INT(check("", "", 0), ==, 0);
	CHECK_INT(check("hello world", "hello world", 10), ==, -EBADMSG);
	CHECK_INT(check("hello world", "hello world", 12), ==, -EBADMSG);
	CHECK_INT(check("hello world", "hello worle", 11), ==, -EBADMSG);
	CHECK_INT(check("", "", 1), ==, -EBADMSG);
	CHECK_INT(check("x", "", 0), ==, -EBADMSG);
}

/* Numbers that do not repeat, in @n members of 64 KiB. */
static void add_members(struct buf *packed, struct buf *plain, uint32_t n)
{
	uint32_t words[16384];

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < ARRAY_SIZE(words); k++)
			words[k] = (i << 14 | k) / 3;
		add_gzip(packed, words, sizeof(words));
		CHECK_INT(buf_add(plain, words, sizeof(words)), ==, 0);
	}
}

TEST(pieces_stay_for_as_long_as_the_source_says)
{
	const uint8_t *lent[64];
	size_t lens[64], offs[64], off = 0, n = 0;
	auto_buf packed = { 0 }, plain = { 0 };
	auto_source s = NULL;

	add_members(&packed, &plain, 64);
	CHECK_INT(source_decode_new(&s, pieces(&packed, 100000), CODEC_GZIP, NULL), ==, 0);
	while (n < ARRAY_SIZE(lent) && source_next(s, &lent[n], &lens[n], NULL) > 0) {
		size_t first = n + 1 < s->n_kept ? 0 : n + 1 - s->n_kept;

		offs[n] = off;
		off += lens[n];
		n++;
		for (size_t i = first; i < n; i++)
			CHECK(memcmp(lent[i], plain.data + offs[i], lens[i]) == 0);
	}
	CHECK_INT(off, ==, plain.len);
	CHECK(n > s->n_kept && s->n_kept > 1);
	/* Members are joined into large pieces. */
	CHECK_INT(n, <=, 17);
}

TEST(a_large_blob_is_checked_as_a_small_one_is)
{
	auto_buf packed = { 0 }, plain = { 0 };
	struct idx_digest digest;

	add_members(&packed, &plain, 100);
	CHECK_INT(digest_of(plain.data, plain.len, &digest), ==, 0);
	for (int wrong = 0; wrong < 2; wrong++) {
		auto_source s = NULL;
		auto_source left = NULL;
		const uint8_t *data;
		size_t len;
		int r;

		digest.bytes[5] ^= (uint8_t)wrong;
		CHECK_INT(
			source_check_new(&s, pieces(&plain, 70001), &digest, plain.len, NULL, NULL),
			==, 0);
		while ((r = source_next(s, &data, &len, NULL)) > 0)
			;
		CHECK_INT(r, ==, wrong ? -EBADMSG : 0);
		CHECK_INT(source_next(s, &data, &len, NULL), ==, wrong ? -EBADMSG : 0);
		/* Given up half-way. */
		CHECK_INT(source_check_new(
				  &left, pieces(&plain, 1 << 20), &digest, plain.len, NULL, NULL),
			==, 0);
		CHECK_INT(source_next(left, &data, &len, NULL), ==, 1);
	}
}
