/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate, URLs and ranges: strings end, and no control character comes through. */
#include "image/authhdr.h"
#include "base/str.h"
#include "image/retry.h"
#include "image/url.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>

static void check_printable(const char *s, size_t room)
{
	assert(strnlen(s, room) < room);
	for (; *s; s++)
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free char *text = strndup((const char *)data, len);
	auto_free char *escaped = NULL;
	struct challenge c = { 0 };
	struct url u, home;

	if (!text)
		return 0;
	challenge_parse(text, &c);
	assert(c.scheme <= AUTH_BEARER);
	check_printable(c.realm, sizeof(c.realm));
	check_printable(c.service, sizeof(c.service));
	check_printable(c.scope, sizeof(c.scope));
	check_printable(c.error, sizeof(c.error));
	if (url_parse(text, &u) == 0) {
		check_printable(u.host, sizeof(u.host));
		assert(u.host[0] && u.port > 0 && u.port <= 65535);
		assert(url_same_origin(&u, &u) && url_may_follow(&u, &u, true));
		/* A realm elsewhere sees credentials over a private line alone. */
		if (url_parse("https://registry.example.org", &home) == 0 &&
			url_may_hold_credentials(&home, &u))
			assert(url_is_private_line(&u) && str_ends(u.host, "example.org"));
	}
	escaped = url_escape(text);
	assert(escaped && !strpbrk(escaped, "&?#=/ \r\n"));
	(void)retry_range_matches(text, 10, 20);
	assert(retry_delay_ms(1, 7, text, 0) <= RETRY_AFTER_CAP);
	return 0;
}
