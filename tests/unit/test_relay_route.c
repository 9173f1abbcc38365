/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/relay_route.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <string.h>

static struct net_endpoint endpoint(const char *addr, uint16_t port)
{
	struct net_endpoint e = { 0 };

	if (inet_pton(AF_INET, addr, &e.in.sin_addr) == 1) {
		e.in.sin_family = AF_INET;
		e.len = sizeof(e.in);
	} else {
		CHECK_INT(inet_pton(AF_INET6, addr, &e.in6.sin6_addr), ==, 1);
		e.in6.sin6_family = AF_INET6;
		e.len = sizeof(e.in6);
	}
	relay_set_port(&e, port);
	return e;
}

TEST(servers_see_the_client_or_the_gateway)
{
	static const struct {
		const char *client, *guest, *seen_as;
	} cases[] = {
		{ "192.0.2.9", "10.0.2.100", "192.0.2.9" },
		{ "10.0.2.100", "10.0.2.100", "10.0.2.100" },
		{ "127.0.0.1", "10.0.2.100", "10.0.2.2" },
		{ "127.255.0.9", "127.0.0.1", "10.0.2.2" }, /* never the server's own loopback */
		{ "0.0.0.0", "10.0.2.100", "10.0.2.2" },
		{ "224.0.0.1", "10.0.2.100", "10.0.2.2" },
		{ "255.255.255.255", "10.0.2.100", "10.0.2.2" },
		{ "2001:db8::9", "fd00::100", "2001:db8::9" },
		{ "2001:db8::9", "10.0.2.100", "10.0.2.2" },
		{ "192.0.2.9", "fd00::100", "fd00::2" },
		{ "::1", "fd00::100", "fd00::2" },
		{ "::", "fd00::100", "fd00::2" },
		{ "fe80::1", "fd00::100", "fd00::2" },
		{ "ff02::1", "fd00::100", "fd00::2" },
		{ "::ffff:127.0.0.1", "fd00::100", "fd00::2" },
	};
	struct net_slirp_opts opts = NET_SLIRP_OPTS_INIT;
	struct net_plan plan;

	CHECK_INT(net_plan_make(&opts, &plan, NULL), ==, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct net_endpoint client = endpoint(cases[i].client, 4711);
		struct net_endpoint guest = endpoint(cases[i].guest, 80);
		struct net_endpoint want = endpoint(cases[i].seen_as, 4711), got;

		relay_route(&plan, &guest, &client, &got);
		CHECK(relay_same_address(&got, &want));
		CHECK_INT(relay_port_of(&got), ==, 4711);
		CHECK_INT(got.len, ==, want.len);
	}
}
