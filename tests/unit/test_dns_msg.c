/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/dns_msg.h"
#include "runtime/dns_names.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>

/* id 0x1234, RD, one question: WEB.example A IN */
static const uint8_t query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
			       "\x03WEB\x07"
			       "example\x00\x00\x01\x00\x01";
enum { QUERY_LEN = sizeof(query) - 1, AT_TYPE = QUERY_LEN - 3 };

static struct dns_question parsed(const uint8_t *msg, size_t len, int want)
{
	struct dns_question q;

	CHECK_INT(dns_parse_query(msg, len, &q), ==, want);
	return q;
}

TEST(a_question_is_read)
{
	struct dns_question q = parsed(query, QUERY_LEN, 0);
	struct dns_name name;

	CHECK_INT(q.id, ==, 0x1234);
	CHECK_INT(q.type, ==, DNS_A);
	CHECK_INT(q.end, ==, QUERY_LEN);
	CHECK_INT(dns_name_from_text("web.Example.", &name), ==, 0);
	CHECK(dns_name_equal(&q.name, &name));
}

TEST(what_is_no_question_is_told_apart)
{
	uint8_t msg[sizeof(query)];

	for (size_t len = 0; len < QUERY_LEN; len++)
		parsed(query, len, len < DNS_HEADER_LEN ? -EBADMSG : -EINVAL);
	memcpy(msg, query, sizeof(msg));
	msg[2] |= 0x80; /* an answer */
	parsed(msg, QUERY_LEN, -EBADMSG);
	msg[2] = 0x28; /* a change of a zone */
	parsed(msg, QUERY_LEN, -EOPNOTSUPP);
	memcpy(msg, query, sizeof(msg));
	msg[5] = 2; /* two questions */
	parsed(msg, QUERY_LEN, -EINVAL);
	memcpy(msg, query, sizeof(msg));
	msg[12] = 0xc0; /* a pointer, to itself */
	msg[13] = 12;
	parsed(msg, QUERY_LEN, -EINVAL);
}

TEST(a_name_has_at_most_255_bytes)
{
	uint8_t msg[DNS_HEADER_LEN + 260] = { [5] = 1 };
	size_t at = DNS_HEADER_LEN;

	for (int i = 0; i < 3; i++, at += 64)
		msg[at] = 63;
	msg[at] = 61; /* 3 * 64 + 62 + the root: 255 */
	parsed(msg, sizeof(msg), 0);
	msg[at] = 62;
	parsed(msg, sizeof(msg), -EINVAL);
}

TEST(an_answer_belongs_to_its_question)
{
	struct dns_question q = parsed(query, QUERY_LEN, 0);
	struct dns_reply r;

	dns_reply_begin(&r, query, &q, DNS_NXDOMAIN);
	CHECK(dns_is_answer(&q, 0x1234, r.msg, r.len));
	CHECK_INT(dns_rcode_of(r.msg), ==, DNS_NXDOMAIN);
	CHECK(!dns_is_answer(&q, 0x1235, r.msg, r.len));
	CHECK(!dns_is_answer(&q, 0x1234, query, QUERY_LEN)); /* an echo */
	CHECK(!dns_is_answer(&q, 0x1234, r.msg, r.len - 1));
	r.msg[13] = 'w'; /* letters of either case are the same */
	CHECK(dns_is_answer(&q, 0x1234, r.msg, r.len));
	r.msg[13] = 'x';
	CHECK(!dns_is_answer(&q, 0x1234, r.msg, r.len));
	dns_reply_begin(&r, query, &q, DNS_FORMERR);
	r.msg[5] = 0; /* a server that repeats no question */
	CHECK(dns_is_answer(&q, 0x1234, r.msg, DNS_HEADER_LEN));
}

TEST(texts_that_are_no_names)
{
	static const char *const bad[] = { "", ".", "a..b", ".a",
		"a23456789012345678901234567890123456789012345678901234567890abcd" };
	struct dns_name name;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(dns_name_from_text(bad[i], &name), ==, -EINVAL);
}

TEST(names_of_addresses)
{
	struct dns_name a, b;
	uint8_t addr[16];

	(void)inet_pton(AF_INET, "10.0.2.100", addr);
	dns_name_of_address(AF_INET, addr, &a);
	CHECK_INT(dns_name_from_text("100.2.0.10.in-addr.arpa", &b), ==, 0);
	CHECK(dns_name_equal(&a, &b));
	(void)inet_pton(AF_INET6, "fd00::1f", addr);
	dns_name_of_address(AF_INET6, addr, &a);
	CHECK_INT(dns_name_from_text("f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				     "d.f.ip6.arpa",
			  &b),
		==, 0);
	CHECK(dns_name_equal(&a, &b));
}

/* ---- names of the network's own ---- */

static const char hosts[] = "# containers\n"
			    "10.89.0.2\tweb.example web WWW  # the first\n"
			    "fd01::2 web\n"
			    "10.89.0.3 web\n"
			    "not-an-address web\n"
			    "10.89.0.4 bad..name db\n";

static int ask(const struct dns_names *names, const char *name, enum dns_type type)
{
	uint8_t msg[DNS_HEADER_LEN + LIMIT_DNS_NAME + 4] = { [5] = 1 };
	struct dns_question q;
	struct dns_reply r;
	struct dns_name n;

	CHECK_INT(dns_name_from_text(name, &n), ==, 0);
	memcpy(msg + DNS_HEADER_LEN, n.wire, n.len);
	msg[DNS_HEADER_LEN + n.len + 1] = (uint8_t)type;
	msg[DNS_HEADER_LEN + n.len + 3] = 1;
	CHECK_INT(dns_parse_query(msg, DNS_HEADER_LEN + n.len + 4, &q), ==, 0);
	if (!dns_names_answer(names, msg, &q, &r))
		return -1;
	CHECK(dns_is_answer(&q, 0, r.msg, r.len));
	CHECK_INT(dns_rcode_of(r.msg), ==, DNS_NOERROR);
	return r.msg[7];
}

TEST(a_network_knows_its_names)
{
	struct dns_names names = { 0 };

	CHECK_INT(dns_names_parse(hosts, sizeof(hosts) - 1, &names), ==, 0);
	CHECK_INT(ask(&names, "web", DNS_A), ==, 2);
	CHECK_INT(ask(&names, "web", DNS_AAAA), ==, 1);
	CHECK_INT(ask(&names, "web", DNS_ANY), ==, 3);
	CHECK_INT(ask(&names, "www", DNS_A), ==, 1);
	CHECK_INT(ask(&names, "www", DNS_AAAA), ==, 0); /* known, but none of that kind */
	CHECK_INT(ask(&names, "db", DNS_A), ==, 1);
	CHECK_INT(ask(&names, "2.0.89.10.in-addr.arpa", DNS_PTR), ==, 1);
	CHECK_INT(ask(&names, "9.0.89.10.in-addr.arpa", DNS_PTR), ==, -1);
	CHECK_INT(ask(&names, "other", DNS_A), ==, -1);
	dns_names_done(&names);
	CHECK_INT(ask(&names, "web", DNS_A), ==, -1);
}

TEST(a_network_has_so_many_names_and_no_more)
{
	static char text[(LIMIT_DNS_NAMES + 1) * sizeof("10.0.0.1 a\n")];
	struct dns_names names = { 0 };
	size_t len = 0;

	for (int i = 0; i < LIMIT_DNS_NAMES; i++, len += 11)
		memcpy(text + len, "10.0.0.1 a\n", 11);
	CHECK_INT(dns_names_parse(text, len, &names), ==, 0);
	CHECK_INT(ask(&names, "a", DNS_A), ==, LIMIT_DNS_ADDRESSES);
	dns_names_done(&names);
	memcpy(text + len, "10.0.0.1 a\n", 11);
	CHECK_INT(dns_names_parse(text, len + 11, &names), ==, -E2BIG);
}
