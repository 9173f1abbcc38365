/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between a tap with offload and libslirp (the contract is in the header). */
#include "runtime/net_frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

enum { IP4_MIN = 20, IP6_LEN = 40, UDP_LEN = 8, TCP_MIN = 20, FRAG6_LEN = 8 };
enum { IP4_DF = 0x4000, IP4_MF = 0x2000, IP4_OFFSET = 0x1fff };
enum { HOPS = 64 };
/* Where checksums lie in their headers */
enum { CSUM_TCP = 16, CSUM_UDP = 6 };

static int parse_ip4(const uint8_t *frame, size_t len, struct net_pkt *p)
{
	const uint8_t *ip = frame + NET_ETH_LEN;
	size_t ihl, total;
	uint16_t off;

	if (len < NET_ETH_LEN + IP4_MIN || ip[0] >> 4 != 4)
		return -EBADMSG;
	ihl = (size_t)(ip[0] & 15) * 4;
	total = net_get16(ip + 2);
	if (ihl < IP4_MIN || total < ihl || NET_ETH_LEN + total > len)
		return -EBADMSG;
	off = net_get16(ip + 6);
	*p = (struct net_pkt){
		.version = 4,
		.proto = ip[9],
		.fragment = off & (IP4_MF | IP4_OFFSET),
		.frag_off = (uint16_t)((off & IP4_OFFSET) * 8),
		.l4 = NET_ETH_LEN + ihl,
		.end = NET_ETH_LEN + total,
	};
	return 0;
}

static int parse_ip6(const uint8_t *frame, size_t len, struct net_pkt *p)
{
	const uint8_t *ip = frame + NET_ETH_LEN;
	size_t payload;

	if (len < NET_ETH_LEN + IP6_LEN || ip[0] >> 4 != 6)
		return -EBADMSG;
	payload = net_get16(ip + 4);
	if (NET_ETH_LEN + IP6_LEN + payload > len)
		return -EBADMSG;
	*p = (struct net_pkt){
		.version = 6,
		.proto = ip[6],
		.l4 = NET_ETH_LEN + IP6_LEN,
		.end = NET_ETH_LEN + IP6_LEN + payload,
	};
	return 0;
}

int net_pkt_parse(const uint8_t *frame, size_t len, struct net_pkt *ret)
{
	if (len < NET_ETH_LEN || len > LIMIT_NET_FRAME)
		return -EBADMSG;
	switch (net_get16(frame + 12)) {
	case ETHERTYPE_IP:
		return parse_ip4(frame, len, ret);
	case ETHERTYPE_IPV6:
		return parse_ip6(frame, len, ret);
	default:
		*ret = (struct net_pkt){ 0 };
		return 0;
	}
}

static size_t tcp_len(const uint8_t *frame, const struct net_pkt *p)
{
	return (size_t)(frame[p->l4 + 12] >> 4) * 4;
}

bool net_pkt_has_tcp(const uint8_t *frame, const struct net_pkt *p)
{
	return p->version && p->proto == IPPROTO_TCP && p->frag_off == 0 &&
	       p->end - p->l4 >= TCP_MIN && tcp_len(frame, p) >= TCP_MIN &&
	       p->end - p->l4 >= tcp_len(frame, p);
}

bool net_pkt_has_udp(const struct net_pkt *p)
{
	return p->version && p->proto == IPPROTO_UDP && p->frag_off == 0 &&
	       p->end - p->l4 >= UDP_LEN;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Four sums of 32-bit words side by side: the carries pile up in the upper halves. */
uint16_t net_csum(uint64_t seed, const uint8_t *data, size_t len)
{
	uint64_t sums[4] = { seed, 0, 0, 0 };
	uint16_t last = 0;

	for (; len >= 16; data += 16, len -= 16) {
		uint32_t w[4];

		memcpy(w, data, sizeof(w));
		sums[0] += w[0];
		sums[1] += w[1];
		sums[2] += w[2];
		sums[3] += w[3];
	}
	for (; len >= 2; data += 2, len -= 2) {
		uint16_t w;

		memcpy(&w, data, sizeof(w));
		sums[1] += w;
	}
	if (len)
		memcpy(&last, data, 1);
	return fold((uint64_t)fold(sums[0]) + fold(sums[1]) + fold(sums[2]) + fold(sums[3]) + last);
}

uint16_t net_csum_pseudo(const uint8_t *frame, const struct net_pkt *p, size_t l4_len)
{
	uint64_t seed = (uint64_t)htons(p->proto) + htons((uint16_t)l4_len);

	if (p->version == 4)
		return net_csum(seed, frame + NET_ETH_LEN + 12, 8);
	return net_csum(seed, frame + NET_ETH_LEN + 8, 32);
}

static void put_csum(uint8_t *at, uint16_t csum)
{
	memcpy(at, &csum, sizeof(csum));
}

void net_put_ip4_csum(uint8_t *frame, size_t ihl)
{
	uint8_t *ip = frame + NET_ETH_LEN;

	net_put16(ip + 10, 0);
	put_csum(ip + 10, (uint16_t)~net_csum(0, ip, ihl));
}

static size_t addr_len(uint8_t version)
{
	return version == 4 ? 4 : 16;
}

void net_path_back(const uint8_t *frame, const struct net_pkt *p, struct net_path *ret)
{
	const uint8_t *src = frame + NET_ETH_LEN + (p->version == 4 ? 12 : 8);
	size_t len = addr_len(p->version);

	memset(ret, 0, sizeof(*ret));
	ret->version = p->version;
	memcpy(ret->eth, frame + ETH_ALEN, ETH_ALEN);
	memcpy(ret->eth + ETH_ALEN, frame, ETH_ALEN);
	memcpy(ret->eth + 12, frame + 12, 2);
	memcpy(ret->dst, src, len);
	memcpy(ret->src, src + len, len);
}

bool net_path_equal(const struct net_path *a, const struct net_path *b)
{
	return a->version == b->version && memcmp(a->src, b->src, sizeof(a->src)) == 0 &&
	       memcmp(a->dst, b->dst, sizeof(a->dst)) == 0;
}

size_t net_path_begin(
	const struct net_path *path, uint8_t proto, size_t l4_len, uint16_t id, uint8_t *out)
{
	size_t ip_len = path->version == 4 ? IP4_MIN : IP6_LEN, len = addr_len(path->version);
	uint8_t *ip = out + NET_ETH_LEN;

	memcpy(out, path->eth, NET_ETH_LEN);
	memset(ip, 0, ip_len);
	if (path->version == 4) {
		ip[0] = 0x45;
		net_put16(ip + 2, (uint16_t)(IP4_MIN + l4_len));
		net_put16(ip + 4, id);
		ip[8] = HOPS;
		ip[9] = proto;
	} else {
		ip[0] = 0x60;
		net_put16(ip + 4, (uint16_t)l4_len);
		ip[6] = proto;
		ip[7] = HOPS;
	}
	memcpy(ip + ip_len - 2 * len, path->src, len);
	memcpy(ip + ip_len - len, path->dst, len);
	if (path->version == 4)
		net_put_ip4_csum(out, IP4_MIN);
	return NET_ETH_LEN + ip_len;
}

void net_path_finish(const struct net_path *path, uint8_t proto, size_t l4_len, uint8_t *out)
{
	const struct net_pkt p = { .version = path->version, .proto = proto };
	uint8_t *l4 = out + NET_ETH_LEN + (path->version == 4 ? IP4_MIN : IP6_LEN);
	uint8_t *at = l4 + (proto == IPPROTO_TCP ? CSUM_TCP : CSUM_UDP);
	uint16_t csum;

	net_put16(at, 0);
	csum = (uint16_t)~net_csum(net_csum_pseudo(out, &p, l4_len), l4, l4_len);
	put_csum(at, csum ? csum : 0xffff);
}

int net_frame_finish(
	const struct virtio_net_hdr *hdr, uint8_t *frame, size_t len, const struct net_pkt *p)
{
	size_t start = hdr->csum_start, at = start + hdr->csum_offset;
	uint16_t csum;

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 0;
	if (at + 2 > len)
		return -EBADMSG;
	if (p->version == 4 && net_pkt_has_udp(p) && start == p->l4 &&
		hdr->csum_offset == CSUM_UDP) {
		net_put16(frame + at, 0);
		return 0;
	}
	csum = (uint16_t)~net_csum(0, frame + start, len - start);
	if (csum == 0 && p->proto == IPPROTO_UDP)
		csum = 0xffff;
	put_csum(frame + at, csum);
	return 0;
}

int net_frame_cut_udp(
	const uint8_t *frame, const struct net_pkt *p, size_t gso_size, size_t i, uint8_t *out)
{
	size_t head, payload, off, n;
	uint16_t csum;

	if (!net_pkt_has_udp(p) || p->fragment || gso_size == 0)
		return -EBADMSG;
	head = p->l4 + UDP_LEN;
	payload = p->end - head;
	if ((payload + gso_size - 1) / gso_size > LIMIT_NET_SEGMENTS)
		return -EBADMSG;
	off = i * gso_size;
	if (i >= LIMIT_NET_SEGMENTS || off >= payload)
		return 0;
	n = payload - off < gso_size ? payload - off : gso_size;
	memcpy(out, frame, head);
	memcpy(out + head, frame + head + off, n);
	net_put16(out + p->l4 + 4, (uint16_t)(UDP_LEN + n));
	net_put16(out + p->l4 + CSUM_UDP, 0);
	if (p->version == 4) {
		uint8_t *ip = out + NET_ETH_LEN;

		net_put16(ip + 2, (uint16_t)(head + n - NET_ETH_LEN));
		net_put16(ip + 4, (uint16_t)(net_get16(ip + 4) + i));
		net_put_ip4_csum(out, p->l4 - NET_ETH_LEN);
	} else {
		net_put16(out + NET_ETH_LEN + 4, (uint16_t)(UDP_LEN + n));
		csum = (uint16_t)~net_csum(
			net_csum_pseudo(out, p, UDP_LEN + n), out + p->l4, UDP_LEN + n);
		put_csum(out + p->l4 + CSUM_UDP, csum ? csum : 0xffff);
	}
	return (int)(head + n);
}

/* The field holds the sum of the pseudo header alone, the receiver's kernel trusts the rest. */
static void out_mark_checked(struct net_out *o, const struct net_pkt *p, size_t csum_offset)
{
	o->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	o->hdr.csum_start = (uint16_t)p->l4;
	o->hdr.csum_offset = (uint16_t)csum_offset;
	put_csum(o->head + p->l4 + csum_offset, net_csum_pseudo(o->head, p, p->end - p->l4));
}

void net_out_make(
	const uint8_t *frame, size_t len, const struct net_pkt *p, size_t mss, struct net_out *ret)
{
	bool is_tcp = !p->fragment && net_pkt_has_tcp(frame, p);
	size_t head = 0;

	memset(&ret->hdr, 0, sizeof(ret->hdr));
	if (is_tcp)
		head = p->l4 + tcp_len(frame, p);
	else if (!p->fragment && net_pkt_has_udp(p))
		head = p->l4 + UDP_LEN;
	ret->head_len = head;
	ret->rest = head;
	ret->rest_len = len - head;
	if (head == 0)
		return;
	memcpy(ret->head, frame, head);
	out_mark_checked(ret, p, is_tcp ? CSUM_TCP : CSUM_UDP);
	if (is_tcp && p->end - head > mss) {
		ret->hdr.gso_type =
			p->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		ret->hdr.gso_size = (uint16_t)mss;
		ret->hdr.hdr_len = (uint16_t)head;
	}
}

/* Senders that share an address may number their datagrams alike: the number is ours. */
static void fragment_ip4(const uint8_t *frame, const struct net_pkt *p, size_t off, bool more,
	uint32_t id, struct net_out *o)
{
	uint8_t *ip = o->head + NET_ETH_LEN;
	uint16_t field;

	o->head_len = p->l4;
	memcpy(o->head, frame, o->head_len);
	field = net_get16(ip + 6);
	field = (uint16_t)((field & ~IP4_OFFSET) | ((p->frag_off + off) / 8));
	if (more)
		field |= IP4_MF;
	net_put16(ip + 6, field);
	if (!p->fragment)
		net_put16(ip + 4, (uint16_t)id);
	net_put16(ip + 2, (uint16_t)(p->l4 - NET_ETH_LEN + o->rest_len));
	net_put_ip4_csum(o->head, p->l4 - NET_ETH_LEN);
}

static void fragment_ip6(
	const uint8_t *frame, size_t off, bool more, uint32_t id, struct net_out *o)
{
	uint8_t *ip = o->head + NET_ETH_LEN, *fh = ip + IP6_LEN;
	uint32_t net_id = htonl(id);

	o->head_len = NET_ETH_LEN + IP6_LEN + FRAG6_LEN;
	memcpy(o->head, frame, NET_ETH_LEN + IP6_LEN);
	fh[0] = ip[6];
	fh[1] = 0;
	net_put16(fh + 2, (uint16_t)(off | more));
	memcpy(fh + 4, &net_id, sizeof(net_id));
	ip[6] = IPPROTO_FRAGMENT;
	net_put16(ip + 4, (uint16_t)(FRAG6_LEN + o->rest_len));
}

int net_out_fragment(const uint8_t *frame, const struct net_pkt *p, size_t mtu, uint32_t id,
	size_t i, struct net_out *ret)
{
	size_t head = p->l4 - NET_ETH_LEN + (p->version == 6 ? FRAG6_LEN : 0);
	size_t payload = p->end - p->l4, room, off;
	bool more;

	if (!p->version || mtu < head + 8 ||
		(p->version == 4 && net_get16(frame + NET_ETH_LEN + 6) & IP4_DF))
		return 0;
	room = (mtu - head) / 8 * 8;
	off = i * room;
	if (off >= payload)
		return 0;
	memset(&ret->hdr, 0, sizeof(ret->hdr));
	more = payload - off > room;
	ret->rest = p->l4 + off;
	ret->rest_len = more ? room : payload - off;
	if (p->version == 4)
		fragment_ip4(frame, p, off, more, id, ret);
	else
		fragment_ip6(frame, off, more, id, ret);
	return 1;
}
