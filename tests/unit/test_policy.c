/* SPDX-License-Identifier: Apache-2.0 */
#include "image/policy.h"

#include "base/str.h"
#include "tests/unit/test.h"

#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"
#define REJECT "[{\"type\":\"reject\"}]"

TEST(the_narrowest_scope_decides)
{
	static const char text[] =
		"{\"default\":" REJECT ",\"transports\":{\"docker\":{"
		"\"a.io\":" ACCEPT ",\"a.io/bad\":" REJECT ",\"a.io/bad/good:1\":" ACCEPT
		",\"h:5000\":" ACCEPT ",\"*.wild.io\":" ACCEPT ",\"*.not.wild.io\":" REJECT
		",\"signed.io\":[{\"type\":\"insecureAcceptAnything\"},{\"type\":\"signedBy\"}]"
		",\"empty.io\":[]},\"oci\":{\"\":" REJECT ",\"/srv/images\":" ACCEPT "}}}";
	static const struct {
		const char *transport, *scope;
		int want;
	} cases[] = {
		{ "docker", "a.io/x:1", 0 },
		{ "docker", "a.io/bad:1", -EACCES },
		{ "docker", "a.io/bad/x:1", -EACCES },
		{ "docker", "a.io/bad/good:1", 0 },
		{ "docker", "a.io/bad/good:2", -EACCES },
		{ "docker", "a.io/bad/good:1@sha256:00", 0 },
		{ "docker", "h:5000/x:1", 0 },
		{ "docker", "h:5001/x:1", -EACCES },
		{ "docker", "x.wild.io/y:1", 0 },
		{ "docker", "x.not.wild.io/y:1", -EACCES },
		{ "docker", "wild.io/y:1", -EACCES },
		{ "docker", "signed.io/y:1", -EACCES },
		{ "docker", "empty.io/y:1", -EBADMSG },
		{ "oci", "/srv/images/a", 0 },
		{ "oci", "/srv/imagesx", -EACCES },
		{ "dir", "/srv/images/a", -EACCES },
	};
	auto_json *j = NULL;

	CHECK_INT(json_parse(text, strlen(text), "policy", &j, NULL), ==, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_INT(policy_decide(j, cases[i].transport, cases[i].scope, NULL), ==,
			cases[i].want);
}

TEST(a_policy_without_rules_allows_nothing)
{
	static const char *const texts[] = { "{}", "[]", "{\"default\":1}",
		"{\"default\":[{\"type\":\"new\"}]}", "{\"default\":[1]}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_json *j = NULL;

		CHECK_INT(json_parse(texts[i], strlen(texts[i]), "policy", &j, NULL), ==, 0);
		CHECK_INT(policy_decide(j, "docker", "a.io/x:1", NULL), <, 0);
	}
}
