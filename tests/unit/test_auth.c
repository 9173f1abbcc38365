/* SPDX-License-Identifier: Apache-2.0 */
#include "image/auth.h"

#include "base/str.h"
#include "tests/unit/test.h"

/* "u1:p1" and so on. */
#define U1 "dTE6cDE="
#define U2 "dTI6cDI="
#define U3 "dTM6cDM="

static int look_up(const char *text, const char *host, const char *path, struct cred *ret)
{
	auto_json *j = NULL;

	memset(ret, 0, sizeof(*ret));
	if (json_parse(text, strlen(text), "file", &j, NULL) < 0)
		return -1;
	return auth_look_up(j, host, path, ret, NULL);
}

TEST(the_longest_key_wins)
{
	static const char file[] =
		"{\"auths\":{\"h.io\":{\"auth\":\"" U1 "\"},\"h.io/a\":{\"auth\":\"" U2
		"\"},\"h.io/a/b\":{\"auth\":\"" U3
		"\"},\"https://index.docker.io/v1/\":{\"auth\":\"" U2 "\"}}}";
	static const struct {
		const char *host, *path, *user;
	} cases[] = {
		{ "h.io", "x", "u1" },
		{ "h.io", "a", "u2" },
		{ "h.io", "a/x", "u2" },
		{ "h.io", "a/b", "u3" },
		{ "h.io", "a/b/c", "u3" },
		{ "h.io", "ab", "u1" },
		{ "h.io", NULL, "u1" },
		{ "h.iox", "a", NULL },
		{ "h.io:5000", "a", NULL },
		{ "docker.io", "library/alpine", "u2" },
		{ "index.docker.io.evil", "x", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_cred c = { 0 };

		CHECK_INT(look_up(file, cases[i].host, cases[i].path, &c), ==, 0);
		CHECK_STR(c.user, cases[i].user);
	}
}

TEST(entries_of_every_form)
{
	auto_cred token = { 0 }, empty = { 0 }, none = { 0 };

	CHECK_INT(look_up("{\"auths\":{\"h.io\":{\"identitytoken\":\"t\"}}}", "h.io", "a", &token),
		==, 0);
	CHECK_STR(token.identity_token, "t");
	CHECK_STR(token.user, NULL);
	CHECK_INT(look_up("{\"auths\":{\"h.io\":{}},\"credsStore\":\"x\"}", "h.io", "a", &empty),
		==, 0);
	CHECK_STR(empty.user, NULL);
	CHECK_INT(look_up("{}", "h.io", "a", &none), ==, 0);
	CHECK_STR(none.user, NULL);
}

TEST(malformed_entries_are_said)
{
	static const char *const bad[] = {
		"{\"auths\":{\"h.io\":{\"auth\":\"?\"}}}",
		"{\"auths\":{\"h.io\":{\"auth\":\"dTE=x\"}}}",
		"{\"auths\":{\"h.io\":{\"auth\":\"dXNlcg==\"}}}", /* no colon */
		"{\"auths\":{\"h.io\":{\"auth\":\"dTpwCkhlYWRlcjogeA==\"}}}", /* a newline */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_cred c = { 0 };

		CHECK_INT(look_up(bad[i], "h.io", "a", &c), ==, -EBADMSG);
	}
}

TEST(basic_is_base64)
{
	static const struct {
		const char *user, *password, *want;
	} cases[] = {
		{ "u1", "p1", "Basic " U1 },
		{ "a", "b", "Basic YTpi" },
		{ "a", "", "Basic YTo=" },
		{ "Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
		{ "\xff", "\xfe", "Basic /zr+" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *s = auth_basic(cases[i].user, cases[i].password);

		CHECK_STR(s, cases[i].want);
	}
}
