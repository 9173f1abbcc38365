/* SPDX-License-Identifier: Apache-2.0 */
#include "image/authhdr.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

TEST(challenges_are_read)
{
	static const struct {
		const char *value;
		enum auth_scheme scheme;
		const char *realm, *service, *scope;
	} cases[] = {
		{ "Basic realm=\"r\"", AUTH_BASIC, "r", "", "" },
		{ "basic", AUTH_BASIC, "", "", "" },
		{ "Bearer realm=\"https://a.io/token\",service=\"s\",scope=\"repository:a/b:pull\"",
			AUTH_BEARER, "https://a.io/token", "s", "repository:a/b:pull" },
		{ "Bearer scope=\"repository:a:pull,push\" , realm = \"https://a/\"", AUTH_BEARER,
			"https://a/", "", "repository:a:pull,push" },
		{ "BEARER REALM=\"x\"", AUTH_BEARER, "x", "", "" },
		/* Several challenges in one header: the strongest counts. */
		{ "Basic realm=\"b\", Bearer realm=\"t\",service=s", AUTH_BEARER, "t", "s", "" },
		{ "Bearer realm=\"t\", Basic realm=\"b\"", AUTH_BEARER, "t", "", "" },
		{ "Negotiate, Basic realm=\"b\"", AUTH_BASIC, "b", "", "" },
		{ "Bearer realm=\"a\\\"b\\\\c\"", AUTH_BEARER, "a\"b\\c", "", "" },
		{ "Bearer realm=\"a\",unknown=\"x, Basic\",service=\"s\"", AUTH_BEARER, "a", "s",
			"" },
		{ "Digest realm=\"x\", nonce=\"y\"", AUTH_NONE, "", "", "" },
		{ "", AUTH_NONE, "", "", "" },
		{ ",,,", AUTH_NONE, "", "", "" },
		{ "\"Bearer\"", AUTH_NONE, "", "", "" },
		{ "Bearer realm=\"open", AUTH_NONE, "", "", "" },
		{ "Bearer realm=\"a\nb\"", AUTH_NONE, "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct challenge c = { 0 };

		challenge_parse(cases[i].value, &c);
		if (c.scheme != cases[i].scheme)
			test_fail(__FILE__, __LINE__, "case %zu: scheme %d", i, (int)c.scheme);
		CHECK_STR(c.realm, cases[i].realm);
		CHECK_STR(c.service, cases[i].service);
		CHECK_STR(c.scope, cases[i].scope);
	}
}

TEST(a_second_header_adds_its_challenge)
{
	struct challenge c = { 0 };

	challenge_parse("Basic realm=\"b\"", &c);
	challenge_parse("Bearer realm=\"t\"", &c);
	challenge_parse("Basic realm=\"b\"", &c);
	CHECK_INT(c.scheme, ==, AUTH_BEARER);
	CHECK_STR(c.realm, "t");
}

TEST(parameters_up_to_the_limit)
{
	char value[LIMIT_AUTH_PARAM_BYTES + 64];
	size_t n = (size_t)snprintf(value, sizeof(value), "Bearer realm=\"");
	struct challenge c = { 0 };

	memset(value + n, 'a', LIMIT_AUTH_PARAM_BYTES);
	memcpy(value + n + LIMIT_AUTH_PARAM_BYTES - 1, "\"", 2);
	challenge_parse(value, &c);
	CHECK_INT(c.scheme, ==, AUTH_BEARER);
	CHECK_INT(strlen(c.realm), ==, LIMIT_AUTH_PARAM_BYTES - 1);

	memset(&c, 0, sizeof(c));
	memcpy(value + n + LIMIT_AUTH_PARAM_BYTES - 1, "a\"", 3);
	challenge_parse(value, &c);
	CHECK_INT(c.scheme, ==, AUTH_NONE);
}
