/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_guard.h"
#include "tests/helpers/frames.h"

#include <netinet/in.h>

static struct test_frame f;
static struct net_guard g;
static struct net_plan plan;

enum { NOW = 1000 };

static void reset(bool allow_host_loopback, bool disable_dns)
{
	struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;

	o.enable_ipv6 = true;
	CHECK_INT(net_plan_make(&o, &plan, NULL), ==, 0);
	memset(&g, 0, sizeof(g));
	g.plan = &plan;
	g.allow_host_loopback = allow_host_loopback;
	g.disable_dns = disable_dns;
}

static struct test_packet to(const char *dst, uint8_t proto, uint16_t dport)
{
	return (struct test_packet){
		.src = strchr(dst, ':') ? "fd00::100" : "10.0.2.100",
		.dst = dst,
		.proto = proto,
		.sport = 40000,
		.dport = dport,
		.tcp_flags = T_SYN,
		.payload = proto == IPPROTO_TCP ? 0 : 32,
	};
}

static enum net_verdict judge(const struct test_packet *tp, int64_t now_s)
{
	struct net_pkt p;

	test_frame_make(&f, tp);
	CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
	return net_guard_from_guest(&g, f.bytes, &p, now_s);
}

static enum net_verdict judge_to(const char *dst, uint8_t proto, uint16_t dport)
{
	struct test_packet tp = to(dst, proto, dport);

	return judge(&tp, NOW);
}

static void seen_from(const char *src, uint16_t sport, uint16_t guest_port, int64_t now_s)
{
	struct test_packet tp = { .src = src,
		.dst = strchr(src, ':') ? "fd00::100" : "10.0.2.100",
		.proto = IPPROTO_UDP,
		.sport = sport,
		.dport = guest_port,
		.payload = 4 };
	struct net_pkt p;

	test_frame_make(&f, &tp);
	CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
	net_guard_to_guest(&g, f.bytes, &p, now_s);
}

TEST(addresses_of_the_host_itself_never_pass)
{
	static const char *const never[] = { "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.2.2",
		"::ffff:192.0.2.7" };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

	for (int allow = 0; allow <= 1; allow++) {
		reset(allow, false);
		for (size_t i = 0; i < ARRAY_SIZE(never); i++)
			for (size_t k = 0; k < ARRAY_SIZE(protos); k++)
				CHECK_INT(judge_to(never[i], protos[k], 80), ==, NET_DROP);
	}
}

TEST(the_world_is_open)
{
	static const char *const world[] = { "192.0.2.7", "10.0.2.50", "128.0.0.1", "126.0.0.1",
		"2001:db8::1", "fe80::1", "::1:0:0:1", "::fffe:127.0.0.1" };

	reset(false, false);
	for (size_t i = 0; i < ARRAY_SIZE(world); i++) {
		CHECK_INT(judge_to(world[i], IPPROTO_TCP, 80), ==, NET_PASS);
		CHECK_INT(judge_to(world[i], IPPROTO_UDP, 80), ==, NET_PASS);
	}
}

TEST(the_gateway_is_the_host_only_where_allowed)
{
	static const char *const host[] = { "10.0.2.2", "255.255.255.255", "fd00::2", "fd00::77",
		"ff02::1" };

	reset(false, false);
	for (size_t i = 0; i < ARRAY_SIZE(host); i++) {
		CHECK_INT(judge_to(host[i], IPPROTO_TCP, 80), ==, NET_REFUSE);
		CHECK_INT(judge_to(host[i], IPPROTO_UDP, 80), ==, NET_DROP);
		CHECK_INT(judge_to(host[i], IPPROTO_ICMP, 0), ==, NET_PASS);
	}
	reset(true, false);
	for (size_t i = 0; i < ARRAY_SIZE(host); i++) {
		CHECK_INT(judge_to(host[i], IPPROTO_TCP, 80), ==, NET_PASS);
		CHECK_INT(judge_to(host[i], IPPROTO_UDP, 80), ==, NET_PASS);
	}
}

TEST(only_a_syn_opens_a_connection)
{
	struct test_packet tp = to("10.0.2.2", IPPROTO_TCP, 80);

	reset(false, false);
	tp.tcp_flags = T_SYN | T_ACK; /* the answer to a connection that the host began */
	CHECK_INT(judge(&tp, NOW), ==, NET_PASS);
	tp.tcp_flags = T_ACK;
	CHECK_INT(judge(&tp, NOW), ==, NET_PASS);
	tp.tcp_flags = T_SYN | T_FIN;
	CHECK_INT(judge(&tp, NOW), ==, NET_REFUSE);
	tp.tcp_flags = T_ACK;
	tp.frag = 0x2000; /* a flag could hide in the next part */
	CHECK_INT(judge(&tp, NOW), ==, NET_DROP);
}

TEST(answers_to_the_host_pass_for_a_while)
{
	struct test_packet answer = to("10.0.2.2", IPPROTO_UDP, 5555), other = answer;

	reset(false, false);
	answer.sport = 53;
	other.sport = 54;
	seen_from("10.0.2.2", 5555, 53, NOW);
	CHECK_INT(judge(&answer, NOW), ==, NET_PASS);
	CHECK_INT(judge(&other, NOW), ==, NET_DROP);
	CHECK_INT(judge(&answer, NOW + NET_TALK_SECONDS), ==, NET_PASS); /* and renews */
	CHECK_INT(judge(&answer, NOW + 2 * NET_TALK_SECONDS), ==, NET_PASS);
	CHECK_INT(judge(&answer, NOW + 3 * NET_TALK_SECONDS + 1), ==, NET_DROP);
	seen_from("192.0.2.7", 5556, 53, NOW); /* not the gateway */
	answer.dport = 5556;
	CHECK_INT(judge(&answer, NOW), ==, NET_DROP);
	answer = to("fd00::2", IPPROTO_UDP, 5555);
	answer.sport = 53;
	CHECK_INT(judge(&answer, NOW), ==, NET_DROP);
	seen_from("fd00::2", 5555, 53, NOW);
	CHECK_INT(judge(&answer, NOW), ==, NET_PASS);
}

TEST(many_conversations_push_out_the_oldest)
{
	struct test_packet answer = to("10.0.2.2", IPPROTO_UDP, 1);

	reset(false, false);
	for (uint16_t port = 1; port <= 8 * NET_TALK_SLOTS / 4; port++)
		seen_from("10.0.2.2", port, 53, NOW + port);
	answer.sport = 53;
	answer.dport = 8 * NET_TALK_SLOTS / 4;
	CHECK_INT(judge(&answer, NOW + answer.dport), ==, NET_PASS);
}

TEST(the_dns_address_answers_dns_alone)
{
	static const char *const dns[] = { "10.0.2.3", "fd00::3" };

	for (size_t i = 0; i < ARRAY_SIZE(dns); i++) {
		reset(false, false);
		CHECK_INT(judge_to(dns[i], IPPROTO_UDP, 53), ==, NET_DNS);
		CHECK_INT(judge_to(dns[i], IPPROTO_TCP, 53), ==, NET_DNS);
		CHECK_INT(judge_to(dns[i], IPPROTO_UDP, 631), ==, NET_DROP);
		CHECK_INT(judge_to(dns[i], IPPROTO_TCP, 631), ==, NET_REFUSE);
		reset(true, false);
		CHECK_INT(judge_to(dns[i], IPPROTO_TCP, 631), ==, NET_REFUSE);
		reset(true, true);
		CHECK_INT(judge_to(dns[i], IPPROTO_UDP, 53), ==, NET_DROP);
		CHECK_INT(judge_to(dns[i], IPPROTO_TCP, 53), ==, NET_REFUSE);
	}
}

TEST(services_inside_libslirp)
{
	struct test_packet dhcp = to("255.255.255.255", IPPROTO_UDP, 67);

	reset(false, false);
	dhcp.src = "0.0.0.0";
	CHECK_INT(judge(&dhcp, NOW), ==, NET_PASS);
	for (int allow = 0; allow <= 1; allow++) {
		reset(allow, false);
		CHECK_INT(judge_to("10.0.2.2", IPPROTO_UDP, 69), ==, NET_DROP);
		CHECK_INT(judge_to("fd00::2", IPPROTO_UDP, 69), ==, NET_DROP);
	}
}

TEST(fragments_show_their_ports_or_nothing)
{
	struct test_packet tp = to("10.0.2.2", IPPROTO_UDP, 80);
	struct net_pkt p;

	reset(false, false);
	tp.frag = 0x2000;
	CHECK_INT(judge(&tp, NOW), ==, NET_DROP);
	tp.frag = 0x2001; /* a later part alone does nothing */
	CHECK_INT(judge(&tp, NOW), ==, NET_PASS);
	reset(true, false);
	tp.frag = 0x2000;
	test_frame_make(&f, &tp);
	net_put16(f.bytes + 16, 20 + 4); /* half a header: the ports would come later */
	CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
	CHECK_INT(net_guard_from_guest(&g, f.bytes, &p, NOW), ==, NET_DROP);
}

TEST(only_arp_and_ip_pass)
{
	static const struct {
		uint16_t type;
		int want;
	} cases[] = { { 0x0806, NET_PASS }, { 0x88f8, NET_DROP }, { 0x8100, NET_DROP } };
	struct test_packet tp = to("192.0.2.7", IPPROTO_UDP, 80);
	struct net_pkt p;

	reset(true, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		test_frame_make(&f, &tp);
		net_put16(f.bytes + 12, cases[i].type);
		CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
		CHECK_INT(net_guard_from_guest(&g, f.bytes, &p, NOW), ==, cases[i].want);
	}
}

TEST(the_hosts_loopback_is_shown_as_the_gateway)
{
	static const struct {
		const char *src, *dst;
		bool is;
	} cases[] = {
		{ "127.0.0.1", "10.0.2.100", true },
		{ "127.5.5.5", "10.0.2.100", true },
		{ "128.0.0.1", "10.0.2.100", false },
		{ "::1", "fd00::100", true },
		{ "::2", "fd00::100", false },
	};
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

	reset(false, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(protos); k++) {
			struct test_packet tp = { .src = cases[i].src,
				.dst = cases[i].dst,
				.proto = protos[k],
				.sport = 5000,
				.dport = 53,
				.payload = 77 };
			bool v4 = !strchr(tp.src, ':');
			const void *gateway =
				v4 ? (const void *)&plan.gateway : (const void *)&plan.gateway6;
			struct net_pkt p;

			test_frame_make(&f, &tp);
			CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
			CHECK_INT(net_guard_is_loopback(f.bytes, &p), ==, cases[i].is);
			net_guard_readdress(&g, f.bytes, &p);
			CHECK(test_frame_is_right(f.bytes, f.len));
			CHECK(memcmp(f.bytes + (v4 ? 26 : 22), gateway, v4 ? 4 : 16) == 0);
		}
	}
}

TEST(a_refusal_is_a_reset_of_that_connection)
{
	static const char *const hosts[] = { "10.0.2.2", "fd00::2" };

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct test_packet tp = to(hosts[i], IPPROTO_TCP, 80);
		uint8_t out[NET_REFUSE_LEN];
		struct net_pkt p, a;
		size_t len;

		test_frame_make(&f, &tp);
		CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
		len = net_guard_refuse(f.bytes, &p, out);
		CHECK(len <= sizeof(out) && test_frame_is_right(out, len));
		CHECK_INT(net_pkt_parse(out, len, &a), ==, 0);
		CHECK(memcmp(out, f.bytes + 6, 6) == 0 && memcmp(out + 6, f.bytes, 6) == 0);
		CHECK_INT(net_get16(out + a.l4), ==, 80);
		CHECK_INT(net_get16(out + a.l4 + 2), ==, 40000);
		CHECK_INT(net_get16(out + a.l4 + 10), ==, 1001); /* the SYN took one */
		CHECK_INT(out[a.l4 + 13], ==, T_RST | T_ACK);
	}
}
