/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_join.h"
#include "tests/helpers/frames.h"

#include <netinet/in.h>
#include <string.h>

enum { T_PSH = 8 };

static struct net_join join;
static struct test_frame f;
static struct net_pkt pkt;

static void make(const char *src, const char *dst, uint8_t flags, uint32_t seq, size_t payload)
{
	const struct test_packet t = { .src = src,
		.dst = dst,
		.proto = IPPROTO_TCP,
		.sport = 80,
		.dport = 40000,
		.tcp_flags = flags,
		.payload = payload };

	test_frame_make(&f, &t);
	CHECK_INT(net_pkt_parse(f.bytes, f.len, &pkt), ==, 0);
	net_put16(f.bytes + pkt.l4 + 4, (uint16_t)(seq >> 16));
	net_put16(f.bytes + pkt.l4 + 6, (uint16_t)seq);
}

static void make4(uint8_t flags, uint32_t seq, size_t payload)
{
	make("192.0.2.1", "10.0.2.100", flags, seq, payload);
}

static bool add(size_t *at, size_t *len)
{
	return net_join_add(&join, f.bytes, &pkt, at, len);
}

static void check_joins(const char *src, const char *dst, uint32_t seq)
{
	size_t at, len, held;

	make(src, dst, T_ACK, seq, NET_JOIN_MSS);
	CHECK(net_join_may_wait(f.bytes, &pkt));
	net_join_hold(&join, f.bytes, f.len, &pkt);
	held = join.len;
	make(src, dst, T_ACK | T_PSH, seq + NET_JOIN_MSS, NET_JOIN_MSS);
	CHECK(add(&at, &len));
	CHECK_INT(len, ==, NET_JOIN_MSS);
	CHECK_INT(at + len, ==, f.len);
	CHECK_INT(join.len, ==, held);
	CHECK_INT(join.frame[pkt.l4 + 13], ==, T_ACK | T_PSH);
	/* The header is that of a frame of both. */
	memcpy(join.frame + join.len, f.bytes + at, len);
	CHECK_INT(net_pkt_parse(join.frame, join.len + len, &pkt), ==, 0);
	CHECK_INT(pkt.end, ==, join.len + len);
	CHECK_INT(join.pkt.end, ==, pkt.end);
	if (pkt.version == 4)
		CHECK_INT(net_csum(0, join.frame + NET_ETH_LEN, 20), ==, 0xffff);
}

TEST(two_segments_become_a_frame)
{
	check_joins("192.0.2.1", "10.0.2.100", 1000);
	check_joins("2001:db8::1", "fd00::100", 1000);
	check_joins("192.0.2.1", "10.0.2.100", UINT32_MAX - 5); /* over the end of numbers */
}

TEST(what_says_more_than_data_does_not_wait)
{
	static const uint8_t flags[] = { T_ACK | T_PSH, T_ACK | T_FIN, T_SYN, T_RST,
		T_SYN | T_ACK };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		make4(flags[i], 0, NET_JOIN_MSS);
		CHECK(!net_join_may_wait(f.bytes, &pkt));
	}
	make4(T_ACK, 0, NET_JOIN_MIN - 1);
	CHECK(!net_join_may_wait(f.bytes, &pkt));
}

TEST(only_what_follows_is_joined)
{
	size_t at, len;

	join.len = 0;
	make4(T_ACK, 1000, NET_JOIN_MSS);
	CHECK(!add(&at, &len));
	net_join_hold(&join, f.bytes, f.len, &pkt);
	make4(T_ACK, 1000, NET_JOIN_MSS); /* again */
	CHECK(!add(&at, &len));
	make4(T_ACK, 1001 + NET_JOIN_MSS, 100); /* a gap */
	CHECK(!add(&at, &len));
	make4(T_RST | T_ACK, 1000 + NET_JOIN_MSS, 100);
	CHECK(!add(&at, &len));
	make4(T_ACK, 1000 + NET_JOIN_MSS, 0); /* no data */
	CHECK(!add(&at, &len));
	make4(T_ACK, 1000 + NET_JOIN_MSS, 100);
	net_put16(f.bytes + pkt.l4 + 14, 1); /* another window */
	CHECK(!add(&at, &len));
	make4(T_ACK, 1000 + NET_JOIN_MSS, 100);
	net_put16(f.bytes + pkt.l4 + 2, 1); /* another port */
	CHECK(!add(&at, &len));
	make("192.0.2.2", "10.0.2.100", T_ACK, 1000 + NET_JOIN_MSS, 100);
	CHECK(!add(&at, &len));
	make("2001:db8::1", "fd00::100", T_ACK, 1000 + NET_JOIN_MSS, 100);
	CHECK(!add(&at, &len));
	make4(T_ACK, 1000 + NET_JOIN_MSS, NET_JOIN_MSS + 80); /* too long for one frame */
	CHECK(!add(&at, &len));
	make4(T_ACK | T_FIN, 1000 + NET_JOIN_MSS, 100);
	CHECK(add(&at, &len));
	CHECK_INT(join.frame[pkt.l4 + 13], ==, T_ACK | T_FIN);
}
