/* SPDX-License-Identifier: Apache-2.0 */
#include "image/url.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

static struct url url(const char *text)
{
	struct url u = { 0 };

	if (url_parse(text, &u) < 0)
		test_fail(__FILE__, __LINE__, "'%s' does not parse", text);
	return u;
}

TEST(urls_are_taken_apart)
{
	static const struct {
		const char *text, *host;
		unsigned int port;
		int is_tls;
	} cases[] = {
		{ "https://A.io/x", "a.io", 443, 1 },
		{ "http://a.io", "a.io", 80, 0 },
		{ "HTTPS://a.io:5000?x=/@y", "a.io", 5000, 1 },
		{ "http://[::1]:80/x", "::1", 80, 0 },
		{ "https://[fe80::1]", "fe80::1", 443, 1 },
		{ "https://a.io#f:1", "a.io", 443, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct url u = url(cases[i].text);

		CHECK_STR(u.host, cases[i].host);
		CHECK_INT(u.port, ==, cases[i].port);
		CHECK_INT(u.is_tls, ==, cases[i].is_tls);
	}
}

TEST(other_urls_are_refused)
{
	static const char *const bad[] = { "", "a.io", "//a.io", "ftp://a.io/",
		"file:///etc/passwd", "https://", "https:///x", "https://u@a.io/",
		"https://u:p@a.io/", "https://a.io:/", "https://a.io:0/", "https://a.io:65536/",
		"https://a.io:80x/", "https://a b/", "https://a\\b/", "https://[::1",
		"https://[::1]x", "https://a.io\n/" };
	struct url u;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (url_parse(bad[i], &u) != -EINVAL)
			test_fail(__FILE__, __LINE__, "'%s' parses", bad[i]);
}

TEST(loopback_is_known)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "http://localhost:5000/", 1 },
		{ "http://x.localhost/", 1 },
		{ "http://127.0.0.1/", 1 },
		{ "http://127.255.0.9/", 1 },
		{ "http://[::1]/", 1 },
		{ "http://128.0.0.1/", 0 },
		{ "http://localhost.evil.io/", 0 },
		{ "http://127.0.0.1.evil.io/", 0 },
		{ "http://[::2]/", 0 },
		{ "http://169.254.169.254/", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct url u = url(cases[i].text);

		CHECK_INT(url_is_loopback(&u), ==, cases[i].want);
	}
}

TEST(redirects_never_lose_tls)
{
	static const struct {
		const char *from, *to;
		int plain, want;
	} cases[] = {
		{ "https://a.io/", "https://b.io/", 0, 1 },
		{ "https://a.io/", "http://a.io/", 0, 0 },
		{ "https://a.io/", "http://a.io/", 1, 0 },
		{ "https://a.io/", "http://127.0.0.1/", 1, 0 },
		{ "http://127.0.0.1/", "http://localhost:9/", 0, 1 },
		{ "http://127.0.0.1/", "http://a.io/", 0, 0 },
		{ "http://a.io/", "http://b.io/", 1, 1 },
		{ "http://a.io/", "https://b.io/", 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct url from = url(cases[i].from), to = url(cases[i].to);

		CHECK_INT(url_may_follow(&from, &to, cases[i].plain), ==, cases[i].want);
	}
}

TEST(credentials_stay_in_the_family)
{
	static const struct {
		const char *registry, *realm;
		int want;
	} cases[] = {
		{ "https://registry-1.docker.io/", "https://auth.docker.io/token", 1 },
		{ "https://registry.gitlab.com/", "https://gitlab.com/jwt/auth", 1 },
		{ "https://ghcr.io/", "https://ghcr.io/token", 1 },
		{ "https://ghcr.io/", "https://auth.ghcr.io/token", 1 },
		{ "https://ghcr.io:8443/", "https://ghcr.io/token", 1 },
		{ "https://ghcr.io/", "https://evil.io/token", 0 },
		{ "https://ghcr.io/", "https://xghcr.io/token", 0 },
		{ "https://ghcr.io/", "http://ghcr.io/token", 0 },
		{ "https://localhost/", "http://localhost/token", 0 },
		{ "http://localhost/", "http://localhost:81/token", 1 },
		{ "http://a.b.io/", "http://a.b.io/token", 0 },
		{ "https://10.0.0.1/", "https://10.0.0.1/token", 1 },
		{ "https://10.0.0.1/", "https://9.0.0.1/token", 0 },
		{ "https://registry/", "https://auth.registry/", 0 },
		{ "https://a.docker.io/", "https://docker.io.evil.io/", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct url registry = url(cases[i].registry), realm = url(cases[i].realm);

		if (url_may_hold_credentials(&registry, &realm) != cases[i].want)
			test_fail(
				__FILE__, __LINE__, "%s and %s", cases[i].registry, cases[i].realm);
	}
}

TEST(queries_are_escaped)
{
	auto_free char *s = url_escape("a b&c=/~x:\xff");

	CHECK_STR(s, "a%20b%26c%3D%2F~x%3A%FF");
}
