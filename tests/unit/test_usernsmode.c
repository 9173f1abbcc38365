/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/usernsmode.h"
#include "tests/unit/test.h"

#include <errno.h>

static void check_map(enum usernsmode_kind kind, uint32_t n, uint32_t keep, const char *want)
{
	struct idmap own = { 0 }, m = { 0 };
	auto_buf text = { 0 };

	CHECK_INT(idmap_add(&own, 0, 0, n), ==, 0);
	CHECK_INT(usernsmode_map(&(struct usernsmode){ .kind = kind }, &own, keep, &m), ==, 0);
	for (size_t i = 0; i < m.n; i++)
		CHECK_INT(buf_printf(&text, "%u %u %u;", m.v[i].inside, m.v[i].outside, m.v[i].n),
			==, 0);
	CHECK_STR(text.data, want);
	idmap_done(&own);
	idmap_done(&m);
}

TEST(maps)
{
	const struct usernsmode nomap = { .kind = USERNSMODE_NOMAP };
	struct idmap own = { 0 }, m = { 0 };

	check_map(USERNSMODE_DEFAULT, 65537, 0, "0 0 65537;");
	check_map(USERNSMODE_KEEP_ID, 65537, 1000, "0 1 1000;1000 0 1;1001 1001 64536;");
	check_map(USERNSMODE_KEEP_ID, 65537, 0, "0 0 1;1 1 65536;");
	check_map(USERNSMODE_KEEP_ID, 1, 1000, "1000 0 1;");
	check_map(USERNSMODE_KEEP_ID, 101, 5000, "0 1 100;5000 0 1;");
	check_map(USERNSMODE_NOMAP, 65537, 0, "0 1 65536;");
	CHECK_INT(idmap_add(&own, 0, 0, 1), ==, 0);
	CHECK_INT(usernsmode_map(&nomap, &own, 0, &m), ==, -ERANGE);
	/* A range of the container's lies in one of the parent's. */
	CHECK_INT(idmap_add(&own, 1, 1, 100), ==, 0);
	CHECK_INT(idmap_add(&own, 101, 101, 100), ==, 0);
	CHECK_INT(usernsmode_map(&nomap, &own, 0, &m), ==, 0);
	CHECK_INT(m.n, ==, 2);
	CHECK_INT(m.v[1].inside, ==, 100);
	CHECK_INT(m.v[1].outside, ==, 101);
	idmap_done(&own);
	idmap_done(&m);
}

TEST(words)
{
	static const struct {
		const char *text, *want;
	} cases[] = { { NULL, "host" }, { "", "host" }, { "host", "host" }, { "nomap", "nomap" },
		{ "keep-id", "keep-id:uid=7,gid=8" }, { "keep-id:uid=5", "keep-id:uid=5,gid=8" },
		{ "keep-id:uid=5,gid=6", "keep-id:uid=5,gid=6" }, { "auto", "auto:size=0,base=0" },
		{ "auto:size=9", "auto:size=9,base=0" }, { "container:a:b", "container:a:b" } };
	struct usernsmode m;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *back = NULL;

		CHECK_INT(usernsmode_parse(cases[i].text, 7, 8, &m, NULL), ==, 0);
		back = usernsmode_text(&m);
		CHECK_STR(back, cases[i].want);
	}
	CHECK_INT(usernsmode_parse("keep-id:uid=x", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("keep-id:uid=4294967295", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("nomap:x", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("keepid", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("auto:size=4294967296", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("auto:size=0", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("container:", 7, 8, &m, NULL), ==, -EINVAL);
	CHECK_INT(usernsmode_parse("ns:/x", 7, 8, &m, NULL), ==, -EOPNOTSUPP);
}

TEST(automatic_ranges_do_not_overlap)
{
	struct usernsmode m = { .kind = USERNSMODE_AUTO, .size = 100 };
	struct idmap own = { 0 }, map = { 0 };
	auto_strv others = { 0 };

	CHECK_INT(usernsmode_choose(&m, &others, 300), ==, 0);
	CHECK_INT(m.base, ==, 1);
	CHECK_INT(strv_add(&others, "auto:size=50,base=1"), ==, 0);
	CHECK_INT(strv_add(&others, "keep-id:uid=5,gid=5"), ==, 0);
	CHECK_INT(strv_add(&others, "auto:size=10,base=120"), ==, 0);
	CHECK_INT(strv_add(&others, "auto:nonsense"), ==, 0);
	CHECK_INT(usernsmode_choose(&m, &others, 300), ==, 0);
	CHECK_INT(m.base, ==, 130);
	CHECK_INT(usernsmode_choose(&m, &others, 230), ==, 0);
	CHECK_INT(usernsmode_choose(&m, &others, 229), ==, -ERANGE);
	m = (struct usernsmode){ .kind = USERNSMODE_AUTO, .size = 50 };
	CHECK_INT(usernsmode_choose(&m, &others, 300), ==, 0);
	CHECK_INT(m.base, ==, 51);
	CHECK_INT(idmap_add(&own, 0, 0, 101), ==, 0);
	CHECK_INT(usernsmode_map(&m, &own, 0, &map), ==, 0);
	CHECK_INT(map.v[0].outside, ==, 51);
	CHECK_INT(map.v[0].n, ==, 50);
	m.size = 51;
	CHECK_INT(usernsmode_map(&m, &own, 0, &map), ==, -ERANGE);
	m.size = 2147483647;
	CHECK_INT(usernsmode_choose(&m, &others, 2147483647), ==, -ERANGE);
	idmap_done(&own);
	idmap_done(&map);
}
