/* SPDX-License-Identifier: Apache-2.0 */
#include "image/regconf.h"

#include "base/str.h"
#include "tests/unit/test.h"

static json_t *conf(const char *text)
{
	json_t *j = json_object();
	struct err err = ERR_INIT;

	if (regconf_merge(j, text, strlen(text), &err) < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
	return j;
}

/* The full name, or "error". */
static char *name(const json_t *j, const char *text)
{
	auto_ref ref = { 0 };

	return regconf_name(j, text, &ref, NULL) < 0 ? strdup("error") : ref_text(&ref);
}

/* "host/path host/path!": an exclamation mark is insecure. */
static char *places(const json_t *j, const char *text, bool no_mirrors)
{
	auto_regconf_places p = { 0 };
	auto_ref ref = { 0 };
	auto_buf b = { 0 };

	if (ref_parse(text, &ref, NULL) < 0 || regconf_find(j, &ref, no_mirrors, &p, NULL) < 0)
		return strdup("error");
	for (size_t i = 0; i < p.n; i++)
		(void)buf_printf(&b, "%s%s/%s%s", i ? " " : "", p.v[i].host, p.v[i].path,
			p.v[i].insecure ? "!" : "");
	return buf_take(&b);
}

TEST(short_names_are_aliases_or_of_the_one_registry)
{
	auto_json *j = conf("unqualified-search-registries = ['quay.io']\n"
			    "[aliases]\n'fedora' = 'registry.f.org/fedora'\n'a/b' = 'x.io/c'\n"
			    "bad = 'short'\n");
	auto_json *none = json_object();
	auto_json *two = conf("unqualified-search-registries = ['a.io', 'b.io']");
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "fedora", "registry.f.org/fedora:latest" },
		{ "fedora:39", "registry.f.org/fedora:39" },
		{ "a/b:1", "x.io/c:1" },
		{ "other", "quay.io/other:latest" },
		{ "team/other:2", "quay.io/team/other:2" },
		{ "docker://other", "docker.io/library/other:latest" },
		{ "docker.io/other", "docker.io/library/other:latest" },
		{ "localhost:5000/fedora", "localhost:5000/fedora:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = name(j, cases[i].text);

		CHECK_STR(got, cases[i].want);
	}
	auto_free char *hub = name(none, "alpine"), *many = name(two, "alpine");

	CHECK_STR(hub, "docker.io/library/alpine:latest");
	CHECK_STR(many, "error");
}

TEST(places_follow_the_longest_prefix)
{
	auto_json *j =
		conf("[[registry]]\nlocation = 'plain.io'\ninsecure = true\n"
		     "[[registry]]\nprefix = 'moved.io/a'\nlocation = 'new.io/b/c'\n"
		     "[[registry]]\nprefix = 'moved.io'\nblocked = true\n"
		     "[[registry]]\nprefix = '*.wild.io'\nlocation = 'w.io'\n"
		     "[[registry]]\nprefix = '*.kept.io'\ninsecure = true\n"
		     "[[registry]]\nprefix = 'm.io'\n"
		     "[[registry.mirror]]\nlocation = 'm1.io/x'\ninsecure = true\n"
		     "[[registry.mirror]]\nlocation = 'm2.io'\npull-from-mirror = 'digest-only'\n"
		     "[[registry.mirror]]\nlocation = 'm3.io'\npull-from-mirror = 'tag-only'\n"
		     "[[registry]]\nprefix = 'd.io'\nmirror-by-digest-only = true\n"
		     "[[registry.mirror]]\nlocation = 'd1.io'\n");
#define DIGEST "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "plain.io/x", "plain.io/x!" },
		{ "plain.iox/x", "plain.iox/x" },
		{ "moved.io/a/x", "new.io/b/c/x" },
		{ "moved.io/ab", "error" },
		{ "a.b.wild.io/x/y", "w.io/x/y" },
		{ "wild.io/x", "wild.io/x" },
		{ "a.kept.io/x", "a.kept.io/x!" },
		{ "m.io/i:1", "m1.io/x/i! m3.io/i m.io/i" },
		{ "m.io/i" DIGEST, "m1.io/x/i! m2.io/i m.io/i" },
		{ "d.io/i:1", "d.io/i" },
		{ "d.io/i" DIGEST, "d1.io/i d.io/i" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = places(j, cases[i].text, false);

		CHECK_STR(got, cases[i].want);
	}
	auto_free char *one = places(j, "m.io/i:1", true);

	CHECK_STR(one, "m.io/i");
}

TEST(later_files_win)
{
	auto_json *j =
		conf("[[registry]]\nprefix = 'a.io'\nlocation = 'one.io'\n[aliases]\nx = 'a.io/x'");
	static const char second[] = "[[registry]]\nprefix = 'a.io'\nlocation = 'two.io'\n"
				     "[aliases]\nx = 'b.io/x'\n";

	CHECK_INT(regconf_merge(j, second, strlen(second), NULL), ==, 0);
	auto_free char *where = places(j, "a.io/i", false), *alias = name(j, "x");

	CHECK_STR(where, "two.io/i");
	CHECK_STR(alias, "b.io/x:latest");
}

TEST(malformed_files_are_refused)
{
	static const char *const cases[] = { "[registries.search]\nregistries = []", "registry = 1",
		"[[registry]]", "[[registry]]\nprefix = 1", "[aliases]\nx = 1",
		"[[registry]]\nprefix = '*x.io'", "[[registry]]\nprefix = 'x'\nblocked = 'yes'",
		"[[registry]]\nprefix = 'x'\n[[registry.mirror]]\ninsecure = true",
		("[[registry]]\nprefix = 'x'\n[[registry.mirror]]\nlocation = 'y'\n"
		 "pull-from-mirror = 'never'"),
		"unqualified-search-registries = 'x'", "unqualified-search-registries = [1]",
		"[[registry]]\nprefix = 'x'\nmirror = 1" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json *j = json_object();

		CHECK_INT(regconf_merge(j, cases[i], strlen(cases[i]), NULL), ==, -EBADMSG);
	}
	auto_json *odd = conf("[[registry]]\nprefix = 'x.io'\nlocation = 'no host'");
	auto_free char *got = places(odd, "x.io/a", false);

	CHECK_STR(got, "error");
}
