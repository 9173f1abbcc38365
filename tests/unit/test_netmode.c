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
	static const char *const bad[] = { "", "nat", "none:mtu=1", "slirp:", "slirp:mtu",
		"slirp:mtu=x", "slirp:mtu=70000", "slirp:enable_ipv6=yes", "slirp:what=1",
		"slirp:port_handler=magic", "host:" };
	struct netmode m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(netmode_parse(bad[i], &m, NULL), ==, -EINVAL);
}
