/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/netmode.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(networks_and_their_options)
{
	struct netmode m;

	CHECK_INT(netmode_parse(NULL, &m, NULL), ==, 0);
	CHECK_INT(m.kind, ==, NETMODE_SLIRP);
	CHECK_INT(m.slirp.exit_fd, ==, -1);
	netmode_done(&m);
	CHECK_INT(netmode_parse("none", &m, NULL), ==, 0);
	CHECK_INT(m.kind, ==, NETMODE_NONE);
	netmode_done(&m);
	CHECK_INT(netmode_parse("host", &m, NULL), ==, 0);
	CHECK_INT(m.kind, ==, NETMODE_HOST);
	netmode_done(&m);
	CHECK_INT(netmode_parse("slirp4netns:allow_host_loopback=true,mtu=9000,cidr=10.9.0.0/24,"
				"enable_ipv6=true,port_handler=slirp4netns,outbound_addr=eth0",
			  &m, NULL),
		==, 0);
	CHECK(m.slirp.allow_host_loopback);
	CHECK(m.slirp.enable_ipv6);
	CHECK_INT(m.slirp.mtu, ==, 9000);
	CHECK_STR(m.slirp.cidr, "10.9.0.0/24");
	CHECK_STR(m.slirp.outbound_addr, "eth0");
	CHECK_INT(m.ports, ==, NETMODE_PORTS_SLIRP);
	netmode_done(&m);
	CHECK_INT(netmode_parse("slirp:port_handler=rootlesskit", &m, NULL), ==, 0);
	CHECK_INT(m.ports, ==, NETMODE_PORTS_SPLICE);
	netmode_done(&m);
	CHECK_INT(netmode_parse("slirp:dns=9.9.9.9,dns=::1,disable_dns=false", &m, NULL), ==, 0);
	CHECK_INT(m.slirp.n_dns, ==, 2);
	CHECK_STR(m.slirp.dns[1], "::1");
	CHECK(!m.slirp.disable_dns);
	netmode_done(&m);
}

TEST(what_is_not_known_is_refused)
{
	static const char *const bad[] = { "", "-nat", "a+", "a+a", "a:ip", "a:x=1", "a:alias=b c",
		"slirp+a", "ns:", "container:", "none:mtu=1", "slirp:", "slirp:mtu", "slirp:mtu=x",
		"slirp:mtu=70000", "slirp:enable_ipv6=yes", "slirp:what=1",
		"slirp:port_handler=magic", "host:" };
	struct netmode m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(netmode_parse(bad[i], &m, NULL), ==, -EINVAL);
}

TEST(named_networks)
{
	struct netmode m;

	CHECK_INT(netmode_parse("front:ip=10.89.0.9,mac=02:00:00:00:00:01,alias=www,alias=web+back",
			  &m, NULL),
		==, 0);
	CHECK_INT(m.kind, ==, NETMODE_NAMED);
	CHECK_INT(m.n_links, ==, 2);
	CHECK_STR(m.links[0].name, "front");
	CHECK_STR(m.links[0].ip, "10.89.0.9");
	CHECK_STR(m.links[0].mac, "02:00:00:00:00:01");
	CHECK_INT(m.links[0].n_aliases, ==, 2);
	CHECK_STR(m.links[0].aliases[1], "web");
	CHECK_STR(m.links[1].name, "back");
	CHECK(!m.links[1].ip);
	netmode_done(&m);
	CHECK_INT(netmode_parse("ns:/run/netns/a:b", &m, NULL), ==, 0);
	CHECK_STR(m.target, "/run/netns/a:b");
	netmode_done(&m);
}

TEST(options_become_one_text)
{
	char *front[] = { "front:ip=1.2.3.4", "back", NULL }, *www[] = { "www", NULL };
	const struct strv networks = { front, 2 }, aliases = { www, 1 }, none = { 0 };
	auto_free char *both = netmode_join(&networks, NULL, "02:00:00:00:00:01", &aliases, NULL);
	auto_free char *plain = netmode_join(&none, NULL, NULL, &none, NULL);

	CHECK_STR(both, "front:ip=1.2.3.4,mac=02:00:00:00:00:01,alias=www+back");
	CHECK_STR(plain, "slirp");
	CHECK(!netmode_join(&none, "1.2.3.4", NULL, &none, NULL));
}

static void check_text(char *take_text, const char *want)
{
	CHECK_STR(take_text, want);
	free(take_text);
}

TEST(networks_come_and_go)
{
	struct err err = ERR_INIT;

	check_text(netmode_with("front:ip=10.89.0.9", "back:alias=db", &err),
		"front:ip=10.89.0.9+back:alias=db");
	check_text(netmode_with("front", "front:alias=db", &err), NULL);
	check_text(netmode_with(NULL, "back", &err), NULL);
	check_text(netmode_with("none", "back", &err), NULL);
	check_text(netmode_without("a:ip=10.89.0.9+b+c:alias=x", "b", &err),
		"a:ip=10.89.0.9+c:alias=x");
	check_text(netmode_without("a:ip=10.89.0.9+b", "a", &err), "b");
	check_text(netmode_without("a:ip=10.89.0.9", "a", &err), NULL);
	check_text(netmode_without("ab+b", "a", &err), NULL);
	check_text(netmode_without(NULL, "a", &err), NULL);
}
