/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_reass.h"
#include "tests/helpers/frames.h"

#include "base/cleanup.h"

#include <netinet/in.h>

static struct net_reass r;
static struct test_frame whole;
static struct net_pkt whole_pkt;
static uint8_t *got;

static void begin(size_t payload)
{
	struct test_packet tp = { .src = "10.0.2.100",
		.dst = "192.0.2.7",
		.proto = IPPROTO_UDP,
		.sport = 1,
		.dport = 2,
		.payload = payload };

	memset(&r, 0, sizeof(r));
	test_frame_make(&whole, &tp);
	CHECK_INT(net_pkt_parse(whole.bytes, whole.len, &whole_pkt), ==, 0);
}

/* Fragment @i of packet @id, in packets of @mtu; what comes out */
static size_t give(size_t i, size_t mtu, uint32_t id, int64_t now_ms)
{
	static uint8_t frame[LIMIT_NET_FRAME];
	struct net_out o;
	struct net_pkt p;

	if (net_out_fragment(whole.bytes, &whole_pkt, mtu, id, i, &o) <= 0)
		return 0;
	memcpy(frame, o.head, o.head_len);
	memcpy(frame + o.head_len, whole.bytes + o.rest, o.rest_len);
	CHECK_INT(net_pkt_parse(frame, o.head_len + o.rest_len, &p), ==, 0);
	CHECK(p.fragment);
	return net_reass_input(&r, frame, &p, now_ms, &got);
}

static void check_whole(size_t len)
{
	CHECK_INT(len, ==, whole.len);
	if (len != whole.len)
		return;
	CHECK(test_frame_is_right(got, len));
	CHECK_INT(
		memcmp(got + whole_pkt.l4, whole.bytes + whole_pkt.l4, len - whole_pkt.l4), ==, 0);
}

TEST(fragments_in_any_order)
{
	static const size_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		begin(4000);
		CHECK_INT(give(orders[i][0], 1500, 7, 0), ==, 0);
		CHECK_INT(give(orders[i][1], 1500, 7, 0), ==, 0);
		check_whole(give(orders[i][2], 1500, 7, 0));
		CHECK_INT(give(orders[i][2], 1500, 7, 0), ==, 0); /* it is gone: this is another */
	}
}

TEST(the_longest_packet)
{
	size_t len = 0;

	begin(65507);
	for (size_t i = 0; len == 0 && i < 200; i++)
		len = give(i, 576, 7, 0);
	check_whole(len);
}

TEST(packets_do_not_mix)
{
	begin(2000);
	CHECK_INT(give(0, 1500, 7, 0), ==, 0);
	CHECK_INT(give(1, 1500, 8, 0), ==, 0);
	check_whole(give(0, 1500, 8, 0));
	check_whole(give(1, 1500, 7, 0));
}

TEST(a_fragment_twice_is_one)
{
	begin(2000);
	CHECK_INT(give(0, 1500, 7, 0), ==, 0);
	CHECK_INT(give(0, 1500, 7, 0), ==, 0);
	check_whole(give(1, 1500, 7, 0));
}

TEST(fragments_that_overlap_end_their_packet)
{
	begin(4000);
	CHECK_INT(give(0, 1500, 7, 0), ==, 0);
	CHECK_INT(give(1, 1028, 7, 0), ==, 0); /* 1008 to 2016: some of it came before */
	CHECK_INT(give(1, 1500, 7, 0), ==, 0);
	CHECK_INT(give(2, 1500, 7, 0), ==, 0);
	check_whole(give(0, 1500, 7, 0)); /* all three again, behind the end */
}

TEST(what_is_not_whole_in_time_is_given_up)
{
	begin(2000);
	CHECK_INT(give(0, 1500, 7, 0), ==, 0);
	CHECK_INT(give(1, 1500, 7, NET_REASS_MS + 1), ==, 0);
	check_whole(give(0, 1500, 7, NET_REASS_MS + 2));
}

TEST(the_oldest_packet_makes_room)
{
	begin(2000);
	for (uint32_t id = 0; id <= NET_REASS_SLOTS; id++)
		CHECK_INT(give(0, 1500, id, id), ==, 0);
	CHECK_INT(give(1, 1500, 0, 100), ==, 0); /* forgotten; it takes the place of 1 */
	check_whole(give(1, 1500, NET_REASS_SLOTS, 100));
}
