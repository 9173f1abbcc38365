/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/detach.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

/* Feeds it byte for byte; @want: what the container gets. */
static bool feed(struct detach *d, const char *in, const char *want)
{
	char out[256];
	size_t n = 0;
	bool left = false;

	for (; *in && !left; in++) {
		char part[1 + LIMIT_DETACH_KEYS];
		size_t len = 0;

		left = detach_feed(d, in, 1, part, &len);
		memcpy(out + n, part, len);
		n += len;
	}
	out[n] = '\0';
	CHECK_STR(out, want);
	return left;
}

TEST(keys_as_they_are_typed)
{
	struct detach d;

	CHECK_INT(detach_parse(DETACH_DEFAULT, &d, NULL), ==, 0);
	CHECK_INT(d.n, ==, 2);
	CHECK_INT(d.keys[0], ==, 0x10);
	CHECK_INT(d.keys[1], ==, 0x11);
	CHECK_INT(detach_parse("", &d, NULL), ==, 0);
	CHECK_INT(d.n, ==, 0);
	CHECK_INT(detach_parse("a,ctrl-[,b", &d, NULL), ==, 0);
	CHECK_INT(d.n, ==, 3);
	CHECK_INT(d.keys[1], ==, 0x1b);
	CHECK_INT(detach_parse("ctrl-1", &d, NULL), ==, -EINVAL);
	CHECK_INT(detach_parse("ab", &d, NULL), ==, -EINVAL);
	CHECK_INT(detach_parse("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", &d, NULL), ==, -EINVAL);
}

TEST(keys_leave_and_everything_else_is_input)
{
	struct detach d;

	(void)detach_parse("ctrl-p,ctrl-q", &d, NULL);
	CHECK(feed(&d, "ls\n\x10\x11rest", "ls\n"));
	CHECK(!feed(&d, "a\x10z\x10\x10", "a\x10z\x10"));
	CHECK(feed(&d, "\x11", ""));
	CHECK(!feed(&d, "\x11\x11", "\x11\x11"));
}

TEST(a_beginning_within_a_beginning_is_found)
{
	struct detach d;

	(void)detach_parse("a,a,b", &d, NULL);
	CHECK(feed(&d, "aaab", "a"));
	CHECK(feed(&d, "acaab", "ac"));
	(void)detach_parse("a,b,a,b,c", &d, NULL);
	CHECK(feed(&d, "abababc", "ab"));
}

TEST(many_bytes_at_once)
{
	struct detach d;
	char out[64 + LIMIT_DETACH_KEYS];
	size_t len = 0;

	(void)detach_parse("ctrl-p,ctrl-q", &d, NULL);
	CHECK(!detach_feed(&d, "xy\x10", 3, out, &len));
	CHECK_INT(len, ==, 2);
	CHECK(!detach_feed(&d, "z\x10", 2, out, &len));
	CHECK_INT(len, ==, 2);
	CHECK(out[0] == 0x10 && out[1] == 'z');
	CHECK(detach_feed(&d, "\x11 more", 6, out, &len));
	CHECK_INT(len, ==, 0);
}
