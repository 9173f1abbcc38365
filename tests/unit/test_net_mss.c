/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_mss.h"
#include "tests/helpers/frames.h"

#include <netinet/in.h>

static struct test_frame f;
static struct net_mss m;

/* The container's end of a connection says how long its segments may be; 0: it says nothing. */
static void guest_says(uint16_t guest_port, uint16_t mss, uint8_t flags)
{
	uint8_t options[4] = { 2, 4, (uint8_t)(mss >> 8), (uint8_t)mss };
	struct test_packet tp = { .src = "10.0.2.100",
		.dst = "192.0.2.7",
		.proto = IPPROTO_TCP,
		.sport = guest_port,
		.dport = 80,
		.tcp_flags = flags,
		.tcp_options = options,
		.n_options = mss ? 4 : 0 };
	struct net_pkt p;

	test_frame_make(&f, &tp);
	CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
	net_mss_from_guest(&m, f.bytes, &p, false);
}

static size_t mss_towards(uint16_t guest_port)
{
	struct test_packet tp = { .src = "192.0.2.7",
		.dst = "10.0.2.100",
		.proto = IPPROTO_TCP,
		.sport = 80,
		.dport = guest_port,
		.tcp_flags = T_ACK };
	static struct test_frame out;
	struct net_pkt p;

	test_frame_make(&out, &tp);
	CHECK_INT(net_pkt_parse(out.bytes, out.len, &p), ==, 0);
	return net_mss_to_guest(&m, out.bytes, &p);
}

static void reset(void)
{
	memset(&m, 0, sizeof(m));
	m.mtu = 1500;
}

TEST(most_connections_take_what_the_mtu_allows)
{
	reset();
	guest_says(1000, 1460, T_SYN);
	CHECK_INT(m.n_flows, ==, 0);
	CHECK_INT(mss_towards(1000), ==, 1460);
	guest_says(1000, 8960, T_SYN); /* a longer MTU inside is no reason to exceed ours */
	CHECK_INT(mss_towards(1000), ==, 1460);
}

TEST(a_smaller_offer_is_kept_until_the_next)
{
	reset();
	guest_says(1000, 1360, T_SYN);
	CHECK_INT(mss_towards(1000), ==, 1360);
	CHECK_INT(mss_towards(1001), ==, 1460);
	guest_says(1000, 536, T_ACK); /* not a SYN */
	CHECK_INT(mss_towards(1000), ==, 1360);
	guest_says(1000, 1460, T_SYN); /* the port is used again */
	CHECK_INT(mss_towards(1000), ==, 1460);
	CHECK_INT(m.n_flows, ==, 0);
}

TEST(silence_means_the_smallest)
{
	reset();
	guest_says(1000, 0, T_SYN);
	CHECK_INT(mss_towards(1000), ==, 536);
	guest_says(1001, 1, T_SYN); /* nobody lives on segments of one byte */
	CHECK_INT(mss_towards(1001), ==, 48);
}

TEST(answers_to_forwarded_connections_are_raised_for_libslirp)
{
	uint16_t mss;

	reset();
	guest_says(1000, 1360, T_SYN | T_ACK);
	mss = net_get16(f.bytes + 34 + 20 + 2);
	CHECK_INT(mss, ==, 65495);
	CHECK(test_frame_is_right(f.bytes, f.len));
	CHECK_INT(mss_towards(1000), ==, 1360);
	guest_says(1000, 1360, T_SYN);
	CHECK_INT(net_get16(f.bytes + 34 + 20 + 2), ==, 1360);
}

TEST(options_at_odd_places_keep_the_checksum_right)
{
	static const uint8_t options[][8] = {
		{ 1, 2, 4, 0x05, 0x50, 1, 1, 1 }, /* NOP before: the value is at an odd offset */
		{ 3, 3, 7, 2, 4, 0x05, 0x50, 0 },
		{ 1, 1, 2, 4, 0x05, 0x50, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct test_packet tp = { .src = "10.0.2.100",
			.dst = "192.0.2.7",
			.proto = IPPROTO_TCP,
			.sport = 1000,
			.dport = 80,
			.tcp_flags = T_SYN | T_ACK,
			.tcp_options = options[i],
			.n_options = 8 };
		struct net_pkt p;

		reset();
		test_frame_make(&f, &tp);
		CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
		net_mss_from_guest(&m, f.bytes, &p, false);
		CHECK(test_frame_is_right(f.bytes, f.len));
		CHECK_INT(mss_towards(1000), ==, 0x0550);
	}
}

TEST(broken_options_are_no_offer)
{
	static const uint8_t options[][4] = {
		{ 2, 5, 1, 1 }, /* longer than the header */
		{ 2, 0, 1, 1 }, /* would loop */
		{ 0, 2, 4, 5 }, /* ended before */
		{ 8, 4, 1, 2 }, { 1, 1, 1, 2 }, /* cut off */
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct test_packet tp = { .src = "10.0.2.100",
			.dst = "192.0.2.7",
			.proto = IPPROTO_TCP,
			.sport = 1000,
			.dport = 80,
			.tcp_flags = T_SYN,
			.tcp_options = options[i],
			.n_options = 4 };
		struct net_pkt p;

		reset();
		test_frame_make(&f, &tp);
		CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
		net_mss_from_guest(&m, f.bytes, &p, false);
		CHECK_INT(mss_towards(1000), ==, 536);
	}
}

TEST(a_full_table_is_slower_but_never_wrong)
{
	size_t wrong = 0;

	reset();
	for (uint16_t port = 1; port <= 8 * NET_MSS_SLOTS / 4; port++)
		guest_says(port, port == 1 ? 900 : (uint16_t)(1000 + port % 100), T_SYN);
	CHECK(m.n_flows <= NET_MSS_SLOTS);
	for (uint16_t port = 1; port <= 8 * NET_MSS_SLOTS / 4; port++)
		wrong += mss_towards(port) > (port == 1 ? 900U : 1000U + port % 100);
	CHECK_INT(wrong, ==, 0);
	CHECK_INT(mss_towards(60000), ==, m.floor);
}
