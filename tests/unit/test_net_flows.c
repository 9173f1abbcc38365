/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_flows.h"
#include "tests/helpers/frames.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/* Of 4000 fds: 500 spare, 1000 for UDP, 2500 for TCP; three quarters for one address. */
enum { FDS = 4000, UDP = 1000, TCP = 2500 };

static struct net_flows *f;
static struct test_frame frame;
static struct net_pkt pkt;

static void make(const char *src, uint8_t proto, uint16_t sport, uint8_t flags)
{
	const bool v6 = strchr(src, ':');
	const struct test_packet t = { .src = src,
		.dst = v6 ? "2001:db8::1" : "192.0.2.1",
		.proto = proto,
		.sport = sport,
		.dport = 80,
		.tcp_flags = flags,
		.payload = 8 };

	test_frame_make(&frame, &t);
	if (proto == IPPROTO_ICMP)
		frame.bytes[NET_ETH_LEN + 20] = 8;
	CHECK_INT(net_pkt_parse(frame.bytes, frame.len, &pkt), ==, 0);
}

static bool admit(void)
{
	return net_flows_admit(f, frame.bytes, &pkt);
}

/* How many of these begin before one is dropped, at most @max */
static int fill(const char *src, uint8_t proto, int max, uint32_t *flows)
{
	int n = 0;

	for (; n < max; n++) {
		make(src, proto, (uint16_t)(1000 + n), T_SYN);
		if (!admit())
			break;
		flows[n] = net_flows_begin(f, frame.bytes, &pkt);
		CHECK(flows[n] != 0);
	}
	return n;
}

TEST(one_address_gets_three_quarters)
{
	static uint32_t flows[2 * TCP];
	int n;

	CHECK_INT(net_flows_new(FDS, &f), ==, 0);
	n = fill("10.0.2.100", IPPROTO_TCP, TCP, flows);
	CHECK_INT(n, ==, TCP * 3 / 4);
	n += fill("10.0.2.101", IPPROTO_TCP, TCP, flows + n);
	CHECK_INT(n, ==, TCP);
	/* What is no new connection passes. */
	make("10.0.2.100", IPPROTO_TCP, 1, T_ACK);
	CHECK(admit());
	make("10.0.2.101", IPPROTO_TCP, 1, T_SYN);
	CHECK(!admit());
	net_flows_end(f, flows[n - 1]);
	CHECK(admit());
	for (int i = 0; i < n - 1; i++)
		net_flows_end(f, flows[i]);
	net_flows_end(f, 0);
	CHECK_INT(fill("10.0.2.100", IPPROTO_TCP, TCP, flows), ==, TCP * 3 / 4);
	net_flows_free(f);
}

TEST(udp_ports_that_speak_go_on)
{
	static uint32_t flows[2 * UDP];
	int n;

	CHECK_INT(net_flows_new(FDS, &f), ==, 0);
	n = fill("10.0.2.100", IPPROTO_UDP, UDP, flows);
	CHECK_INT(n, ==, UDP * 3 / 4);
	n += fill("fd00::7", IPPROTO_UDP, UDP, flows + n);
	CHECK_INT(n, ==, UDP);
	make("10.0.2.100", IPPROTO_UDP, 1000, 0);
	CHECK(admit());
	make("fd00::7", IPPROTO_UDP, 1001, 0);
	CHECK(admit());
	make("10.0.2.102", IPPROTO_UDP, 1000, 0);
	CHECK(!admit());
	/* Each is found again and ends, in whatever order. */
	for (int i = 0; i < n; i += 2)
		net_flows_end(f, flows[i]);
	make("10.0.2.100", IPPROTO_UDP, 1001, 0);
	CHECK(admit());
	for (int i = 1; i < n; i += 2)
		net_flows_end(f, flows[i]);
	CHECK_INT(fill("10.0.2.100", IPPROTO_UDP, UDP, flows), ==, UDP * 3 / 4);
	net_flows_free(f);
}

TEST(pings_count_with_udp)
{
	static uint32_t flows[UDP];

	CHECK_INT(net_flows_new(FDS, &f), ==, 0);
	CHECK_INT(fill("10.0.2.100", IPPROTO_ICMP, UDP, flows), ==, UDP * 3 / 4);
	make("10.0.2.100", IPPROTO_UDP, 1000, 0);
	CHECK(!admit());
	net_flows_end(f, flows[7]);
	CHECK(admit());
	net_flows_free(f);
}

TEST(other_packets_are_no_flows)
{
	CHECK_INT(net_flows_new(8, &f), ==, 0);
	make("10.0.2.100", IPPROTO_IGMP, 0, 0);
	CHECK(admit());
	CHECK_INT(net_flows_begin(f, frame.bytes, &pkt), ==, 0);
	net_flows_free(f);
}
