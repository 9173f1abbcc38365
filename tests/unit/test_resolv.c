/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/resolv.h"
#include "tests/unit/test.h"

static void check(const char *data, size_t len, const char *want)
{
	auto_resolv rv = { 0 };
	auto_buf text = { 0 };

	CHECK_INT(resolv_parse(data, len, &rv), ==, 0);
	CHECK_INT(resolv_write(&rv, &text), ==, 0);
	CHECK_STR(text.data ? text.data : "", want);
}

TEST(files_of_hosts)
{
	static const char with_nul[] = "nameserver 1.1.1.1\nna\0me\nsearch x";
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "nameserver 1.2.3.4", "nameserver 1.2.3.4\n" },
		{ "# c\n; c\nnameserver\t 1.2.3.4 trailing\r\n", "nameserver 1.2.3.4\n" },
		{ "nameserver fe80::1%eth0\nnameserver ::1\n",
			"nameserver fe80::1%eth0\nnameserver ::1\n" },
		{ "nameserver host\nnameserver 1.2.3\nnameserver fe80::1%\nnameserver\n", "" },
		{ " nameserver 1.2.3.4\n", "" }, /* the keyword begins the line */
		{ "domain a\nsearch b  c\n", "search b c\n" },
		{ "search b c\ndomain a\n", "search a\n" },
		{ "options ndots:2\noptions edns0 trust-ad\nsortlist 1.2.3.4\n",
			"options ndots:2 edns0 trust-ad\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(cases[i].text, strlen(cases[i].text), cases[i].want);
	check(with_nul, sizeof(with_nul) - 1, "search x\nnameserver 1.1.1.1\n");
}

TEST(limits_drop_what_is_too_much)
{
	auto_buf text = { 0 };
	auto_resolv rv = { 0 };

	for (int i = 0; i <= LIMIT_RESOLV_SERVERS; i++)
		CHECK_INT(buf_printf(&text, "nameserver 10.0.0.%d\n", i), ==, 0);
	CHECK_INT(buf_add_str(&text, "search"), ==, 0);
	for (int i = 0; i <= LIMIT_RESOLV_WORDS; i++)
		CHECK_INT(buf_printf(&text, " d%d", i), ==, 0);
	CHECK_INT(buf_printf(&text, "\noptions %0300d ok\n", 0), ==, 0);
	CHECK_INT(resolv_parse(text.data, text.len, &rv), ==, 0);
	CHECK_INT(rv.servers.n, ==, LIMIT_RESOLV_SERVERS);
	CHECK_INT(rv.search.n, ==, LIMIT_RESOLV_WORDS);
	CHECK_INT(rv.options.n, ==, 1);
}

TEST(servers_that_only_the_host_reaches)
{
	CHECK(resolv_is_loopback("127.0.0.53"));
	CHECK(resolv_is_loopback("0.0.0.0"));
	CHECK(resolv_is_loopback("::1"));
	CHECK(!resolv_is_loopback("128.0.0.1"));
	CHECK(!resolv_is_loopback("fe80::1%lo"));
	CHECK(!resolv_is_loopback("x"));
}
