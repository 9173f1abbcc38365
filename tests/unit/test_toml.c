/* SPDX-License-Identifier: Apache-2.0 */
#include "image/toml.h"

#include "base/str.h"
#include "tests/unit/test.h"

/* The document as compact JSON with sorted keys, or "error". */
static char *parse(const char *text)
{
	auto_json *j = NULL;
	struct err err = ERR_INIT;
	int r = toml_parse(text, strlen(text), &j, &err);

	if (r == 0)
		return json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	return str_format("error: %s", err.text);
}

TEST(what_toml_says_becomes_json)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "{}" },
		{ "# nothing\n\n  \t\n", "{}" },
		{ "a = 1", "{\"a\":1}" },
		{ "a = -1_000\r\nb = +0", "{\"a\":-1000,\"b\":0}" },
		{ "a=true\nb = false # x", "{\"a\":true,\"b\":false}" },
		{ "a = \"x\\ty\\u00e9\\U0001F600\\\\\"", "{\"a\":\"x\\ty\u00e9\U0001F600\\\\\"}" },
		{ "a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}" },
		{ "a = \"\"\"\none\n two\\\n   three\"\"\"\"\"",
			"{\"a\":\"one\\n twothree\\\"\\\"\"}" },
		{ "a = '''\nx'y\n'''", "{\"a\":\"x'y\\n\"}" },
		{ "a = []\nb = [1, 'x', [2],\n # c\n]", "{\"a\":[],\"b\":[1,\"x\",[2]]}" },
		{ "a = {}\nb = { c = 1, d.e = 2 }", "{\"a\":{},\"b\":{\"c\":1,\"d\":{\"e\":2}}}" },
		{ "a.b = 1\na.'c d' = 2\n\"\" = 3", "{\"\":3,\"a\":{\"b\":1,\"c d\":2}}" },
		{ "[a]\nb = 1\n[a.c]\nd = 2", "{\"a\":{\"b\":1,\"c\":{\"d\":2}}}" },
		{ "[a.b]\n[a]\nx = 1", "{\"a\":{\"b\":{},\"x\":1}}" },
		{ "[[r]]\nx = 1\n[[r.m]]\ny = 2\n[[r.m]]\n[[r]]",
			"{\"r\":[{\"m\":[{\"y\":2},{}],\"x\":1},{}]}" },
		{ "[ a . \"b\" ]\n", "{\"a\":{\"b\":{}}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = parse(cases[i].text);

		CHECK_STR(got, cases[i].want);
	}
}

TEST(what_toml_forbids_is_refused_with_its_line)
{
	static const char *const cases[] = {
		"a = 1\na = 2",
		"a",
		"a =",
		"a = 1 b = 2",
		"= 1",
		"a = 1.5",
		"a = 0x10",
		"a = 01",
		"a = 1__0",
		"a = _1",
		"a = 1_",
		"a = 9223372036854775808",
		"a = 1979-05-27",
		"a = \"x",
		"a = \"x\ny\"",
		"a = \"\\q\"",
		"a = \"\\ud800\"",
		"a = \"\\u0000\"",
		"a = \"\\U00110000\"",
		"a = 'x\x01'",
		"a = \"\xff\"",
		"a = [1 2]",
		"a = [1",
		"a = {",
		"a = { b = 1,\n c = 2 }",
		"a = { b = 1, }",
		"[a]\n[a]",
		"[a",
		"[[a]",
		"[]",
		"a = 1\n[a]",
		"a = 1\n[a.b]",
		"a = {}\n[a.b]",
		"a = {}\na.b = 1",
		"a = []\n[[a]]",
		"[[a]]\n[a]",
		"[a]\n[[a]]",
		"[a.b]\nc = 1\n[a]\nb.d = 1",
		"a.b = 1\n[a]",
		"# \x01",
		"a = \"\"\"x",
		"\"\"\"a\"\"\" = 1",
		"a = truex",
		"a = 1 2",
		"a = +-1",
		"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g = 1",
		"a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = parse(cases[i]);

		if (!str_starts(got, "error: line "))
			test_fail(__FILE__, __LINE__, "'%s' gives %s", cases[i], got);
	}
}

TEST(a_nul_is_no_end)
{
	json_t *j;

	CHECK_INT(toml_parse("a = 1\n\0b = 2", 12, &j, NULL), ==, -EBADMSG);
}
