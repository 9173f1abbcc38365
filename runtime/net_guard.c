/* SPDX-License-Identifier: Apache-2.0 */
/* What the container may send into libslirp (the contract is in the header). */
#include "runtime/net_guard.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <string.h>

enum { PORT_DNS = 53, PORT_BOOTP = 67, PORT_TFTP = 69 };
enum { TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16, TCP_LEN = 20 };

/* What an address is to the guard */
enum dst_kind {
	DST_WORLD,
	DST_HOST, /* libslirp takes it to the host's loopback address */
	DST_DNS,
	DST_NEVER,
};

static enum dst_kind kind_ip4(const struct net_guard *g, const uint8_t *dst)
{
	struct in_addr a;

	memcpy(&a, dst, sizeof(a));
	if (dst[0] == 127 || dst[0] == 0)
		return DST_NEVER;
	if (a.s_addr == g->plan->gateway.s_addr || a.s_addr == INADDR_BROADCAST)
		return DST_HOST;
	if (a.s_addr == g->plan->dns.s_addr)
		return DST_DNS;
	return DST_WORLD;
}

static enum dst_kind kind_ip6(const struct net_guard *g, const uint8_t *dst)
{
	static const uint8_t none[10], v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

	/* ::, ::1, and IPv4 in its compatible and mapped spelling */
	if (memcmp(dst, none, 10) == 0 &&
		((dst[10] == 0 && dst[11] == 0) || memcmp(dst, v4_mapped, 12) == 0))
		return DST_NEVER;
	if (memcmp(dst, &g->plan->dns6, 16) == 0)
		return DST_DNS;
	/* libslirp: every other address of its network, and all nodes of the link */
	if (memcmp(dst, &g->plan->network6, 8) == 0 || memcmp(dst, all_nodes, 16) == 0)
		return DST_HOST;
	return DST_WORLD;
}

/* The set of slots for a conversation */
static struct net_talk *talk_set(struct net_guard *g, uint16_t gateway_port, uint16_t guest_port)
{
	uint32_t h = ((uint32_t)gateway_port << 16 | guest_port) * 2654435761U;

	return &g->talks[(h >> 16) % (NET_TALK_SLOTS / NET_TALK_WAYS) * NET_TALK_WAYS];
}

static struct net_talk *talk_find(
	struct net_guard *g, uint8_t version, uint16_t gateway_port, uint16_t guest_port)
{
	struct net_talk *set = talk_set(g, gateway_port, guest_port);

	for (size_t i = 0; i < NET_TALK_WAYS; i++)
		if (set[i].version == version && set[i].gateway_port == gateway_port &&
			set[i].guest_port == guest_port)
			return &set[i];
	return NULL;
}

static uint16_t port_at(const uint8_t *at)
{
	uint16_t port;

	memcpy(&port, at, sizeof(port));
	return port;
}

static bool is_answer(
	struct net_guard *g, const uint8_t *frame, const struct net_pkt *p, int64_t now_s)
{
	struct net_talk *t =
		talk_find(g, p->version, port_at(frame + p->l4 + 2), port_at(frame + p->l4));

	if (!t || now_s - t->last_s > NET_TALK_SECONDS)
		return false;
	t->last_s = now_s;
	return true;
}

static enum net_verdict judge_udp(struct net_guard *g, const uint8_t *frame,
	const struct net_pkt *p, enum dst_kind kind, int64_t now_s)
{
	uint16_t port;

	if (p->frag_off)
		return NET_PASS; /* worthless without its first part, which carries the ports */
	if (!net_pkt_has_udp(p))
		return NET_DROP;
	port = net_get16(frame + p->l4 + 2);
	if (kind == DST_DNS)
		return port == PORT_DNS && !g->disable_dns ? NET_DNS : NET_DROP;
	if (port == PORT_TFTP)
		return NET_DROP; /* served by libslirp, to nobody's use */
	if (g->allow_host_loopback || (p->version == 4 && port == PORT_BOOTP))
		return NET_PASS;
	return is_answer(g, frame, p, now_s) ? NET_PASS : NET_DROP;
}

static enum net_verdict judge_tcp(
	struct net_guard *g, const uint8_t *frame, const struct net_pkt *p, enum dst_kind kind)
{
	bool open = kind == DST_HOST && g->allow_host_loopback;
	uint8_t flags;

	/* Nobody fragments TCP on the way to a gateway; a flag must not hide in a later part. */
	if (p->fragment || !net_pkt_has_tcp(frame, p))
		return NET_DROP;
	if (kind == DST_DNS && !g->disable_dns && net_get16(frame + p->l4 + 2) == PORT_DNS)
		return NET_DNS;
	flags = frame[p->l4 + 13];
	if (open || !(flags & TCP_SYN) || (flags & TCP_ACK))
		return NET_PASS;
	return NET_REFUSE;
}

static enum dst_kind kind_of(
	const struct net_guard *g, const uint8_t *frame, const struct net_pkt *p)
{
	return p->version == 4 ? kind_ip4(g, frame + NET_ETH_LEN + 16)
			       : kind_ip6(g, frame + NET_ETH_LEN + 24);
}

bool net_guard_is_outside(const struct net_guard *g, const uint8_t *frame, const struct net_pkt *p)
{
	return p->version && kind_of(g, frame, p) == DST_WORLD;
}

enum net_verdict net_guard_from_guest(
	struct net_guard *g, const uint8_t *frame, const struct net_pkt *p, int64_t now_s)
{
	enum dst_kind kind;

	if (p->version == 0)
		return net_get16(frame + 12) == ETHERTYPE_ARP ? NET_PASS : NET_DROP;
	kind = kind_of(g, frame, p);
	if (kind == DST_NEVER)
		return NET_DROP;
	if (g->internal && kind != DST_DNS)
		return NET_DROP;
	if (kind == DST_WORLD)
		return NET_PASS;
	if (p->proto == IPPROTO_UDP)
		return judge_udp(g, frame, p, kind, now_s);
	if (p->proto == IPPROTO_TCP)
		return judge_tcp(g, frame, p, kind);
	return NET_PASS; /* libslirp answers pings itself, the rest it drops */
}

void net_guard_to_guest(
	struct net_guard *g, const uint8_t *frame, const struct net_pkt *p, int64_t now_s)
{
	const uint8_t *src = frame + NET_ETH_LEN + (p->version == 4 ? 12 : 8);
	uint16_t gateway_port, guest_port;
	struct net_talk *t, *set;

	if (g->allow_host_loopback || !net_pkt_has_udp(p))
		return;
	if (p->version == 4 ? memcmp(src, &g->plan->gateway, 4) != 0
			    : memcmp(src, &g->plan->gateway6, 16) != 0)
		return;
	gateway_port = port_at(frame + p->l4);
	guest_port = port_at(frame + p->l4 + 2);
	t = talk_find(g, p->version, gateway_port, guest_port);
	if (!t) {
		set = talk_set(g, gateway_port, guest_port);
		t = set;
		for (size_t i = 1; i < NET_TALK_WAYS; i++)
			if (t->version && (!set[i].version || set[i].last_s < t->last_s))
				t = &set[i];
	}
	*t = (struct net_talk){ p->version, gateway_port, guest_port, now_s };
}

bool net_guard_is_loopback(const uint8_t *frame, const struct net_pkt *p)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (p->version == 4)
		return frame[NET_ETH_LEN + 12] == 127;
	return p->version == 6 && memcmp(frame + NET_ETH_LEN + 8, loopback6, 16) == 0;
}

/* RFC 1624: HC' = ~(~HC + ~m + m') */
static void csum_replace(uint8_t *at, uint16_t before, uint16_t after)
{
	uint16_t csum;

	memcpy(&csum, at, sizeof(csum));
	csum = (uint16_t)~csum;
	before = (uint16_t)~before;
	csum = (uint16_t)~net_csum((uint64_t)csum + before + after, NULL, 0);
	memcpy(at, &csum, sizeof(csum));
}

void net_guard_readdress(const struct net_guard *g, uint8_t *frame, const struct net_pkt *p)
{
	uint8_t *src = frame + NET_ETH_LEN + (p->version == 4 ? 12 : 8);
	size_t len = p->version == 4 ? 4 : 16;
	uint16_t before = net_csum(0, src, len), after;

	memcpy(src, p->version == 4 ? (const void *)&g->plan->gateway : &g->plan->gateway6, len);
	after = net_csum(0, src, len);
	if (p->version == 4)
		csum_replace(frame + NET_ETH_LEN + 10, before, after);
	if (net_pkt_has_udp(p))
		csum_replace(frame + p->l4 + 6, before, after);
	else if (net_pkt_has_tcp(frame, p))
		csum_replace(frame + p->l4 + 16, before, after);
}

/* Both addresses change sides; the rest of the header stays but for its length. */
static void answer_ip(uint8_t *out, const uint8_t *frame, const struct net_pkt *p)
{
	const uint8_t *ip = frame + NET_ETH_LEN;
	uint8_t *to = out + NET_ETH_LEN;
	uint16_t csum;

	if (p->version == 4) {
		memcpy(to, ip, 20);
		to[0] = 0x45;
		net_put16(to + 2, 20 + TCP_LEN);
		net_put16(to + 6, 0);
		net_put16(to + 10, 0);
		to[8] = 64;
		memcpy(to + 12, ip + 16, 4);
		memcpy(to + 16, ip + 12, 4);
		csum = (uint16_t)~net_csum(0, to, 20);
		memcpy(to + 10, &csum, 2);
	} else {
		memcpy(to, ip, 40);
		net_put16(to + 4, TCP_LEN);
		to[7] = 64;
		memcpy(to + 8, ip + 24, 16);
		memcpy(to + 24, ip + 8, 16);
	}
}

size_t net_guard_refuse(const uint8_t *frame, const struct net_pkt *p, uint8_t *out)
{
	const uint8_t *tcp = frame + p->l4;
	struct net_pkt answer = *p;
	uint8_t *rst;
	uint16_t csum;
	uint32_t seq;

	if (!net_pkt_has_tcp(frame, p))
		return 0;
	memcpy(out, frame + ETH_ALEN, ETH_ALEN);
	memcpy(out + ETH_ALEN, frame, ETH_ALEN);
	memcpy(out + 12, frame + 12, 2);
	answer_ip(out, frame, p);
	answer.l4 = NET_ETH_LEN + (p->version == 4 ? 20 : 40);
	answer.end = answer.l4 + TCP_LEN;
	rst = out + answer.l4;
	memset(rst, 0, TCP_LEN);
	memcpy(rst, tcp + 2, 2);
	memcpy(rst + 2, tcp, 2);
	memcpy(&seq, tcp + 4, sizeof(seq));
	seq = htonl(ntohl(seq) + 1); /* the SYN takes one */
	memcpy(rst + 8, &seq, sizeof(seq));
	rst[12] = TCP_LEN / 4 << 4;
	rst[13] = TCP_RST | TCP_ACK;
	csum = (uint16_t)~net_csum(net_csum_pseudo(out, &answer, TCP_LEN), rst, TCP_LEN);
	memcpy(rst + 16, &csum, 2);
	return answer.end;
}
