/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/idmount.h"
#include "tests/unit/test.h"

#include <errno.h>

/* "inside-outside-length …" */
static void text_of(const struct idmap *m, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < m->n && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%u-%u-%u", i ? " " : "",
			m->v[i].inside, m->v[i].outside, m->v[i].n);
}

TEST(words_become_maps)
{
	static const struct {
		const char *words; /* NULL: "idmap" alone */
		int want;
		const char *uids, *gids;
	} cases[] = {
		{ NULL, 0, "0-100-10 10-500-10", "0-200-10" },
		{ "uids=0-1-2", 0, "0-1-2", "0-200-10" },
		{ "gids=5-6-7", 0, "0-100-10 10-500-10", "5-6-7" },
		{ "uids=0-1-10#10-11-10;gids=0-100-10", 0, "0-1-10 10-11-10", "0-100-10" },
		{ "uids=@7-3-2#20-12-1", 0, "7-103-2 20-12-1", "0-200-10" },
		{ "uids=@1-12-1", 0, "1-502-1", "0-200-10" },
		{ "uids=@0-20-1", -EINVAL, NULL, NULL }, /* no id of the container */
		{ "uids=0-1", -EINVAL, NULL, NULL },
		{ "uids=0-1-2-3", -EINVAL, NULL, NULL },
		{ "uids=0-1-0", -EINVAL, NULL, NULL },
		{ "uids=-1-1-1", -EINVAL, NULL, NULL },
		{ "uids=0-4294967295-1", -EINVAL, NULL, NULL },
		{ "uids=0-0-9#5-20-9", -EINVAL, NULL, NULL }, /* overlap */
		{ "uids=", -EINVAL, NULL, NULL },
		{ "users=0-1-2", -EINVAL, NULL, NULL },
		{ "", -EINVAL, NULL, NULL },
	};
	struct spec spec = { 0 };
	const struct spec_mount m = { .destination = "/v" };

	CHECK_INT(idmap_add(&spec.uid_map, 0, 100, 10), ==, 0);
	CHECK_INT(idmap_add(&spec.uid_map, 10, 500, 10), ==, 0);
	CHECK_INT(idmap_add(&spec.gid_map, 0, 200, 10), ==, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mountopt mo = { .extra = MOUNTOPT_IDMAP, .idmap = (char *)cases[i].words };
		struct idmap uids = { 0 }, gids = { 0 };
		struct err err = ERR_INIT;
		char text[128];

		CHECK_INT(idmount_maps(&spec, &m, &mo, &uids, &gids, &err), ==, cases[i].want);
		if (cases[i].want == 0) {
			text_of(&uids, text, sizeof(text));
			CHECK_STR(text, cases[i].uids);
			text_of(&gids, text, sizeof(text));
			CHECK_STR(text, cases[i].gids);
		}
		idmap_done(&uids);
		idmap_done(&gids);
	}
	idmap_done(&spec.uid_map);
	idmap_done(&spec.gid_map);
}

TEST(a_mounts_own_maps_come_before_the_containers)
{
	struct spec_mount m = { .destination = "/v" };
	const struct mountopt mo = { 0 };
	struct idmap uids = { 0 }, gids = { 0 };
	struct err err = ERR_INIT;
	struct spec spec = { 0 };

	CHECK_INT(idmap_add(&m.uid_map, 3, 4, 5), ==, 0);
	CHECK_INT(idmount_maps(&spec, &m, &mo, &uids, &gids, &err), ==, -EINVAL); /* no gids */
	CHECK_INT(idmap_add(&m.gid_map, 6, 7, 8), ==, 0);
	idmap_done(&uids);
	CHECK_INT(idmount_maps(&spec, &m, &mo, &uids, &gids, &err), ==, 0);
	CHECK_INT(uids.v[0].outside, ==, 4);
	CHECK_INT(gids.v[0].outside, ==, 7);
	idmap_done(&uids);
	idmap_done(&gids);
	idmap_done(&m.uid_map);
	idmap_done(&m.gid_map);
}
