/* SPDX-License-Identifier: Apache-2.0 */
#include "image/place.h"

#include "base/cleanup.h"

#include "base/str.h"
#include "tests/unit/test.h"

TEST(places_are_written_as_for_skopeo)
{
	static const struct {
		const char *text;
		enum place_kind kind;
		const char *path, *ref;
	} cases[] = {
		{ "alpine:3", PLACE_REGISTRY, "alpine:3", NULL },
		{ "docker://a.io:5/x:1", PLACE_REGISTRY, "a.io:5/x:1", NULL },
		{ "oci:no/such/dir:a:b", PLACE_OCI, "no/such/dir", "a:b" },
		{ "oci:/proc/self", PLACE_OCI, "/proc/self", NULL },
		{ "oci:/proc/self:", PLACE_OCI, "/proc/self", NULL },
		{ "oci-archive:-", PLACE_OCI_ARCHIVE, "-", NULL },
		{ "oci-archive:-:x", PLACE_OCI_ARCHIVE, "-", "x" },
		{ "docker-archive:x.tar:foo/bar:1", PLACE_DOCKER_ARCHIVE, "x.tar", "foo/bar:1" },
		{ "dir:a:b", PLACE_DIR, "a:b", NULL },
		{ "containers-storage:a.io/x:1", PLACE_STORAGE, "", "a.io/x:1" },
		{ "containers-storage:[vfs@/a+/b]@abc", PLACE_STORAGE, "vfs@/a+/b", "@abc" },
		{ "containers-storage:[/a]", PLACE_STORAGE, "/a", NULL },
		{ "containers-storage:", PLACE_STORAGE, "", NULL },
		{ "containers-storage:[/a", PLACE_MAX_, NULL, NULL },
		{ "docker-daemon:x", PLACE_MAX_, NULL, NULL },
		{ "docker://", PLACE_MAX_, NULL, NULL },
		{ "oci:", PLACE_MAX_, NULL, NULL },
		{ "", PLACE_MAX_, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_place p = { 0 };
		int r = place_parse(cases[i].text, &p, NULL);

		CHECK_INT(r, ==, cases[i].kind == PLACE_MAX_ ? -EINVAL : 0);
		if (r < 0)
			continue;
		CHECK_INT((int)p.kind, ==, (int)cases[i].kind);
		CHECK_STR(p.path, cases[i].path);
		CHECK_STR(p.ref, cases[i].ref);
	}
}

TEST(a_place_is_written_as_it_is_read)
{
	static const char *const texts[] = { "docker://a/b:1", "oci:no/such:a:b", "oci-archive:-",
		"dir:a:b", "containers-storage:x", "containers-storage:[/a]x:1" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_place p = { 0 };
		auto_free char *again = NULL;

		CHECK_INT(place_parse(texts[i], &p, NULL), ==, 0);
		again = place_text(&p);
		CHECK_STR(again, texts[i]);
	}
}
