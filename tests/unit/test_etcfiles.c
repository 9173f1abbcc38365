/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/etcfiles.h"
#include "tests/unit/test.h"

#include <errno.h>

static const char host_resolv[] = "# made by somebody\n"
				  "nameserver 127.0.0.53\n"
				  "nameserver 192.0.2.1\n"
				  "search example.org\n"
				  "options edns0";

static void check_resolv(struct etcfiles *e, const char *want)
{
	auto_buf b = { 0 };

	CHECK_INT(etc_make_resolv(e, host_resolv, &b), ==, 0);
	CHECK_STR(b.data, want);
}

TEST(servers_are_those_that_the_container_reaches)
{
	struct net_plan plan = { .dns_text = "10.0.2.3", .dns6_text = "fd00::3" };
	struct etcfiles e = { .network = ETC_NET_SLIRP, .plan = &plan };
	struct strv dns = { 0 };

	check_resolv(&e, "search example.org\nnameserver 10.0.2.3\noptions edns0\n");
	plan.ipv6 = true;
	check_resolv(&e, "search example.org\nnameserver 10.0.2.3\nnameserver fd00::3\n"
			 "options edns0\n");
	CHECK_INT(strv_add(&dns, "9.9.9.9"), ==, 0);
	e.dns = &dns;
	check_resolv(&e, "search example.org\nnameserver 9.9.9.9\noptions edns0\n");
	strv_done(&dns);
	e.dns = NULL;
	e.no_dns_server = true; /* then those of the host that can be reached */
	check_resolv(&e, "search example.org\nnameserver 192.0.2.1\noptions edns0\n");
	e = (struct etcfiles){ .network = ETC_NET_HOST };
	check_resolv(&e, "search example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n"
			 "options edns0\n");
	e.network = ETC_NET_NONE;
	check_resolv(&e, "search example.org\nnameserver 192.0.2.1\noptions edns0\n");
}

TEST(hosts_name_the_container_and_the_host)
{
	struct net_plan plan = { .guest_text = "10.0.2.100" };
	struct etcfiles e = { .network = ETC_NET_SLIRP,
		.plan = &plan,
		.hostname = "h",
		.name = "web",
		.host_addr = "192.0.2.7" };
	struct strv add = { 0 };
	auto_buf b = { 0 };

	CHECK_INT(strv_add(&add, "db:10.1.1.1"), ==, 0);
	CHECK_INT(strv_add(&add, "six:fd00::1"), ==, 0);
	e.add_hosts = &add;
	CHECK_INT(etc_make_hosts(&e, &b, NULL), ==, 0);
	CHECK_STR(b.data, "10.1.1.1\tdb\nfd00::1\tsix\n"
			  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
			  "10.0.2.100\th web\n"
			  "192.0.2.7\thost.containers.internal host.docker.internal\n");
	strv_done(&add);
}

TEST(hosts_say_why_the_host_is_out_of_reach)
{
	struct etcfiles e = { .hostname = "h", .name = "h", .host_loopback_closed = true };
	auto_buf b = { 0 };

	CHECK_INT(etc_make_hosts(&e, &b, NULL), ==, 0);
	CHECK(strstr(b.data, "no address but its loopback;\n# '--network slirp:allow_host_l"));
	e.host_addr = "192.0.2.7";
	b.len = 0;
	CHECK_INT(etc_make_hosts(&e, &b, NULL), ==, 0);
	CHECK(strstr(b.data, "# host.containers.internal: reaches what listens on the host's own"));
}

TEST(a_host_line_cannot_smuggle_in_another)
{
	static const char *const bad[] = { "a", "a:", ":1.2.3.4", "a:b", "a\n9.9.9.9 b:1.2.3.4",
		"a b:1.2.3.4", "a:1.2.3.4\n" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct strv add = { 0 };
		struct etcfiles e = { .hostname = "h", .name = "h", .add_hosts = &add };
		auto_buf b = { 0 };

		CHECK_INT(strv_add(&add, bad[i]), ==, 0);
		CHECK_INT(etc_make_hosts(&e, &b, NULL), ==, -EINVAL);
		strv_done(&add);
	}
}
