/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

TEST(platforms_are_normalised)
{
	static const struct {
		const char *text, *norm;
	} cases[] = {
		{ "linux/amd64", "linux/amd64" },
		{ "amd64", "linux/amd64" },
		{ "linux/x86_64", "linux/amd64" },
		{ "linux/aarch64", "linux/arm64" },
		{ "linux/arm64/v8", "linux/arm64" },
		{ "linux/arm64/8", "linux/arm64" },
		{ "linux/arm64/v9", "linux/arm64/v9" },
		{ "linux/armhf", "linux/arm/v7" },
		{ "Linux/ARM/v6", "linux/arm/v6" },
		{ "windows/amd64", "windows/amd64" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct platform p;
		char text[PLATFORM_TEXT_BYTES];

		CHECK_INT(platform_parse(cases[i].text, &p, NULL), ==, 0);
		platform_text(&p, text);
		CHECK_STR(text, cases[i].norm);
	}
}

TEST(malformed_platforms_are_refused)
{
	static const char *const bad[] = { "", "/", "linux/", "/amd64", "linux/amd64/",
		"linux/a/b/c", "li nux/amd64", "linux/\n",
		"linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct platform p;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(platform_parse(bad[i], &p, NULL), ==, -EINVAL);
	/* One byte less than the limit's first refusal. */
	CHECK_INT(platform_parse("linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &p, NULL), ==, 0);
}

static unsigned int rank(const char *want, const char *have)
{
	struct platform w, h;

	CHECK_INT(platform_parse(want, &w, NULL), ==, 0);
	CHECK_INT(platform_parse(have, &h, NULL), ==, 0);
	return platform_rank(&w, &h);
}

TEST(variants_are_ranked)
{
	/* Each left platform is a better choice for the first than the right one. */
	static const struct {
		const char *want, *better, *worse;
	} cases[] = {
		{ "linux/arm64", "linux/arm64/v8", "linux/arm64/v9" },
		{ "linux/arm/v7", "linux/arm/v7", "linux/arm/v6" },
		{ "linux/arm/v7", "linux/arm/v6", "linux/arm/v5" },
		{ "linux/arm/v7", "linux/arm/v5", "linux/arm/v8" },
		{ "linux/arm/v7", "linux/arm/v6", "linux/arm" },
		{ "linux/arm", "linux/arm", "linux/arm/v5" },
		{ "linux/arm", "linux/arm/v5", "linux/arm/v7" },
		{ "linux/amd64/v3", "linux/amd64/v2", "linux/amd64" },
		{ "linux/amd64/v3", "linux/amd64", "linux/amd64/v4" },
		{ "linux/amd64", "linux/amd64", "linux/amd64/v2" },
		{ "linux/amd64", "linux/amd64/v2", "linux/arm64" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_INT(rank(cases[i].want, cases[i].better), >,
			rank(cases[i].want, cases[i].worse));
	CHECK_INT(rank("linux/amd64", "linux/arm64"), ==, 0);
	CHECK_INT(rank("linux/amd64", "windows/amd64"), ==, 0);
	CHECK_INT(rank("linux/arm/v5", "linux/arm/v9"), >, 0);
}
