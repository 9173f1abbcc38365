/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "tests/helpers/frames.h"

#include <netinet/in.h>
#include <stdlib.h>

static struct test_frame f, g;

static const struct test_packet tcp4 = { .src = "10.0.2.100",
	.dst = "192.0.2.7",
	.proto = IPPROTO_TCP,
	.sport = 40000,
	.dport = 80,
	.tcp_flags = T_ACK,
	.payload = 1000 };
static const struct test_packet udp4 = { .src = "10.0.2.100",
	.dst = "192.0.2.7",
	.proto = IPPROTO_UDP,
	.sport = 40000,
	.dport = 53,
	.payload = 1000 };

static struct test_packet with_addrs(struct test_packet p, const char *src, const char *dst)
{
	p.src = src;
	p.dst = dst;
	return p;
}

static struct test_packet to_v6(struct test_packet p)
{
	return with_addrs(p, "fd00::100", "2001:db8::7");
}

static struct net_pkt parse(const struct test_frame *t)
{
	struct net_pkt p;

	CHECK_INT(net_pkt_parse(t->bytes, t->len, &p), ==, 0);
	return p;
}

/* Leave the checksum to the other side, as a sending kernel does. */
static struct virtio_net_hdr leave_checksum(struct test_frame *t, const struct net_pkt *p)
{
	struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)p->l4,
		.csum_offset = p->proto == IPPROTO_TCP ? 16 : 6 };
	uint16_t pseudo = net_csum_pseudo(t->bytes, p, p->end - p->l4);

	memcpy(t->bytes + hdr.csum_start + hdr.csum_offset, &pseudo, 2);
	return hdr;
}

/* What a receiver's kernel makes of a header: cut, and finish the checksums. */
static size_t join_out(const struct net_out *o, const uint8_t *frame, uint8_t *to)
{
	memcpy(to, o->head, o->head_len);
	memcpy(to + o->head_len, frame + o->rest, o->rest_len);
	return o->head_len + o->rest_len;
}

TEST(sum_of_any_length_and_alignment)
{
	uint8_t data[256];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (size_t at = 0; at < 4; at++) {
		for (size_t len = 0; len <= 200; len++) {
			uint32_t want = 0;

			for (size_t i = 0; i < len; i++)
				want += i % 2 ? data[at + i] : (uint32_t)data[at + i] << 8;
			while (want >> 16)
				want = (want & 0xffff) + (want >> 16);
			CHECK_INT(net_csum(0, data + at, len), ==, htons((uint16_t)want));
		}
	}
}

TEST(parts_of_a_frame_are_found)
{
	struct test_packet v6 = to_v6(tcp4);
	struct net_pkt p;

	test_frame_make(&f, &tcp4);
	p = parse(&f);
	CHECK_INT(p.version, ==, 4);
	CHECK_INT(p.l4, ==, 34);
	CHECK_INT(p.end, ==, f.len);
	CHECK(net_pkt_has_tcp(f.bytes, &p) && !net_pkt_has_udp(&p));
	test_frame_make(&f, &v6);
	p = parse(&f);
	CHECK_INT(p.version, ==, 6);
	CHECK_INT(p.l4, ==, 54);
	f.bytes[13] = 0x06; /* ARP */
	f.bytes[12] = 0x08;
	p = parse(&f);
	CHECK_INT(p.version, ==, 0);
}

TEST(headers_that_lie_are_refused)
{
	static const struct {
		size_t at;
		uint8_t value;
	} lies[] = {
		{ 14, 0x65 }, /* version 6 in an IPv4 frame */
		{ 14, 0x44 }, /* a header of 16 bytes */
		{ 16, 0xff }, /* longer than the frame */
	};
	struct net_pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		test_frame_make(&f, &tcp4);
		f.bytes[lies[i].at] = lies[i].value;
		CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, -EBADMSG);
	}
	test_frame_make(&f, &tcp4);
	net_put16(f.bytes + 16, 10); /* shorter than its own header */
	CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, -EBADMSG);
	test_frame_make(&f, &tcp4);
	for (size_t len = 0; len < 34; len++)
		CHECK_INT(net_pkt_parse(f.bytes, len, &p), ==, -EBADMSG);
	f.bytes[34 + 12] = 0xf0; /* options beyond the end */
	net_put16(f.bytes + 16, 20 + 40);
	p = parse(&f);
	CHECK(!net_pkt_has_tcp(f.bytes, &p));
}

TEST(checksums_left_open_are_finished)
{
	struct test_packet cases[] = { tcp4, to_v6(tcp4), udp4, to_v6(udp4), tcp4 };

	cases[4].payload = 60001; /* odd, longer than any MTU */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtio_net_hdr hdr;
		struct net_pkt p;

		test_frame_make(&f, &cases[i]);
		p = parse(&f);
		hdr = leave_checksum(&f, &p);
		CHECK_INT(net_frame_finish(&hdr, f.bytes, f.len, &p), ==, 0);
		CHECK(test_frame_is_right(f.bytes, f.len));
	}
}

TEST(open_checksum_outside_the_frame_is_refused)
{
	struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	struct net_pkt p;

	test_frame_make(&f, &tcp4);
	p = parse(&f);
	hdr.csum_start = (uint16_t)(f.len - 2);
	CHECK_INT(net_frame_finish(&hdr, f.bytes, f.len, &p), ==, 0);
	hdr.csum_start++;
	CHECK_INT(net_frame_finish(&hdr, f.bytes, f.len, &p), ==, -EBADMSG);
	hdr.csum_start = hdr.csum_offset = UINT16_MAX;
	CHECK_INT(net_frame_finish(&hdr, f.bytes, f.len, &p), ==, -EBADMSG);
}

TEST(frames_of_datagrams_are_cut)
{
	struct test_packet cases[] = { udp4, to_v6(udp4) };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t total = 0, n = 0;
		struct net_pkt p;
		int len;

		cases[i].payload = 2500;
		test_frame_make(&f, &cases[i]);
		p = parse(&f);
		while ((len = net_frame_cut_udp(f.bytes, &p, 1000, n, g.bytes)) > 0) {
			size_t payload = (size_t)len - p.l4 - 8;

			CHECK(test_frame_is_right(g.bytes, (size_t)len));
			CHECK(memcmp(g.bytes + p.l4 + 8, f.bytes + p.l4 + 8 + total, payload) == 0);
			total += payload;
			n++;
		}
		CHECK_INT(len, ==, 0);
		CHECK_INT(n, ==, 3);
		CHECK_INT(total, ==, 2500);
	}
}

TEST(cutting_has_limits)
{
	struct test_packet big = udp4;
	struct net_pkt p;

	big.payload = LIMIT_NET_SEGMENTS;
	test_frame_make(&f, &big);
	p = parse(&f);
	CHECK_INT(net_frame_cut_udp(f.bytes, &p, 1, LIMIT_NET_SEGMENTS - 1, g.bytes), >, 0);
	CHECK_INT(net_frame_cut_udp(f.bytes, &p, 1, LIMIT_NET_SEGMENTS, g.bytes), ==, 0);
	CHECK_INT(net_frame_cut_udp(f.bytes, &p, 0, 0, g.bytes), ==, -EBADMSG);
	big.payload++;
	test_frame_make(&f, &big);
	p = parse(&f);
	CHECK_INT(net_frame_cut_udp(f.bytes, &p, 1, 0, g.bytes), ==, -EBADMSG);
	test_frame_make(&f, &tcp4);
	p = parse(&f);
	CHECK_INT(net_frame_cut_udp(f.bytes, &p, 100, 0, g.bytes), ==, -EBADMSG);
}

TEST(long_segments_are_marked_for_cutting)
{
	static const struct {
		size_t payload, mss;
		bool v6, cut;
	} cases[] = {
		{ 1460, 1460, false, false },
		{ 1461, 1460, false, true },
		{ 32768, 1440, true, true },
		{ 0, 1460, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct test_packet tp = cases[i].v6 ? to_v6(tcp4) : tcp4;
		struct net_out o;
		struct net_pkt p;

		tp.payload = cases[i].payload;
		test_frame_make(&f, &tp);
		p = parse(&f);
		net_out_make(f.bytes, f.len, &p, cases[i].mss, &o);
		CHECK_INT(o.hdr.gso_size, ==, cases[i].cut ? cases[i].mss : 0);
		CHECK_INT(o.hdr.gso_type, ==,
			!cases[i].cut ? VIRTIO_NET_HDR_GSO_NONE
			: cases[i].v6 ? VIRTIO_NET_HDR_GSO_TCPV6
				      : VIRTIO_NET_HDR_GSO_TCPV4);
		CHECK_INT(o.head_len, ==, p.l4 + 20);
		g.len = join_out(&o, f.bytes, g.bytes);
		CHECK_INT(g.len, ==, f.len);
		/* The receiver finishes the checksum and gets the frame as it was. */
		p = parse(&g);
		CHECK_INT(net_frame_finish(&o.hdr, g.bytes, g.len, &p), ==, 0);
		CHECK(memcmp(g.bytes, f.bytes, f.len) == 0);
	}
}

TEST(other_frames_go_out_untouched)
{
	struct test_packet icmp = {
		.src = "192.0.2.7", .dst = "10.0.2.100", .proto = IPPROTO_ICMP, .payload = 64
	};
	struct test_packet fragment = udp4;
	struct net_out o;
	struct net_pkt p;

	fragment.frag = 0x2000;
	for (int i = 0; i < 2; i++) {
		test_frame_make(&f, i ? &fragment : &icmp);
		p = parse(&f);
		net_out_make(f.bytes, f.len, &p, 1460, &o);
		CHECK_INT(o.hdr.flags, ==, 0);
		CHECK_INT(o.head_len, ==, 0);
		CHECK_INT(o.rest_len, ==, f.len);
	}
}

/* Puts fragments together and compares with the datagram. */
static void check_fragments(const struct test_packet *tp, size_t mtu, size_t want)
{
	struct net_out o;
	struct net_pkt p;
	size_t n = 0, at = 0;

	test_frame_make(&f, tp);
	p = parse(&f);
	while (net_out_fragment(f.bytes, &p, mtu, 77, n, &o) > 0) {
		size_t head = p.version == 4 ? 34 : 62, len = join_out(&o, f.bytes, g.bytes);
		const uint8_t *ip = g.bytes + NET_ETH_LEN;
		size_t off = p.version == 4 ? (net_get16(ip + 6) & 0x1fff) * 8U
					    : net_get16(ip + 42) & 0xfff8U;
		bool more = p.version == 4 ? net_get16(ip + 6) & 0x2000 : net_get16(ip + 42) & 1;

		CHECK_INT(len - NET_ETH_LEN, <=, mtu);
		CHECK(p.version == 6 || test_frame_is_right(g.bytes, len));
		CHECK(p.version == 4 ||
			(ip[6] == 44 && ip[40] == tp->proto && net_get16(ip + 4) == len - 54));
		CHECK_INT(off, ==, at);
		CHECK(memcmp(g.bytes + head, f.bytes + p.l4 + at, len - head) == 0);
		at += len - head;
		CHECK_INT(more, ==, at < p.end - p.l4);
		n++;
	}
	CHECK_INT(at, ==, p.end - p.l4);
	CHECK_INT(n, ==, want);
}

TEST(long_datagrams_are_fragmented)
{
	struct test_packet v4 = udp4, v6 = to_v6(udp4);

	v4.payload = 1480 * 2 - 8;
	check_fragments(&v4, 1500, 2);
	v4.payload++;
	check_fragments(&v4, 1500, 3);
	v4.payload = 65507;
	check_fragments(&v4, 1500, 45);
	v6.payload = 1448 * 3 - 8;
	check_fragments(&v6, 1500, 3);
	check_fragments(&v6, 1281, 4); /* not a multiple of 8 */
}

TEST(a_datagram_that_forbids_it_is_not_fragmented)
{
	struct test_packet v4 = udp4;
	struct net_out o;
	struct net_pkt p;

	v4.payload = 3000;
	v4.frag = 0x4000;
	test_frame_make(&f, &v4);
	p = parse(&f);
	CHECK_INT(net_out_fragment(f.bytes, &p, 1500, 1, 0, &o), ==, 0);
}
