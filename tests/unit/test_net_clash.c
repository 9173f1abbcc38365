/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_clash.h"

#include "base/cleanup.h"

static struct net_range ranges[LIMIT_NET_RANGES];

TEST(routes_are_read)
{
	static const char text[] = "Iface\tDestination\tGateway "
				   "\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
				   "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
				   "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
				   "nonsense\n\n"
				   "tun0\t0000000A\t00000000\t0001\t0\t0\t50\t000000FF\t0\t0\t0";

	CHECK_INT(net_clash_parse_routes(text, ranges), ==, 2);
	CHECK_INT(ranges[0].network, ==, 0xc0000200);
	CHECK_INT(ranges[0].mask, ==, 0xffffff00);
	CHECK_INT(ranges[1].network, ==, 0x0a000000);
	CHECK_INT(ranges[1].mask, ==, 0xff000000);
	CHECK_INT(net_clash_parse_routes("", ranges), ==, 0);
}

TEST(a_network_that_nobody_has)
{
	static const struct {
		struct net_range taken;
		const char *want;
	} cases[] = {
		{ { 0xc0000200, 0xffffff00 }, "10.0.2.0/24" },
		{ { 0x0a000200, 0xffffff00 }, "10.213.2.0/24" },
		{ { 0x0a000264, 0xffffffff }, "10.213.2.0/24" }, /* one host in it */
		{ { 0x0a000000, 0xffff0000 }, "10.213.2.0/24" },
		{ { 0x0a000000, 0xff000000 }, "172.29.2.0/24" },
		{ { 0x80000000, 0x80000000 }, "10.0.2.0/24" }, /* half the world */
		{ { 0x00000000, 0x80000000 }, "172.29.2.0/24" }, /* the other half */
	};
	static const struct net_range all[] = { { 0, 0x80000000 }, { 0x80000000, 0x80000000 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(net_clash_pick(&cases[i].taken, 1), cases[i].want);
	CHECK_STR(net_clash_pick(NULL, 0), "10.0.2.0/24");
	CHECK_STR(net_clash_pick(all, 2), "10.0.2.0/24");
}
