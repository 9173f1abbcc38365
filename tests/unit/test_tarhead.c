/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tarhead.h"
#include "image/tarnum.h"
#include "tests/helpers/make_tar.h"
#include "tests/unit/test.h"

#include <errno.h>

/* The first member of an archive; the caller frees. */
static int parse(struct tarhead *h, const struct buf *tar, const char **why)
{
	uint64_t need = 0;
	int r;

	*why = NULL;
	tarhead_init(h);
	r = tarhead_parse(h, (const uint8_t *)tar->data, tar->len, &need, why);
	if (r == 1)
		CHECK(need > tar->len);
	return r;
}

/* Expect a refusal whose reason holds @want. */
static void check_bad(const struct buf *tar, const char *want)
{
	struct tarhead h;
	const char *why;

	CHECK_INT(parse(&h, tar, &why), ==, -EBADMSG);
	if (!why || !strstr(why, want))
		test_fail(__FILE__, __LINE__, "'%s' is not '%s'", why ? why : "", want);
	tarhead_done(&h);
}

static void check_bad_pax(const char *records, const char *want)
{
	auto_buf tar = { 0 };

	make_tar_add(&tar, &(struct tar_entry){ .name = "f", .pax = records });
	check_bad(&tar, want);
}

static void check_bad_raw(char type, const char *body, size_t len, const char *want)
{
	auto_buf tar = { 0 };

	make_tar_raw(&tar, type, body, len);
	make_tar_add(&tar, &(struct tar_entry){ .name = "f" });
	check_bad(&tar, want);
}

TEST(numbers_are_octal_or_base_256)
{
	static const struct {
		const char *field;
		size_t len;
		int r;
		int64_t want;
	} cases[] = {
		{ "0000644", 8, 0, 0644 },
		{ "   644 ", 8, 0, 0644 },
		{ "\0\0\0\0\0\0\0", 8, 0, 0 },
		{ "        ", 8, 0, 0 },
		{ "77777777", 8, 0, 077777777 },
		{ "0000648", 8, -EINVAL, 0 },
		{ "-000001", 8, -EINVAL, 0 },
		{ "64 4   ", 8, -EINVAL, 0 },
		{ "\x80\0\0\0\0\0\x01\x02", 8, 0, 258 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xfe", 8, 0, -2 },
		{ "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, 0, INT64_MAX },
		{ "\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, -ERANGE, 0 },
		{ "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, 0, INT64_MIN },
		{ "\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0", 12, -ERANGE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 0;

		CHECK_INT(tarnum_field((const uint8_t *)cases[i].field, cases[i].len, &v), ==,
			cases[i].r);
		CHECK_INT(v, ==, cases[i].want);
	}
}

TEST(counts_are_not_negative)
{
	uint64_t v = 7;

	CHECK_INT(tarnum_count((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xfe", 8, &v), ==,
		-ERANGE);
	CHECK_INT(v, ==, 7);
	CHECK_INT(tarnum_decimal("9223372036854775295", 19, &v), ==, 0);
	CHECK_INT(tarnum_decimal("9223372036854775296", 19, &v), ==, -EINVAL);
	CHECK_INT(tarnum_decimal("", 0, &v), ==, -EINVAL);
	CHECK_INT(tarnum_decimal("+1", 2, &v), ==, -EINVAL);
}

TEST(times_have_signs_and_fractions)
{
	static const struct {
		const char *text;
		int r;
		int64_t sec;
		uint32_t nsec;
	} cases[] = {
		{ "0", 0, 0, 0 },
		{ "1.5", 0, 1, 500000000 },
		{ "-1.5", 0, -2, 500000000 },
		{ "-0.000000001", 0, -1, 999999999 },
		{ "1.0000000019", 0, 1, 1 },
		{ "7.", 0, 7, 0 },
		{ "-3", 0, -3, 0 },
		{ "", -EINVAL, 0, 0 },
		{ "-", -EINVAL, 0, 0 },
		{ ".5", -EINVAL, 0, 0 },
		{ "NaN", -EINVAL, 0, 0 },
		{ "1e400", -EINVAL, 0, 0 },
		{ "1.5x", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t nsec = 0;
		int64_t sec = 0;

		CHECK_INT(tarnum_time(cases[i].text, strlen(cases[i].text), &sec, &nsec), ==,
			cases[i].r);
		CHECK_INT(sec, ==, cases[i].sec);
		CHECK_INT(nsec, ==, cases[i].nsec);
	}
}

TEST(times_that_do_not_fit_are_clamped)
{
	int64_t sec = 0;
	uint32_t nsec;

	CHECK_INT(tarnum_time("99999999999999999999999", 23, &sec, &nsec), ==, 0);
	CHECK(sec > INT64_C(1) << 58);
	CHECK_INT(tarnum_time("-99999999999999999999999", 24, &sec, &nsec), ==, 0);
	CHECK(sec < -(INT64_C(1) << 58));
}

TEST(a_plain_header_is_read)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;

	make_tar_add(&tar, &(struct tar_entry){ .name = "dir/file",
				   .data = "hello",
				   .mode = 04755,
				   .uid = 7,
				   .gid = 8,
				   .mtime = 99 });
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_STR(h.path.data, "dir/file");
	CHECK_INT(h.type, ==, '0');
	CHECK_INT(h.mode, ==, 04755);
	CHECK_INT(h.uid, ==, 7);
	CHECK_INT(h.gid, ==, 8);
	CHECK_INT(h.mtime_sec, ==, 99);
	CHECK_INT(h.size, ==, 5);
	CHECK_INT(h.stored, ==, 5);
	CHECK_INT(h.head_bytes, ==, 512);
	CHECK_INT(h.own_off, ==, 0);
	tarhead_done(&h);
}

TEST(pax_beats_the_header)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;

	make_tar_add(
		&tar, &(struct tar_entry){ .name = "short",
			      .data = "hello",
			      .uid = 1,
			      .pax = "path=a/long/e\xcc\x81\xff name\nuid=3000000\nmtime=-1.25\n"
				     "SCHILY.xattr.user.k=v=w\nunknown=x\n"
				     "LIBARCHIVE.xattr.user.%41b=AAEC\n" });
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	/* Neither composed nor mended: names are bytes. */
	CHECK_STR(h.path.data, "a/long/e\xcc\x81\xff name");
	CHECK_INT(h.uid, ==, 3000000);
	CHECK_INT(h.mtime_sec, ==, -2);
	CHECK_INT(h.mtime_nsec, ==, 750000000);
	CHECK_INT(h.head_bytes, ==, 1536);
	CHECK_INT(h.pax.n_xattrs, ==, 2);
	CHECK_INT(h.pax.xattrs[0].name_len, ==, 6);
	CHECK_INT(h.pax.xattrs[0].value_len, ==, 3);
	CHECK_INT(h.pax.xattrs[1].value_len, ==, 3);
	CHECK_INT(memcmp(h.pax.bytes.data, "user.kv=wuser.Ab\0\1\2", 19), ==, 0);
	tarhead_done(&h);
}

TEST(global_headers_apply_and_belong_to_no_member)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;

	make_tar_pax(&tar, 'g', "comment=x\nmtime=77.5\nuid=5\n");
	make_tar_add(&tar, &(struct tar_entry){ .name = "f", .gid = 3, .pax = "uid=\n" });
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_INT(h.mtime_sec, ==, 77);
	CHECK_INT(h.mtime_nsec, ==, 500000000);
	CHECK_INT(h.uid, ==, 5);
	CHECK_INT(h.gid, ==, 3);
	CHECK_INT(h.own_off, ==, 1024);
	CHECK_INT(h.head_bytes, ==, 2560);
	tarhead_done(&h);
}

TEST(global_headers_do_not_name_or_size)
{
	static const char *const records[] = { "path=x\n", "linkpath=x\n", "size=1\n",
		"GNU.sparse.name=x\n" };

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		auto_buf tar = { 0 };

		make_tar_pax(&tar, 'g', records[i]);
		make_tar_add(&tar, &(struct tar_entry){ .name = "f" });
		check_bad(&tar, "global header");
	}
}

TEST(gnu_long_names_are_read)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;
	char name[400];

	memset(name, 'n', sizeof(name));
	name[399] = '\0';
	make_tar_raw(&tar, 'L', name, 400);
	make_tar_raw(&tar, 'K', "target", 7);
	make_tar_add(&tar, &(struct tar_entry){ .name = "nnn", .type = '2', .link = "t" });
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_STR(h.path.data, name);
	CHECK_STR(h.link.data, "target");
	CHECK_INT(h.own_off, ==, 0);
	tarhead_done(&h);
}

TEST(ustar_prefix_and_full_names_are_joined)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;
	char want[257];
	uint8_t *b;

	b = make_tar_block(&tar, "x", '0', 0);
	memset(b, 'n', 100);
	memset(b + 345, 'p', 155);
	make_tar_fix(b);
	memset(want, 'p', 155);
	want[155] = '/';
	memset(want + 156, 'n', 100);
	want[256] = '\0';
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_STR(h.path.data, want);
	tarhead_done(&h);
	/* star keeps times behind a shorter prefix. */
	memcpy(b + 508, "tar", 4);
	make_tar_fix(b);
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_INT(h.path.len, ==, 131 + 1 + 100);
	tarhead_done(&h);
}

TEST(types_are_told_apart)
{
	static const struct {
		char type;
		const char *name;
		char want;
	} cases[] = {
		{ '0', "f", '0' },
		{ '\0', "f", '0' },
		{ '7', "f", '0' },
		{ '0', "d/", '5' },
		{ '\0', "d/", '5' },
		{ '1', "h", '1' },
		{ '2', "s", '2' },
		{ '5', "d", '5' },
		{ '6', "p", '6' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_buf tar = { 0 };
		struct tarhead h;
		const char *why;

		(void)make_tar_block(&tar, cases[i].name, cases[i].type, 0);
		CHECK_INT(parse(&h, &tar, &why), ==, 0);
		CHECK_INT(h.type, ==, cases[i].want);
		tarhead_done(&h);
	}
	for (const char *t = "MNQz8"; *t; t++) {
		auto_buf tar = { 0 };

		(void)make_tar_block(&tar, "f", *t, 0);
		check_bad(&tar, "unknown type");
	}
}

TEST(links_and_directories_have_no_data_whatever_their_size_says)
{
	for (const char *t = "123456"; *t; t++) {
		auto_buf tar = { 0 };
		struct tarhead h;
		const char *why;

		(void)make_tar_block(&tar, "f", *t, 4096);
		CHECK_INT(parse(&h, &tar, &why), ==, 0);
		CHECK_INT(h.stored, ==, 0);
		CHECK_INT(h.size, ==, 0);
		tarhead_done(&h);
	}
}

TEST(a_file_named_like_a_directory_has_no_data)
{
	auto_buf tar = { 0 };

	(void)make_tar_block(&tar, "d/", '0', 4096);
	check_bad(&tar, "ends in a slash");
}

TEST(devices_are_read)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;
	uint8_t *b;

	make_tar_pax(&tar, 'x', "SCHILY.devminor=300000\n");
	b = make_tar_block(&tar, "dev", '3', 0);
	memcpy(b + 329, "0000010", 8);
	memcpy(b + 337, "0000001", 8);
	make_tar_fix(b);
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_INT(h.dev_major, ==, 8);
	CHECK_INT(h.dev_minor, ==, 300000);
	tarhead_done(&h);
}

TEST(damaged_headers_are_refused)
{
	auto_buf tar = { 0 };
	uint8_t *b = make_tar_block(&tar, "f", '0', 0);

	b[0] ^= 1;
	check_bad(&tar, "checksum");
	b[0] ^= 1;
	memcpy(b + 124, "-0000000001", 12);
	make_tar_fix(b);
	check_bad(&tar, "size");
	memcpy(b + 124, "00000000008", 12);
	make_tar_fix(b);
	check_bad(&tar, "size");
	memset(b + 124, 0xff, 12);
	make_tar_fix(b);
	check_bad(&tar, "size");
	memcpy(b + 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	make_tar_fix(b);
	check_bad(&tar, "size");
	memcpy(b + 124, "00000000000", 12);
	memset(b + 108, 0xff, 8);
	make_tar_fix(b);
	check_bad(&tar, "owner");
	memset(b + 108, '0', 7);
	b[115] = 0;
	memcpy(b + 100, "xyz", 3);
	make_tar_fix(b);
	check_bad(&tar, "mode");
}

TEST(pax_records_are_well_formed)
{
	static const char long_key[] = "12 a\0b=cdef\n";

	check_bad_raw('x', "x path=y\n", 9, "length");
	check_bad_raw('x', "0 path=y\n", 9, "length");
	check_bad_raw('x', "2 path=y\n", 9, "length");
	check_bad_raw('x', "10 path=y\n\n", 11, "without a length");
	check_bad_raw('x', "11 path=yyy\n", 12, "end");
	check_bad_raw('x', "99 path=yyy\n", 12, "length");
	check_bad_raw('x', "12 pathyyyy\n", 12, "key");
	check_bad_raw('x', "12 =pathyyy\n", 12, "key");
	check_bad_raw('x', long_key, 12, "key");
	check_bad_raw('x', "999999999999 path=y\n", 20, "length");
	check_bad_raw('x', "11 path=a\0b\n", 12, "end");
	check_bad_raw('x', "12 path=a\0b\n", 12, "NUL");
	check_bad_raw('L', "a\0b", 4, "NUL");
	check_bad_pax("size=\n", "size");
	check_bad_pax("size=-1\n", "number");
	check_bad_pax("uid=-1\n", "number");
	check_bad_pax("mtime=NaN\n", "time");
	check_bad_pax("LIBARCHIVE.xattr.user.%4=AAEC\n", "name");
	check_bad_pax("LIBARCHIVE.xattr.user.a=A*EC\n", "value");
}

TEST(what_could_be_read_in_two_ways_is_refused)
{
	auto_buf two_x = { 0 }, two_names = { 0 }, late_g = { 0 };

	make_tar_pax(&two_x, 'x', "uid=1\n");
	make_tar_pax(&two_x, 'x', "uid=2\n");
	make_tar_add(&two_x, &(struct tar_entry){ .name = "f" });
	check_bad(&two_x, "two extended");
	make_tar_pax(&two_names, 'x', "path=a\n");
	make_tar_raw(&two_names, 'L', "b", 2);
	make_tar_add(&two_names, &(struct tar_entry){ .name = "f" });
	check_bad(&two_names, "two long");
	make_tar_pax(&late_g, 'x', "uid=1\n");
	make_tar_pax(&late_g, 'g', "uid=2\n");
	make_tar_add(&late_g, &(struct tar_entry){ .name = "f" });
	check_bad(&late_g, "inside of a member");
}

TEST(extended_headers_have_limits)
{
	auto_buf many = { 0 }, large = { 0 };

	for (int i = 0; i < LIMIT_TAR_EXTS; i++)
		make_tar_pax(&many, 'g', "a=b\n");
	make_tar_add(&many, &(struct tar_entry){ .name = "f" });
	{
		struct tarhead h;
		const char *why;

		CHECK_INT(parse(&h, &many, &why), ==, 0);
		tarhead_done(&h);
	}
	many.len -= 512;
	make_tar_pax(&many, 'g', "a=b\n");
	make_tar_add(&many, &(struct tar_entry){ .name = "f" });
	check_bad(&many, "too many");
	(void)make_tar_block(&large, "x", 'x', LIMIT_TAR_EXT_BYTES + 1);
	check_bad(&large, "too large");
}

TEST(headers_that_are_not_there_yet_are_asked_for)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why = NULL;
	uint64_t need;
	int r = 1;

	make_tar_pax(&tar, 'x', "path=name\n");
	make_tar_raw(&tar, 'K', "target", 7);
	make_tar_add(&tar, &(struct tar_entry){ .name = "f", .type = '2' });
	tarhead_init(&h);
	for (size_t len = 0; r == 1; len = need) {
		uint8_t *copy = malloc(len + 1); /* so that a sanitizer sees a byte too far */

		CHECK(len <= tar.len);
		memcpy(copy, tar.data, len);
		need = 0;
		r = tarhead_parse(&h, copy, len, &need, &why);
		free(copy);
		CHECK(r == 0 || need > len);
	}
	CHECK_INT(r, ==, 0);
	CHECK_STR(h.path.data, "name");
	CHECK_STR(h.link.data, "target");
	tarhead_done(&h);
}

/* ---- sparse files ---- */

static uint8_t *gnu_sparse(struct buf *tar, uint64_t stored, const char *real_size)
{
	uint8_t *b = make_tar_block(tar, "sp", 'S', stored);

	memcpy(b + 257, "ustar  ", 8);
	memcpy(b + 483, real_size, 12);
	make_tar_fix(b);
	return b;
}

static void gnu_piece(uint8_t *at, const char *off, const char *len)
{
	memcpy(at, off, 12);
	memcpy(at + 12, len, 12);
}

TEST(old_gnu_maps_are_read)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;
	uint8_t *b;

	b = gnu_sparse(&tar, 5 * 512, "00000100000");
	for (size_t i = 0; i < 4; i++) {
		char off[12];

		snprintf(off, sizeof(off), "%011zo", i * 1024);
		gnu_piece(b + 386 + 24 * i, off, "00000001000");
	}
	b[482] = 1;
	make_tar_fix(b);
	buf_add(&tar, (char[512]){ 0 }, 512);
	b = (uint8_t *)tar.data + 512;
	gnu_piece(b, "00000040000", "00000001000");
	gnu_piece(b + 24, "00000100000", "00000000000");
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK(h.is_sparse);
	CHECK_INT(h.size, ==, 0100000);
	CHECK_INT(h.head_bytes, ==, 1024);
	CHECK_INT(h.map.n, ==, 5);
	CHECK_INT(h.map.v[4].file_off, ==, 040000);
	CHECK_INT(h.map.v[4].tar_off, ==, 4 * 512);
	tarhead_done(&h);
	/* Continued behind a gap. */
	memset(tar.data + 386 + 72, 0, 24);
	make_tar_fix((uint8_t *)tar.data);
	check_bad(&tar, "gap");
}

TEST(sparse_maps_must_add_up)
{
	static const struct {
		const char *piece[4]; /* offset, length, offset, length */
		uint64_t stored;
		const char *why;
	} cases[] = {
		{ { "00000000000", "00000001000", "00000000400", "00000001000" }, 1024, "overlap" },
		{ { "00000002000", "00000001000", "00000000000", "00000001000" }, 1024, "order" },
		{ { "00000000000", "00000001000", "00000010000", "00000001000" }, 1024, "leaves" },
		{ { "00000000000", "00000001000", "00000002000", "00000001000" }, 512, "add up" },
		{ { "00000000000", "00000001000", "00000002000", "00000001000" }, 1536, "add up" },
		{ { "00000000000", "0000000100x", "00000002000", "00000001000" }, 1024, "numbers" },
		{ { "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff", "00000001000", "", "" }, 512,
			"numbers" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_buf tar = { 0 };
		uint8_t *b = gnu_sparse(&tar, cases[i].stored, "00000010000");
		char text[4][12] = { "" };

		for (int k = 0; k < 4; k++)
			memcpy(text[k], cases[i].piece[k], cases[i].piece[k][0] ? 11 : 0);
		gnu_piece(b + 386, text[0], text[1]);
		gnu_piece(b + 410, text[2], text[3]);
		make_tar_fix(b);
		check_bad(&tar, cases[i].why);
	}
}

TEST(pax_maps_are_read)
{
	static const char *const records[] = {
		"GNU.sparse.name=d/sp\nGNU.sparse.size=5000\nGNU.sparse.numblocks=2\n"
		"GNU.sparse.offset=0\nGNU.sparse.numbytes=512\n"
		"GNU.sparse.offset=1024\nGNU.sparse.numbytes=100\n",
		"GNU.sparse.name=d/sp\nGNU.sparse.size=5000\nGNU.sparse.numblocks=2\n"
		"GNU.sparse.map=0,512,1024,100\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		auto_buf tar = { 0 };
		struct tarhead h;
		const char *why;

		make_tar_pax(&tar, 'x', records[i]);
		(void)make_tar_block(&tar, "GNUSparseFile.0/sp", '0', 612);
		CHECK_INT(parse(&h, &tar, &why), ==, 0);
		CHECK_STR(h.path.data, "d/sp");
		CHECK_INT(h.size, ==, 5000);
		CHECK_INT(h.map.n, ==, 2);
		CHECK_INT(h.map.v[1].tar_off, ==, 512);
		CHECK_INT(h.map.v[1].len, ==, 100);
		tarhead_done(&h);
	}
}

static void add_map_1(struct buf *tar, const char *map, uint64_t stored)
{
	make_tar_pax(tar, 'x',
		"GNU.sparse.major=1\nGNU.sparse.minor=0\nGNU.sparse.name=sp\n"
		"GNU.sparse.realsize=5000\n");
	(void)make_tar_block(tar, "GNUSparseFile.0/sp", '0', stored);
	buf_add_str(tar, map);
	buf_add(tar, (char[512]){ 0 }, 512 - strlen(map) % 512);
}

TEST(maps_in_front_of_the_data_are_read)
{
	auto_buf tar = { 0 };
	struct tarhead h;
	const char *why;

	add_map_1(&tar, "2\n0\n512\n1024\n100\n", 512 + 612);
	CHECK_INT(parse(&h, &tar, &why), ==, 0);
	CHECK_INT(h.head_bytes, ==, 2048);
	CHECK_INT(h.stored, ==, 612);
	CHECK_INT(h.size, ==, 5000);
	CHECK_INT(h.map.n, ==, 2);
	tarhead_done(&h);
	tar.len -= 500;
	CHECK_INT(parse(&h, &tar, &why), ==, 1);
	tarhead_done(&h);
}

TEST(broken_maps_in_front_of_the_data_are_refused)
{
	static const struct {
		const char *map;
		uint64_t stored;
		const char *why;
	} cases[] = {
		{ "x\ny\n", 512, "numbers" },
		{ "1\n0\n-5\n", 512, "numbers" },
		{ "# comment\n1\n0\n5\n", 517, "numbers" },
		{ "1\n0\n600\n", 512 + 500, "add up" },
		{ "2\n0\n100\n50\n100\n", 512 + 200, "overlap" },
		{ "1\n4990\n100\n", 512 + 100, "leaves" },
		{ "99999999\n", 512, "too many" },
		{ "1\n0\n5\n", 4, "cut short" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_buf tar = { 0 };

		add_map_1(&tar, cases[i].map, cases[i].stored);
		check_bad(&tar, cases[i].why);
	}
}

TEST(half_a_sparse_file_is_refused)
{
	check_bad_pax("GNU.sparse.name=x\n", "sparse");
	check_bad_pax("GNU.sparse.major=1\nGNU.sparse.minor=0\n", "sparse");
	check_bad_pax("GNU.sparse.major=2\nGNU.sparse.minor=0\nGNU.sparse.realsize=1\n", "sparse");
	check_bad_pax("GNU.sparse.size=1\nGNU.sparse.map=0,1,2\n", "half");
	check_bad_pax(
		"GNU.sparse.size=1\nGNU.sparse.numblocks=2\nGNU.sparse.map=0,0\n", "number of");
	check_bad_pax("GNU.sparse.size=1\nGNU.sparse.numbytes=2\n", "sparse");
	check_bad_pax("GNU.sparse.size=1\nGNU.sparse.numblocks=0\nGNU.sparse.offset=2\n", "number");
}
