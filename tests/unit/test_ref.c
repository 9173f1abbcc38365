/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ref.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/unit/test.h"

#define HEX    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DIGEST "sha256:" HEX

TEST(names_become_full_names)
{
	static const struct {
		const char *text, *full;
	} cases[] = {
		{ "alpine", "docker.io/library/alpine:latest" },
		{ "alpine:3.20", "docker.io/library/alpine:3.20" },
		{ "user/app", "docker.io/user/app:latest" },
		{ "docker.io/alpine", "docker.io/library/alpine:latest" },
		{ "index.docker.io/library/alpine", "docker.io/library/alpine:latest" },
		{ "docker://quay.io/a/b/c:v1", "quay.io/a/b/c:v1" },
		{ "localhost/x", "localhost/x:latest" },
		{ "localhost:5000/x", "localhost:5000/x:latest" },
		{ "127.0.0.1:5000/x:y", "127.0.0.1:5000/x:y" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest" },
		{ "Example.COM/x", "Example.COM/x:latest" },
		{ "alpine@" DIGEST, "docker.io/library/alpine@" DIGEST },
		{ "h.io/a:t@" DIGEST, "h.io/a:t@" DIGEST },
		{ "h.io/a_b/c__d/e--f.g", "h.io/a_b/c__d/e--f.g:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_ref ref = { 0 };
		auto_free char *text = NULL;

		CHECK_INT(ref_parse(cases[i].text, &ref, NULL), ==, 0);
		text = ref_text(&ref);
		CHECK_STR(text, cases[i].full);
	}
}

TEST(malformed_names_are_refused)
{
	static const char *const bad[] = {
		"",
		":",
		"@",
		"/",
		"a/",
		"/a",
		"a//b",
		"a:",
		"a:b:c",
		"a:.x",
		"a:-x",
		"a: x",
		"A",
		"a/B",
		"a/../b",
		"h.io/..",
		"h.io/a/..",
		"-a",
		"a-",
		"a..b",
		"a___b",
		"a._b",
		"h.io:0/a",
		"h.io:65536/a",
		"h.io:x/a",
		"h..io/a",
		"-h.io/a",
		"h-.io/a",
		"[::1/a",
		"[]/a",
		"[::g]/a",
		"[1..2:3]/a",
		"u@h.io/a",
		"a@sha256:1234",
		"a@md5:d41d8cd98f00b204e9800998ecf8427e",
		"a@" DIGEST "@" DIGEST,
		"a\nb",
		"h.io/a?x",
		"https://h.io/a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ref ref = { 0 };
		int r = ref_parse(bad[i], &ref, NULL);

		if (r != -EINVAL)
			test_fail(__FILE__, __LINE__, "'%s' gives %d", bad[i], r);
	}
}

TEST(lengths_are_limited)
{
	char tag[LIMIT_REF_TAG_BYTES + 2], name[LIMIT_REF_NAME_BYTES + 2];
	struct ref ref = { 0 };

	memset(tag, 'a', sizeof(tag));
	tag[LIMIT_REF_TAG_BYTES] = '\0';
	CHECK(ref_tag_is_valid(tag));
	tag[LIMIT_REF_TAG_BYTES] = 'a';
	tag[LIMIT_REF_TAG_BYTES + 1] = '\0';
	CHECK(!ref_tag_is_valid(tag));

	memset(name, 'a', sizeof(name));
	memcpy(name, "h.io/", 5);
	name[LIMIT_REF_NAME_BYTES] = '\0';
	CHECK_INT(ref_parse(name, &ref, NULL), ==, 0);
	ref_done(&ref);
	name[LIMIT_REF_NAME_BYTES] = 'a';
	name[LIMIT_REF_NAME_BYTES + 1] = '\0';
	CHECK_INT(ref_parse(name, &ref, NULL), ==, -EINVAL);
}

TEST(only_names_without_a_host_are_short)
{
	auto_ref a = { 0 }, b = { 0 };

	CHECK_INT(ref_parse("alpine", &a, NULL), ==, 0);
	CHECK(a.is_short);
	CHECK_INT(ref_parse("docker.io/library/alpine", &b, NULL), ==, 0);
	CHECK(!b.is_short);
}

TEST(directories_give_local_names_that_parse)
{
	static const struct {
		const char *base, *name;
	} cases[] = {
		{ "alpine", "localhost/alpine:t" },
		{ "My Image", "localhost/my-image:t" },
		{ "sparse-pax-0.0", "localhost/sparse-pax-0.0:t" },
		{ "a__b", "localhost/a-b:t" },
		{ "..", "localhost/image:t" },
		{ "", "localhost/image:t" },
		{ "-x-", "localhost/x:t" },
		{ "x.", "localhost/x:t" },
		{ "\xff\xfe", "localhost/image:t" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *name = ref_local_name(cases[i].base, "t");
		auto_ref ref = { 0 };

		CHECK_STR(name, cases[i].name);
		CHECK_INT(ref_parse(name, &ref, NULL), ==, 0);
	}
}

TEST(what_people_call_their_images_is_local)
{
	static const struct {
		const char *text, *name;
		int r;
	} cases[] = {
		{ "app", "localhost/app:latest", 0 },
		{ "team/app:1", "localhost/team/app:1", 0 },
		{ "docker.io/app", "docker.io/library/app:latest", 0 },
		{ "h.io:1/app", "h.io:1/app:latest", 0 },
		{ "app@" DIGEST, NULL, -EINVAL },
		{ "App", NULL, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *name = NULL;

		CHECK_INT(ref_stored_name(cases[i].text, &name, NULL), ==, cases[i].r);
		CHECK_STR(name, cases[i].name);
	}
}
