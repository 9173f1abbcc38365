/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/layer_name.h"
#include "image/layer_write.h"
#include "overlay/index.h"
#include "tests/helpers/make_tar.h"
#include "tests/helpers/mem_source.h"
#include "tests/helpers/walk_index.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- names ---- */

TEST(names_are_cleaned_and_whiteouts_recognised)
{
	static const struct {
		const char *raw;
		int want;
		const char *path;
	} cases[] = {
		{ "a/b", WH_NONE, "a/b" },
		{ "/a//b/", WH_NONE, "a/b" },
		{ "./a/./b/.", WH_NONE, "a/b" },
		{ "./", WH_NONE, "" },
		{ "/", WH_NONE, "" },
		{ "..a/...", WH_NONE, "..a/..." },
		{ "a/.wh.b", WH_DELETED, "a/b" },
		{ ".wh.b/", WH_DELETED, "b" },
		{ ".wh...data", WH_DELETED, "..data" },
		{ ".wh", WH_NONE, ".wh" },
		{ "a.wh.b", WH_NONE, "a.wh.b" },
		{ "a/.wh..wh..opq", WH_OPAQUE, "a" },
		{ "./.wh..wh..opq", WH_OPAQUE, "" },
		{ ".wh..wh.plnk", WH_META, ".wh..wh.plnk" },
		{ "d/.wh..wh.plnk/1.2", WH_META, "d/.wh..wh.plnk/1.2" },
		{ ".wh..wh..opq/x", -EBADMSG, ".wh..wh..opq/x" },
		{ "", -EBADMSG, "" },
		{ "..", -EBADMSG, "" },
		{ "a/../b", -EBADMSG, "a" },
		{ ".wh.", -EBADMSG, ".wh." },
		{ ".wh..", -EBADMSG, ".wh.." },
		{ "a/.wh...", -EBADMSG, "a/.wh..." },
		{ "a/.wh.b/c", -EBADMSG, "a/.wh.b/c" },
		{ "a/.wh./c", -EBADMSG, "a/.wh./c" },
	};
	auto_buf path = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *why = NULL;

		CHECK_INT(layer_name_read(cases[i].raw, strlen(cases[i].raw), &path, &why), ==,
			cases[i].want);
		CHECK(cases[i].want >= 0 || why);
		if (path.data)
			path.data[path.len] = '\0';
		CHECK_STR(path.len ? path.data : "", cases[i].path);
	}
}

TEST(names_have_limits)
{
	static char raw[70000];
	auto_buf path = { 0 };
	const char *why;

	memset(raw, 'n', sizeof(raw));
	CHECK_INT(layer_path_clean(raw, 255, &path, &why), ==, 0);
	CHECK_INT(layer_path_clean(raw, 256, &path, &why), ==, -EBADMSG);
	for (size_t i = 31; i < sizeof(raw); i += 32)
		raw[i] = '/';
	CHECK_INT(layer_path_clean(raw, 65535, &path, &why), ==, 0);
	CHECK_INT(layer_path_clean(raw, 65537, &path, &why), ==, -EBADMSG);
	for (size_t i = 1; i < sizeof(raw); i += 2)
		raw[i] = '/';
	CHECK_INT(layer_path_clean(raw, 2 * 4095, &path, &why), ==, 0);
	CHECK_INT(layer_path_clean(raw, 2 * 4096, &path, &why), ==, -EBADMSG);
}

/* ---- layers ---- */

struct layer {
	char dir[64];
	int dirfd;
	struct layer_stats stats;
	struct err err;
	struct idx *x;
};

static void layer_done(struct layer *l)
{
	idx_close(l->x);
	(void)unlinkat(l->dirfd, "layer.tar", 0);
	(void)unlinkat(l->dirfd, "layer.idx", 0);
	(void)unlinkat(l->dirfd, "layer.idx.new", 0);
	(void)close(l->dirfd);
	(void)rmdir(l->dir);
}
#define auto_layer __attribute__((cleanup(layer_done))) struct layer

static int write_layer(
	struct layer *l, const struct buf *tar, size_t piece, const struct layer_limits *limits)
{
	struct mem_source src;
	int r;

	*l = (struct layer){ .dir = "/tmp/lamina-test-XXXXXX" };
	if (!mkdtemp(l->dir))
		abort();
	l->dirfd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mem_source_init(&src, tar->data ? tar->data : "", tar->len, piece);
	r = layer_write(&src.base, l->dirfd, limits, &l->stats, &l->err);
	source_close(&src.base);
	if (r == 0) {
		auto_fd fd = openat(l->dirfd, "layer.idx", O_RDONLY | O_CLOEXEC);

		CHECK_INT(idx_open(&l->x, fd, IDX_KIND_LAYER, &l->err), ==, 0);
		CHECK_INT(idx_verify(l->x, &l->err), ==, 0);
		CHECK_STR(l->err.text, "");
	}
	return r;
}

static struct idx_member member(struct layer *l, uint32_t row)
{
	struct idx_member m = { 0 };

	CHECK_INT(idx_member(l->x, row, &m), ==, 0);
	return m;
}

static void check_path(struct layer *l, const struct idx_member *m, const char *want)
{
	const char *s = "";

	CHECK_INT(idx_string(l->x, m->path, m->path_len, &s), ==, 0);
	CHECK_INT(m->path_len, ==, strlen(want));
	CHECK(memcmp(s, want, m->path_len) == 0);
}

static void refused(const struct buf *tar, const char *why)
{
	auto_layer l;

	CHECK_INT(write_layer(&l, tar, 0, NULL), ==, -EBADMSG);
	if (!strstr(l.err.text, why))
		test_fail(__FILE__, __LINE__, "'%s' is not '%s'", l.err.text, why);
	CHECK_INT(faccessat(l.dirfd, "layer.tar", F_OK, 0), ==, -1);
	CHECK_INT(faccessat(l.dirfd, "layer.idx", F_OK, 0), ==, -1);
}

static void entry_refused(const struct tar_entry *e, const char *why)
{
	auto_buf tar = { 0 };

	make_tar_add(&tar, e);
	make_tar_end(&tar);
	refused(&tar, why);
}

static void example(struct buf *tar)
{
	static char big[5000];

	memset(big, 'B', sizeof(big));
	make_tar_add(tar, &(struct tar_entry){ .name = "./", .type = '5', .mode = 0750 });
	make_tar_add(tar, &(struct tar_entry){ .name = "etc/", .type = '5', .mode = 0755 });
	make_tar_add(tar, &(struct tar_entry){ .name = "etc/motd",
				  .data = "hello\n",
				  .uid = 5,
				  .mtime = 77,
				  .pax = "mtime=77.5\nSCHILY.xattr.user.k=v\n"
					 "SCHILY.xattr.user.overlay.opaque=y\n" });
	make_tar_add(tar, &(struct tar_entry){ .name = "big", .data = big, .len = sizeof(big) });
	make_tar_add(tar, &(struct tar_entry){ .name = "link", .type = '2', .link = "/a/../b" });
	make_tar_add(tar, &(struct tar_entry){ .name = "hard", .type = '1', .link = "./big" });
	make_tar_add(tar, &(struct tar_entry){ .name = "etc/.wh.gone", .type = '0' });
	make_tar_add(tar, &(struct tar_entry){ .name = "etc/.wh..wh..opq", .type = '0' });
	make_tar_add(tar, &(struct tar_entry){ .name = ".wh..wh.aufs", .type = '0' });
	make_tar_end(tar);
}

TEST(a_layer_is_indexed)
{
	auto_buf tar = { 0 };
	struct idx_digest want;
	struct idx_member m;
	struct idx_xattr a;
	uint64_t cursor = 0;
	auto_layer l;
	struct stat st;

	example(&tar);
	CHECK_INT(write_layer(&l, &tar, 0, NULL), ==, 0);
	CHECK_INT(l.stats.n_members, ==, 8);
	CHECK_INT(l.stats.tar_bytes, ==, tar.len);
	CHECK_INT(l.stats.n_stripped_xattrs, ==, 1);
	CHECK_INT(digest_of(tar.data, tar.len, &want), ==, 0);
	CHECK(digest_eq(&want, &l.stats.diff_id));
	CHECK(digest_eq(&want, &idx_header(l.x)->id));
	m = member(&l, 0);
	check_path(&l, &m, "");
	CHECK_INT(m.mode, ==, S_IFDIR | 0750);
	m = member(&l, 2);
	check_path(&l, &m, "etc/motd");
	CHECK_INT(m.uid, ==, 5);
	CHECK_INT(m.mtime_nsec, ==, 500000000);
	CHECK_INT(m.hdr_off, ==, 1024);
	CHECK_INT(m.data, ==, 1024 + 1536);
	CHECK_INT(idx_xattr_next(l.x, m.xattrs, &cursor, &a), ==, 1);
	CHECK_INT(a.name_len, ==, 6);
	CHECK_INT(idx_xattr_next(l.x, m.xattrs, &cursor, &a), ==, 0);
	m = member(&l, 5);
	CHECK_INT(m.kind, ==, IDX_MEMBER_HARDLINK);
	CHECK_INT(m.link_len, ==, 3);
	m = member(&l, 6);
	CHECK_INT(m.kind, ==, IDX_MEMBER_WHITEOUT);
	check_path(&l, &m, "etc/gone");
	m = member(&l, 7);
	CHECK_INT(m.kind, ==, IDX_MEMBER_OPAQUE);
	check_path(&l, &m, "etc");
	CHECK_INT(fstatat(l.dirfd, "layer.tar", &st, 0), ==, 0);
	CHECK_INT(st.st_mode & 07777, ==, 0600);
}

TEST(the_tar_is_kept_byte_for_byte_however_it_arrives)
{
	static const size_t pieces[] = { 0, 1, 511, 512, 513, 4096 };
	auto_buf tar = { 0 }, want = { 0 };

	example(&tar);
	buf_add_str(&tar, "behind the end");
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		auto_free char *data = NULL;
		auto_buf got = { 0 };
		auto_fd fd = -1;
		auto_layer l;
		size_t len = 0;

		CHECK_INT(write_layer(&l, &tar, pieces[i], NULL), ==, 0);
		fd = openat(l.dirfd, "layer.tar", O_RDONLY | O_CLOEXEC);
		CHECK_INT(fd_read_file(fd, 1 << 20, &data, &len), ==, 0);
		CHECK(len == tar.len && memcmp(data, tar.data, len) == 0);
		CHECK_INT(walk_index(l.x, &got), ==, 0);
		if (i == 0)
			buf_add(&want, got.data, got.len);
		CHECK(got.len == want.len && memcmp(got.data, want.data, want.len) == 0);
	}
}

TEST(large_layers_pass_the_ring)
{
	static char data[3 * 1024 * 1024 + 17];
	auto_buf tar = { 0 };
	struct idx_digest want;
	auto_layer l;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31 + i / 4096);
	make_tar_add(&tar, &(struct tar_entry){ .name = "a", .data = data, .len = sizeof(data) });
	make_tar_add(&tar, &(struct tar_entry){ .name = "b", .data = data, .len = sizeof(data) });
	make_tar_end(&tar);
	CHECK_INT(write_layer(&l, &tar, 100003, NULL), ==, 0);
	CHECK_INT(digest_of(tar.data, tar.len, &want), ==, 0);
	CHECK(digest_eq(&want, &l.stats.diff_id));
	CHECK_INT(member(&l, 1).data, ==, 1024 + (sizeof(data) + 511) / 512 * 512);
}

TEST(an_index_can_be_made_anew)
{
	auto_buf tar = { 0 }, want = { 0 }, got = { 0 };
	auto_fd tar_fd = -1, fd = -1;
	struct layer_stats stats;
	struct idx *x = NULL;
	auto_layer l;

	example(&tar);
	CHECK_INT(write_layer(&l, &tar, 0, NULL), ==, 0);
	CHECK_INT(walk_index(l.x, &want), ==, 0);
	tar_fd = openat(l.dirfd, "layer.tar", O_RDONLY | O_CLOEXEC);
	CHECK_INT(layer_reindex(tar_fd, l.dirfd, IDX_SHA256, &stats, NULL), ==, 0);
	CHECK(digest_eq(&stats.diff_id, &l.stats.diff_id));
	fd = openat(l.dirfd, "layer.idx.new", O_RDONLY | O_CLOEXEC);
	CHECK_INT(idx_open(&x, fd, IDX_KIND_LAYER, NULL), ==, 0);
	CHECK_INT(walk_index(x, &got), ==, 0);
	CHECK(got.len == want.len && memcmp(got.data, want.data, want.len) == 0);
	idx_close(x);
}

TEST(other_digests_are_possible)
{
	struct layer_limits limits = { .alg = IDX_SHA512 };
	auto_buf tar = { 0 };
	auto_layer l;

	example(&tar);
	CHECK_INT(write_layer(&l, &tar, 0, &limits), ==, 0);
	CHECK_INT(l.stats.diff_id.alg, ==, IDX_SHA512);
	CHECK_INT(l.stats.diff_id.len, ==, 64);
}

TEST(nothing_is_a_layer)
{
	auto_buf tar = { 0 };
	auto_layer empty, zeros, half;

	CHECK_INT(write_layer(&empty, &tar, 0, NULL), ==, 0);
	CHECK_INT(empty.stats.n_members, ==, 0);
	make_tar_end(&tar);
	CHECK_INT(write_layer(&zeros, &tar, 0, NULL), ==, 0);
	/* One block of zeros ends an archive, too. */
	tar.len = 512;
	make_tar_add(&tar, &(struct tar_entry){ .name = "hidden" });
	CHECK_INT(write_layer(&half, &tar, 0, NULL), ==, 0);
	CHECK_INT(half.stats.n_members, ==, 0);
}

TEST(limits_are_kept)
{
	struct layer_limits few = { .max_members = 8 }, fewer = { .max_members = 7 };
	auto_buf tar = { 0 };
	auto_layer a, b, c, d;

	example(&tar);
	CHECK_INT(write_layer(&a, &tar, 0, &few), ==, 0);
	CHECK_INT(write_layer(&b, &tar, 0, &fewer), ==, -EFBIG);
	few.max_tar_bytes = tar.len;
	CHECK_INT(write_layer(&c, &tar, 0, &few), ==, 0);
	few.max_tar_bytes--;
	CHECK_INT(write_layer(&d, &tar, 0, &few), ==, -EFBIG);
}

TEST(a_tar_that_ends_too_early_is_refused)
{
	auto_buf tar = { 0 };
	size_t ok = 0;

	example(&tar);
	for (size_t len = 0; len < tar.len; len += 128) {
		struct buf cut = { .data = tar.data, .len = len };
		auto_layer l;
		int r = write_layer(&l, &cut, 0, NULL);

		CHECK(r == 0 || r == -EBADMSG);
		ok += r == 0;
	}
	/* Whole members, and the end mark that may be missing. */
	CHECK_INT(ok, ==, 1 + 9 + 4);
}

TEST(errors_of_the_source_are_passed_on)
{
	auto_buf tar = { 0 };
	struct layer_stats stats;
	struct err err = ERR_INIT;
	struct mem_source src;
	auto_layer l;

	CHECK_INT(write_layer(&l, &tar, 0, NULL), ==, 0);
	(void)unlinkat(l.dirfd, "layer.tar", 0);
	(void)unlinkat(l.dirfd, "layer.idx", 0);
	example(&tar);
	mem_source_init(&src, tar.data, tar.len, 1000);
	src.fail_at_end = -ECONNRESET; /* behind the end mark: still part of the layer */
	CHECK_INT(layer_write(&src.base, l.dirfd, NULL, &stats, &err), ==, -ECONNRESET);
	CHECK(strstr(err.text, "source fails"));
	CHECK_INT(faccessat(l.dirfd, "layer.tar", F_OK, 0), ==, -1);
	source_close(&src.base);
}

TEST(a_full_disk_leaves_nothing_behind)
{
	auto_free char *big = calloc(1, 1 << 20);
	struct rlimit before, small;
	auto_buf tar = { 0 };
	auto_layer l;
	int r;

	make_tar_add(&tar, &(struct tar_entry){ .name = "big", .data = big, .len = 1 << 20 });
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	small = before;
	small.rlim_cur = 300000;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
	r = write_layer(&l, &tar, 0, NULL);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
	CHECK_INT(r, ==, -EFBIG);
	CHECK(strstr(l.err.text, "cannot write the layer") != NULL);
	CHECK_INT(faccessat(l.dirfd, "layer.tar", F_OK, 0), ==, -1);
	CHECK_INT(faccessat(l.dirfd, "layer.idx", F_OK, 0), ==, -1);
}

TEST(layers_that_hurt_are_refused)
{
	char name[301];

	memset(name, 'n', 300);
	name[300] = '\0';
	snprintf(name, sizeof(name), "path=%.256s\n",
		"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
		"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
		"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
		"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
	entry_refused(&(struct tar_entry){ .name = "n", .pax = name }, "255");
	entry_refused(&(struct tar_entry){ .name = "../x" }, "'..'");
	entry_refused(&(struct tar_entry){ .name = "" }, "empty");
	entry_refused(&(struct tar_entry){ .name = "." }, "root");
	entry_refused(&(struct tar_entry){ .name = "/", .type = '2', .link = "x" }, "root");
	entry_refused(&(struct tar_entry){ .name = "/", .type = '1', .link = "x" }, "root");
	entry_refused(&(struct tar_entry){ .name = "h", .type = '1', .link = "/" }, "root");
	entry_refused(&(struct tar_entry){ .name = "h", .type = '1', .link = "" }, "hard link");
	entry_refused(&(struct tar_entry){ .name = "h", .type = '1', .link = "a/../b" }, "hard");
	entry_refused(&(struct tar_entry){ .name = "s", .type = '2', .link = "" }, "symlink");
	entry_refused(&(struct tar_entry){ .name = ".wh..." }, "whiteout");
	entry_refused(&(struct tar_entry){ .name = "f", .pax = "uid=2147483648\n" }, "owner");
	entry_refused(&(struct tar_entry){ .name = "f", .pax = "gid=4294967295\n" }, "owner");
	entry_refused(&(struct tar_entry){ .name = "f",
			      .pax = "GNU.sparse.size=17592186044417\nGNU.sparse.numblocks=0\n" },
		"too large");
	entry_refused(
		&(struct tar_entry){ .name = "\x1b[31mf", .pax = "uid=2147483648\n" }, "\\x1b");
}

TEST(owners_and_sizes_at_the_limit_are_kept)
{
	auto_buf tar = { 0 };
	struct idx_member m;
	auto_layer l;

	make_tar_add(&tar, &(struct tar_entry){ .name = "f",
				   .pax = "uid=2147483647\nGNU.sparse.size=17592186044416\n"
					  "GNU.sparse.numblocks=0\n" });
	make_tar_add(&tar, &(struct tar_entry){ .name = "g", .pax = "mtime=9e9\n" });
	CHECK_INT(write_layer(&l, &tar, 0, NULL), ==, -EBADMSG);
	layer_done(&l);
	tar.len = 1536;
	make_tar_add(&tar, &(struct tar_entry){ .name = "g", .pax = "mtime=99999999999999999\n" });
	CHECK_INT(write_layer(&l, &tar, 0, NULL), ==, 0);
	m = member(&l, 0);
	CHECK_INT(m.uid, ==, LIMIT_IDX_ID);
	CHECK_INT(m.size, ==, LIMIT_IDX_FILE_SIZE);
	CHECK_INT(m.data, ==, 0);
	m = member(&l, 1);
	CHECK_INT(m.mtime_sec, ==, LIMIT_IDX_TIME);
}

TEST(the_last_record_of_an_attribute_counts)
{
	auto_buf tar = { 0 };
	struct idx_member m;
	struct idx_xattr a;
	uint64_t cursor = 0;
	auto_layer l;

	make_tar_add(&tar, &(struct tar_entry){ .name = "f",
				   .pax = "SCHILY.xattr.user.z=1\nSCHILY.xattr.user.a=first\n"
					  "LIBARCHIVE.xattr.user.a=c2Vjb25k\n"
					  "SCHILY.xattr.user.rootlesscontainers=x\n"
					  "SCHILY.xattr.trusted.overlay.redirect=x\n"
					  "SCHILY.xattr.user.empty=\n" });
	CHECK_INT(write_layer(&l, &tar, 0, NULL), ==, 0);
	CHECK_INT(l.stats.n_stripped_xattrs, ==, 2);
	m = member(&l, 0);
	CHECK_INT(idx_xattr_next(l.x, m.xattrs, &cursor, &a), ==, 1);
	CHECK(a.value_len == 6 && memcmp(a.value, "second", 6) == 0);
	CHECK_INT(idx_xattr_next(l.x, m.xattrs, &cursor, &a), ==, 1);
	CHECK_INT(a.value_len, ==, 0);
	CHECK_INT(idx_xattr_next(l.x, m.xattrs, &cursor, &a), ==, 1);
	CHECK_INT(idx_xattr_next(l.x, m.xattrs, &cursor, &a), ==, 0);
}
