/* SPDX-License-Identifier: Apache-2.0 */
/* What tarwrite writes, the strict reader reads back as it was; equal members are equal bytes. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/tarhead.h"
#include "image/tarwrite.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/mman.h>

/* Write one member's headers, read them back.  @ret: tarhead_done() it. */
static void round_trip(const struct tarwrite_member *m, struct tarhead *ret, struct buf *bytes)
{
	auto_fd fd = memfd_create("tar", MFD_CLOEXEC);
	struct tarwrite w = { .fd = fd };
	const char *why = NULL;
	uint64_t need;

	CHECK_INT(tarwrite_member(&w, m, NULL), ==, 0);
	CHECK_INT(w.n_bytes % 512, ==, 0);
	tarwrite_done(&w);
	bytes->len = 0;
	for (uint64_t off = 0; off < w.n_bytes; off += 512) {
		char block[512];

		CHECK_INT(fd_pread_all(fd, block, 512, (off_t)off), ==, 0);
		CHECK_INT(buf_add(bytes, block, 512), ==, 0);
	}
	tarhead_init(ret);
	CHECK_INT(tarhead_parse(ret, (const uint8_t *)bytes->data, bytes->len, &need, &why), ==, 0);
	CHECK_INT(ret->head_bytes, ==, bytes->len);
}

static void check(const struct tarwrite_member *m, char type)
{
	auto_buf bytes = { 0 };
	struct tarhead h;
	size_t len = strlen(m->path);

	round_trip(m, &h, &bytes);
	CHECK_INT(h.type, ==, type);
	CHECK_INT(h.path.len, ==, len + (type == '5'));
	CHECK_INT(memcmp(h.path.data, m->path, len), ==, 0);
	if (m->link)
		CHECK_STR(h.link.data, m->link);
	CHECK_INT(h.mode, ==, m->mode & 07777);
	CHECK_INT(h.uid, ==, m->uid);
	CHECK_INT(h.gid, ==, m->gid);
	CHECK_INT(h.mtime_sec, ==, m->mtime_sec);
	CHECK_INT(h.mtime_nsec, ==, m->mtime_nsec);
	CHECK_INT(h.size, ==, m->size);
	CHECK_INT(h.dev_major, ==, m->dev_major);
	CHECK_INT(h.dev_minor, ==, m->dev_minor);
	tarhead_done(&h);
}

TEST(members_read_back_as_they_were)
{
	char name[1001], edge[101];

	memset(name, 'n', 1000);
	name[1000] = '\0';
	memset(edge, 'e', 100);
	edge[100] = '\0';
	check(&(struct tarwrite_member){ .path = "a", .mode = S_IFREG | 0644 }, '0');
	check(&(struct tarwrite_member){ .path = edge, .mode = S_IFREG, .link = NULL }, '0');
	check(&(struct tarwrite_member){ .path = name, .mode = S_IFDIR | 01777 }, '5');
	check(&(struct tarwrite_member){ .path = "\xc3\xa4 \xff\n", .mode = S_IFIFO | 0600 }, '6');
	check(&(struct tarwrite_member){ .path = "l", .link = name, .mode = S_IFLNK | 0777 }, '2');
	check(&(struct tarwrite_member){ .path = "h", .link = "\xff", .is_hardlink = true }, '1');
	check(&(struct tarwrite_member){ .path = "c",
		      .mode = S_IFCHR | 0666,
		      .dev_major = 4095,
		      .dev_minor = 1048575 },
		'3');
	check(&(struct tarwrite_member){ .path = "b", .mode = S_IFBLK, .dev_major = 8 }, '4');
	check(
		&(struct tarwrite_member){
			.path = "big", .mode = S_IFREG, .size = UINT64_C(0x200000000) },
		'0');
	check(
		&(struct tarwrite_member){
			.path = "ids", .mode = S_IFREG, .uid = 2097152, .gid = 2147483647 },
		'0');
}

TEST(times_read_back_as_they_were)
{
	static const struct {
		int64_t sec;
		uint32_t nsec;
	} times[] = { { 0, 1 }, { 1600000000, 123456789 }, { 1, 100000000 }, { -1, 0 },
		{ -1, 500000000 }, { -2, 500000000 }, { -2000000000, 1 },
		{ INT64_C(077777777777), 0 }, { INT64_C(0100000000000), 0 },
		{ INT64_C(9007199254740992), 0 }, { -INT64_C(9007199254740992), 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		check(&(struct tarwrite_member){ .path = "t",
			      .mode = S_IFREG,
			      .mtime_sec = times[i].sec,
			      .mtime_nsec = times[i].nsec },
			'0');
}

TEST(lengths_of_records_count_themselves)
{
	char name[1100];

	/* Around the lengths where one more digit makes one more byte. */
	for (size_t len = 101; len < sizeof(name); len++) {
		memset(name, 'x', len);
		name[len] = '\0';
		check(&(struct tarwrite_member){ .path = name, .mode = S_IFREG }, '0');
	}
}

TEST(attributes_and_maps_read_back)
{
	const struct tarwrite_xattr xattrs[] = { { "user.z", "a\0\n=b", 5 }, { "user.a", "", 0 } };
	const struct tarwrite_xattr swapped[] = { xattrs[1], xattrs[0] };
	const struct idx_extent map[] = { { 65536, 65536, 0 }, { 1 << 20, 5, 0 } };
	struct tarwrite_member m = { .path = "s",
		.mode = S_IFREG,
		.size = (1 << 20) + 5,
		.xattrs = xattrs,
		.n_xattrs = 2,
		.is_sparse = true,
		.map = map,
		.n_map = 2 };
	auto_buf first = { 0 }, second = { 0 };
	struct tarhead h;

	round_trip(&m, &h, &first);
	CHECK_STR(h.path.data, "s");
	CHECK(h.is_sparse);
	CHECK_INT(h.map.n, ==, 2);
	CHECK_INT(h.map.v[1].file_off, ==, 1 << 20);
	CHECK_INT(h.size, ==, m.size);
	CHECK_INT(h.pax.n_xattrs, ==, 2);
	CHECK_INT(h.pax.xattrs[0].name_len, ==, 6);
	CHECK_INT(memcmp(h.pax.bytes.data + h.pax.xattrs[0].name, "user.a", 6), ==, 0);
	CHECK_INT(h.pax.xattrs[1].value_len, ==, 5);
	tarhead_done(&h);
	m.xattrs = swapped;
	round_trip(&m, &h, &second);
	tarhead_done(&h);
	CHECK_INT(first.len, ==, second.len);
	CHECK_INT(memcmp(first.data, second.data, first.len), ==, 0);
}

TEST(what_a_tar_cannot_hold_is_refused)
{
	const struct tarwrite_xattr bad = { "user.a=b", "", 0 };
	struct tarwrite w = { .fd = -1 };
	struct tarwrite_member m = { .path = "x", .mode = S_IFSOCK };

	CHECK_INT(tarwrite_member(&w, &m, NULL), ==, -EINVAL);
	m = (struct tarwrite_member){ .path = "x", .mode = S_IFREG, .xattrs = &bad, .n_xattrs = 1 };
	CHECK_INT(tarwrite_member(&w, &m, NULL), ==, -EINVAL);
	tarwrite_done(&w);
}
