/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "overlay/index.h"
#include "overlay/index_build.h"
#include "overlay/inum.h"
#include "tests/helpers/fake_image.h"
#include "tests/helpers/repair_index.h"
#include "tests/helpers/walk_index.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

DEFINE_CLEANUP(struct idx *, idx, idx_close)
DEFINE_CLEANUP(struct idx_build *, build, idx_build_free)

static const struct fake_entry small_tree[] = {
	{ .path = "", .mode = S_IFDIR | 0750, .uid = 7 },
	{ .path = "etc", .mode = S_IFDIR | 0755, .mtime_sec = -5 },
	{ .path = "etc/motd", .mode = S_IFREG | 0644, .data = "hello\n" },
	{ .path = "etc/empty", .mode = S_IFREG | 0600 },
	{ .path = "etc/same", .data = "etc/motd" },
	{ .path = "bin", .mode = S_IFLNK | 0777, .data = "usr/bin" },
	{ .path = "usr", .mode = S_IFDIR | 0755 },
	{ .path = "usr/bin", .mode = S_IFDIR | 0755 },
	{ .path = "usr/bin/sh",
		.mode = S_IFREG | 04755,
		.data = "#!",
		.hole = 100,
		.size = 200,
		.xattr = "security.capability=x" },
	{ .path = "usr/bin/hole", .mode = S_IFREG | 0644, .size = 4096 },
	{ .path = "null", .mode = S_IFCHR | 0666, .dev = UINT64_C(1) << 32 | 3 },
	{ .path = "pipe", .mode = S_IFIFO | 0600, .xattr = "user.a=b" },
};

static struct idx *open_fd(int fd, enum idx_kind kind, int *ret_code)
{
	struct err err = ERR_INIT;
	struct idx *x = NULL;

	*ret_code = idx_open(&x, fd, kind, &err);
	return x;
}

/* The small tree, its bytes in a file of memory. */
static struct idx *small_image(int *ret_fd)
{
	auto_fd tar = -1;
	int r = fake_image(small_tree, ARRAY_SIZE(small_tree), ret_fd, &tar);

	CHECK_INT(r, ==, 0);
	return r < 0 ? NULL : open_fd(*ret_fd, IDX_KIND_IMAGE, &r);
}

/* A layer of three members, one with extents and attributes. */
static int small_layer(void)
{
	static const struct idx_extent extents[] = { { 0, 10, 512 }, { 100, 20, 522 } };
	static const char strings[] = "etcetc/motdgone";
	struct idx_xattr a = { .name = "user.k", .name_len = 6, .value = "v", .value_len = 1 };
	struct idx_member m[] = {
		{ .kind = IDX_MEMBER_ENTRY, .mode = S_IFDIR | 0755, .path = 0, .path_len = 3 },
		{ .kind = IDX_MEMBER_ENTRY,
			.mode = S_IFREG | 0644,
			.path = 3,
			.path_len = 8,
			.size = 200,
			.n_extents = 2,
			.hdr_off = 512 },
		{ .kind = IDX_MEMBER_WHITEOUT, .path = 11, .path_len = 4, .hdr_off = 2048 },
	};
	struct idx_digest id = { IDX_SHA256, 32, { 9 } };
	auto_cleanup(build) struct idx_build *b = NULL;
	int fd = memfd_create("layer", MFD_CLOEXEC);

	CHECK_INT(idx_build_new(&b, IDX_KIND_LAYER), ==, 0);
	CHECK_INT(idx_build_xattrs(b, &a, 1, &m[1].xattrs), ==, 0);
	CHECK_INT(idx_build_add(b, IDX_SEC_STRINGS, strings, strlen(strings), NULL), ==, 0);
	CHECK_INT(idx_build_add(b, IDX_SEC_EXTENTS, extents, sizeof(extents), NULL), ==, 0);
	CHECK_INT(idx_build_add(b, IDX_SEC_MEMBERS, m, sizeof(m), NULL), ==, 0);
	CHECK_INT(idx_build_write(b, &id, 4096, fd, NULL), ==, 0);
	return fd;
}

static int copy_of(const uint8_t *data, size_t len)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);

	if (fd_write_all(fd, data, len) < 0)
		abort();
	return fd;
}

static char *read_fd(int fd, size_t *ret_len)
{
	char *data = NULL;

	CHECK_INT(lseek(fd, 0, SEEK_SET), ==, 0);
	CHECK_INT(fd_read_file(fd, 1 << 24, &data, ret_len), ==, 0);
	return data;
}

TEST(hash_is_fnv_1a)
{
	CHECK_INT(idx_name_hash("", 0), ==, 0x811c9dc5);
	CHECK_INT(idx_name_hash("foobar", 6), ==, 0xbf9cf968);
}

TEST(paths_of_members_are_clean)
{
	static const char *const good[] = { "", "a", "a/b", "..a", "a/...", ".wh" };
	static const char *const bad[] = { "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a/./b" };
	char name[257];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK(idx_path_is_clean(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!idx_path_is_clean(bad[i], strlen(bad[i])));
	memset(name, 'n', sizeof(name));
	CHECK(idx_path_is_clean(name, 255));
	CHECK(!idx_path_is_clean(name, 256));
}

TEST(paths_have_a_limit_of_depth)
{
	static char path[2 * LIMIT_IDX_DEPTH + 2];

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '/' : 'd';
	CHECK(idx_path_is_clean(path, 2 * LIMIT_IDX_DEPTH - 1));
	CHECK(!idx_path_is_clean(path, 2 * LIMIT_IDX_DEPTH + 1));
}

TEST(an_image_is_what_was_built)
{
	auto_fd fd = -1;
	auto_cleanup(idx) struct idx *x = small_image(&fd);
	struct idx_dirent e, same, bin;
	struct idx_inode ino;
	struct err err = ERR_INIT;
	const char *target;

	CHECK_INT(idx_verify(x, &err), ==, 0);
	CHECK_STR(err.text, "");
	CHECK_INT(idx_n_inodes(x), ==, 11);
	CHECK_INT(idx_n_names(x), ==, 11);
	CHECK_INT(idx_inode(x, 0, &ino), ==, 0);
	CHECK_INT(ino.ino, ==, INUM_ROOT);
	CHECK_INT(ino.nlink, ==, 4);
	CHECK_INT(idx_lookup(x, 0, "etc", 3, &e), ==, 0);
	CHECK_INT(e.type, ==, DT_DIR);
	CHECK_INT(idx_lookup(x, 0, "et", 2, &bin), ==, -ENOENT);
	CHECK_INT(idx_lookup(x, e.inode, "same", 4, &same), ==, 0);
	CHECK_INT(idx_inode(x, same.inode, &ino), ==, 0);
	CHECK_INT(ino.nlink, ==, 2);
	CHECK_INT(ino.size, ==, 6);
	CHECK_INT(idx_lookup(x, same.inode, "x", 1, &e), ==, -ENOTDIR);
	CHECK_INT(idx_entry(x, same.inode, 0, &e), ==, -ENOTDIR);
	CHECK_INT(idx_lookup(x, 0, "bin", 3, &bin), ==, 0);
	CHECK_INT(idx_inode(x, bin.inode, &ino), ==, 0);
	CHECK_INT(idx_string(x, (uint32_t)ino.data, (uint32_t)ino.size, &target), ==, 0);
	CHECK_INT(memcmp(target, "usr/bin", 7), ==, 0);
}

TEST(listing_follows_the_numbers)
{
	auto_fd fd = -1;
	auto_cleanup(idx) struct idx *x = small_image(&fd);
	uint64_t last = 0;
	struct idx_inode ino;
	struct idx_dirent e;
	uint32_t i;

	for (i = 0; idx_entry(x, 0, i, &e) == 0; i++) {
		CHECK_INT(e.ordinal, ==, i);
		CHECK_INT(idx_inode(x, e.inode, &ino), ==, 0);
		CHECK(ino.ino > last);
		last = ino.ino;
	}
	CHECK_INT(i, ==, 5);
}

TEST(sparse_files_are_mapped)
{
	auto_fd fd = -1;
	auto_cleanup(idx) struct idx *x = small_image(&fd);
	struct idx_dirent usr, bin, e;
	struct idx_content c;
	struct idx_inode ino;
	uint64_t pos, len;

	CHECK_INT(idx_lookup(x, 0, "usr", 3, &usr), ==, 0);
	CHECK_INT(idx_lookup(x, usr.inode, "bin", 3, &bin), ==, 0);
	CHECK_INT(idx_lookup(x, bin.inode, "sh", 2, &e), ==, 0);
	CHECK_INT(idx_inode(x, e.inode, &ino), ==, 0);
	CHECK_INT(idx_inode_content(x, &ino, &c), ==, 0);
	CHECK_INT(idx_map(x, &c, 0, &pos, &len), ==, 0);
	CHECK_INT(len, ==, 100);
	CHECK_INT(idx_map(x, &c, 101, &pos, &len), ==, 1);
	CHECK_INT(len, ==, 1);
	CHECK_INT(idx_map(x, &c, 102, &pos, &len), ==, 0);
	CHECK_INT(len, ==, 98);
	CHECK_INT(idx_map(x, &c, 200, &pos, &len), ==, -ENXIO);
	CHECK_INT(idx_lookup(x, bin.inode, "hole", 4, &e), ==, 0);
	CHECK_INT(idx_inode(x, e.inode, &ino), ==, 0);
	CHECK_INT(idx_inode_content(x, &ino, &c), ==, 0);
	CHECK_INT(idx_map(x, &c, 6, &pos, &len), ==, 0);
	CHECK_INT(pos, ==, 0);
	CHECK_INT(len, ==, 4090);
}

TEST(a_layer_is_what_was_built)
{
	auto_fd fd = small_layer();
	struct err err = ERR_INIT;
	struct idx_member m;
	struct idx_content c;
	struct idx_xattr a;
	uint64_t cursor = 0, pos, len;
	int r;
	auto_cleanup(idx) struct idx *x = open_fd(fd, IDX_KIND_LAYER, &r);

	CHECK_INT(r, ==, 0);
	CHECK_INT(idx_verify(x, &err), ==, 0);
	CHECK_STR(err.text, "");
	CHECK_INT(idx_n_members(x), ==, 3);
	CHECK_INT(idx_member(x, 3, &m), ==, -EBADMSG);
	CHECK_INT(idx_member(x, 1, &m), ==, 0);
	CHECK_INT(idx_xattr_next(x, m.xattrs, &cursor, &a), ==, 1);
	CHECK_INT(a.name_len, ==, 6);
	CHECK_INT(idx_xattr_next(x, m.xattrs, &cursor, &a), ==, 0);
	CHECK_INT(idx_member_content(x, &m, &c), ==, 0);
	CHECK_INT(idx_map(x, &c, 105, &pos, &len), ==, 1);
	CHECK_INT(pos, ==, 527);
	CHECK_INT(len, ==, 15);
	CHECK_INT(idx_n_inodes(x), ==, 0);
}

TEST(kinds_are_not_confused)
{
	auto_fd layer = small_layer(), fd = -1;
	int r;

	idx_close(small_image(&fd));
	CHECK(!open_fd(layer, IDX_KIND_IMAGE, &r));
	CHECK_INT(r, ==, -EBADMSG);
	CHECK(!open_fd(fd, IDX_KIND_LAYER, &r));
	CHECK_INT(r, ==, -EBADMSG);
}

TEST(an_image_without_layers_is_an_empty_root)
{
	auto_fd fd = memfd_create("none", MFD_CLOEXEC);
	auto_cleanup(build) struct idx_build *b = NULL;
	struct idx_digest id = { IDX_SHA256, 32, { 9 } };
	struct idx_inode root = { .mode = S_IFDIR | 0755, .nlink = 2, .ino = INUM_ROOT };
	struct idx_dirent e;
	int r;

	CHECK_INT(idx_build_new(&b, IDX_KIND_IMAGE), ==, 0);
	CHECK_INT(idx_build_add(b, IDX_SEC_INODES, &root, sizeof(root), NULL), ==, 0);
	CHECK_INT(idx_build_write(b, &id, 0, fd, NULL), ==, 0);
	auto_cleanup(idx) struct idx *x = open_fd(fd, IDX_KIND_IMAGE, &r);
	CHECK_INT(r, ==, 0);
	CHECK_INT(idx_verify(x, NULL), ==, 0);
	CHECK_INT(idx_entry(x, 0, 0, &e), ==, -ENOENT);
}

TEST(equal_sets_of_attributes_are_stored_once)
{
	auto_cleanup(build) struct idx_build *b = NULL;
	char value[8];
	struct idx_xattr v[2] = { { .name = "user.b", .name_len = 6, .value = "1", .value_len = 1 },
		{ .name = "user.a", .name_len = 6, .value = value, .value_len = 4 } };
	uint32_t first[300], off;

	CHECK_INT(idx_build_new(&b, IDX_KIND_LAYER), ==, 0);
	for (unsigned int i = 0; i < 600; i++) {
		snprintf(value, sizeof(value), "%04u", i % 300);
		CHECK_INT(idx_build_xattrs(b, v, 2, &off), ==, 0);
		if (i < 300)
			first[i] = off;
		else
			CHECK_INT(off, ==, first[i - 300]);
		/* The set is sorted in place: put the changing value where it is expected. */
		CHECK_INT(memcmp(v[0].name, "user.a", 6), ==, 0);
	}
	v[1] = v[0];
	CHECK_INT(idx_build_xattrs(b, v, 2, &off), ==, -EINVAL);
	v[1].name_len = 0;
	CHECK_INT(idx_build_xattrs(b, v, 2, &off), ==, -EINVAL);
	v[0] = (struct idx_xattr){ .name = "user.c", .name_len = 6, .value = value };
	v[0].value_len = LIMIT_IDX_XATTR_VALUE + 1;
	CHECK_INT(idx_build_xattrs(b, v, 1, &off), ==, -E2BIG);
	CHECK_INT(idx_build_xattrs(b, v, 0, &off), ==, 0);
	CHECK_INT(off, ==, 0);
}

/* ---- damage ---- */

TEST(a_shorter_file_is_refused)
{
	auto_fd fd = -1;
	size_t len = 0;
	int r;

	idx_close(small_image(&fd));
	auto_free char *data = read_fd(fd, &len);
	for (size_t n = 0; n < len; n += 256) {
		auto_fd cut = copy_of((uint8_t *)data, n);

		CHECK(!open_fd(cut, IDX_KIND_IMAGE, &r));
		CHECK_INT(r, ==, -EBADMSG);
	}
}

TEST(a_file_that_shrinks_later_is_an_error_and_not_a_crash)
{
	for (off_t n = 0; n < 9; n++) {
		auto_fd fd = -1;
		auto_cleanup(idx) struct idx *x = small_image(&fd);
		struct idx_inode ino;
		int r;

		CHECK_INT(ftruncate(fd, n * 4096), ==, 0);
		r = walk_index(x, NULL);
		CHECK_INT(r, ==, -EIO);
		CHECK(idx_is_broken(x));
		/* Also for what can still be read. */
		CHECK_INT(idx_inode(x, 0, &ino), ==, -EIO);
		CHECK_INT(idx_verify(x, NULL), ==, -EIO);
	}
}

TEST(one_broken_mapping_does_not_break_another)
{
	int fds[200];
	struct idx *x[200];
	struct idx_inode ino;

	for (size_t i = 0; i < 200; i++)
		x[i] = small_image(&fds[i]);
	CHECK_INT(ftruncate(fds[137], 0), ==, 0);
	for (size_t i = 0; i < 200; i++)
		CHECK_INT(idx_inode(x[i], 0, &ino), ==, i == 137 ? -EIO : 0);
	for (size_t i = 0; i < 200; i++) {
		idx_close(x[i]);
		close(fds[i]);
	}
}

/* Each flip gives an error or the very same answers. */
static void flip_bits(int fd, enum idx_kind kind)
{
	size_t len = 0;
	auto_free char *data = read_fd(fd, &len);
	auto_buf want = { 0 };
	int r;
	struct idx *x = open_fd(fd, kind, &r);

	CHECK_INT(r, ==, 0);
	CHECK_INT(walk_index(x, &want), ==, 0);
	idx_close(x);
	for (size_t i = 0; i < len; i++) {
		/* All bits of what means something, one bit of each byte of padding. */
		unsigned int step = data[i] ? 1 : 8;

		for (unsigned int bit = step == 1 ? 0 : i % 8; bit < 8; bit += step) {
			char flipped = (char)(data[i] ^ 1 << bit);
			auto_buf got = { 0 };

			if (pwrite(fd, &flipped, 1, (off_t)i) != 1)
				abort();
			x = open_fd(fd, kind, &r);
			if (r == 0)
				r = walk_index(x, &got);
			CHECK(r == -EBADMSG || r == -EPROTONOSUPPORT ||
				(r == 0 && got.len == want.len &&
					memcmp(got.data, want.data, want.len) == 0));
			idx_close(x);
		}
		if (pwrite(fd, &data[i], 1, (off_t)i) != 1)
			abort();
	}
}

TEST(each_flipped_bit_of_an_image_is_noticed_or_harmless)
{
	auto_fd fd = -1;

	idx_close(small_image(&fd));
	flip_bits(fd, IDX_KIND_IMAGE);
}

TEST(each_flipped_bit_of_a_layer_is_noticed_or_harmless)
{
	auto_fd fd = small_layer();

	flip_bits(fd, IDX_KIND_LAYER);
}

TEST(padding_that_is_not_zero_fails_verification_only)
{
	auto_fd fd = small_layer();
	size_t len = 0;
	auto_free char *data = read_fd(fd, &len);
	int r;

	data[len - 1] = 1; /* behind the CRC table, which no CRC covers */
	auto_fd copy = copy_of((uint8_t *)data, len);
	auto_cleanup(idx) struct idx *x = open_fd(copy, IDX_KIND_LAYER, &r);
	CHECK_INT(r, ==, 0);
	CHECK_INT(walk_index(x, NULL), ==, 0);
	CHECK_INT(idx_verify(x, NULL), ==, -EBADMSG);
}

/* ---- hostile files: right CRCs, wrong content ---- */

static uint32_t rnd(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void mutate(uint8_t *data, size_t len, const uint8_t *orig, uint32_t *seed)
{
	static const uint8_t nasty[] = { 0, 1, 2, 0x7f, 0x80, 0xff };
	unsigned int n = 1 + rnd(seed) % 4;

	while (n-- > 0) {
		size_t block = rnd(seed) % (len / 4096), at;
		unsigned int tries = 0;

		/* Mostly where something stands: at the front of a block. */
		do
			at = block * 4096 + rnd(seed) % 512;
		while (!orig[at] && tries++ < 20);
		if (rnd(seed) % 2)
			data[at] = (uint8_t)rnd(seed);
		else
			data[at] = nasty[rnd(seed) % sizeof(nasty)];
	}
}

/* The reader's promises are checked by walk_index(), memory by the sanitizers. */
static void try_mutants(int fd, enum idx_kind kind, unsigned int n)
{
	size_t len = 0;
	auto_free uint8_t *orig = (uint8_t *)read_fd(fd, &len);
	auto_free uint8_t *data = malloc(len);
	unsigned int n_opened = 0, n_right = 0;
	uint32_t seed = 4711;

	for (unsigned int i = 0; i < n; i++) {
		struct idx *x;
		int r;

		memcpy(data, orig, len);
		mutate(data, len, orig, &seed);
		repair_index(data, len);
		auto_fd mutant = copy_of(data, len);
		x = open_fd(mutant, kind, &r);
		if (!x)
			continue;
		n_opened++;
		r = idx_verify(x, NULL);
		CHECK(r == 0 || r == -EBADMSG);
		n_right += r == 0;
		if (r == 0)
			CHECK_INT(walk_index(x, NULL), ==, 0);
		else
			(void)walk_index(x, NULL);
		idx_close(x);
	}
	/* The mutants do get past the checksums, and most are found out. */
	CHECK(n_opened > n / 2);
	CHECK(n_right < n_opened / 2);
}

TEST(hostile_images_do_no_harm)
{
	auto_fd fd = -1;

	idx_close(small_image(&fd));
	try_mutants(fd, IDX_KIND_IMAGE, 10000);
}

TEST(hostile_layers_do_no_harm)
{
	auto_fd fd = small_layer();

	try_mutants(fd, IDX_KIND_LAYER, 10000);
}

/* Rewrite one field of the small image and see the reader refuse it. */
static int with_inode(uint32_t row, void (*change)(struct idx_inode *))
{
	auto_fd fd = -1;
	struct idx *x = small_image(&fd);
	uint64_t off = idx_header(x)->sections[IDX_SEC_INODES].off;
	struct idx_inode ino;
	size_t len = 0;
	auto_free uint8_t *data = (uint8_t *)read_fd(fd, &len);
	int r;

	idx_close(x);
	memcpy(&ino, data + off + row * sizeof(ino), sizeof(ino));
	change(&ino);
	memcpy(data + off + row * sizeof(ino), &ino, sizeof(ino));
	repair_index(data, len);
	auto_fd copy = copy_of(data, len);
	x = open_fd(copy, IDX_KIND_IMAGE, &r);
	CHECK_INT(r, ==, 0);
	r = idx_inode(x, row, &ino);
	CHECK_INT(idx_verify(x, NULL), ==, -EBADMSG);
	idx_close(x);
	return r;
}

static void set_socket(struct idx_inode *i)
{
	i->mode = S_IFSOCK | 0600;
}

static void set_high_mode(struct idx_inode *i)
{
	i->mode |= 0x10000;
}

static void set_uid(struct idx_inode *i)
{
	i->uid = LIMIT_IDX_ID + 1;
}

static void set_nsec(struct idx_inode *i)
{
	i->mtime_nsec = 1000000000;
}

static void set_run(struct idx_inode *i)
{
	i->count = 1000;
}

static void set_layer(struct idx_inode *i)
{
	i->ino |= UINT64_C(1) << 51;
}

static void set_upper(struct idx_inode *i)
{
	i->ino |= INUM_UPPER;
}

static void set_parent(struct idx_inode *i)
{
	i->parent = 1;
}

static void set_data(struct idx_inode *i)
{
	i->data = UINT64_MAX - 2;
}

TEST(rows_that_break_the_format_are_refused)
{
	/* Row 1 is etc, then bin, usr, null, pipe; motd is 6. */
	CHECK_INT(with_inode(1, set_socket), ==, -EBADMSG);
	CHECK_INT(with_inode(1, set_high_mode), ==, -EBADMSG);
	CHECK_INT(with_inode(6, set_uid), ==, -EBADMSG);
	CHECK_INT(with_inode(6, set_nsec), ==, -EBADMSG);
	CHECK_INT(with_inode(1, set_run), ==, -EBADMSG);
	CHECK_INT(with_inode(6, set_layer), ==, -EBADMSG);
	CHECK_INT(with_inode(6, set_upper), ==, -EBADMSG);
	CHECK_INT(with_inode(1, set_parent), ==, -EBADMSG);
	CHECK_INT(with_inode(6, set_parent), ==, -EBADMSG);
	CHECK_INT(with_inode(6, set_data), ==, -EBADMSG);
	CHECK_INT(with_inode(2, set_data), ==, -EBADMSG);
}
