/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for tests
 *
 * Checksums are summed here byte pair by byte pair, independently of the code under test.
 */
#include "tests/helpers/frames.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static size_t ip_len(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? (size_t)(ip[0] & 15) * 4 : 40;
}

static uint8_t ip_proto(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[9] : ip[6];
}

static uint32_t sum_transport(const uint8_t *ip, size_t l4_len)
{
	uint32_t sum = 0;

	if (ip[0] >> 4 == 4)
		sum = sum_bytes(sum, ip + 12, 8);
	else
		sum = sum_bytes(sum, ip + 8, 32);
	sum += ip_proto(ip) + (uint32_t)l4_len;
	sum = (sum & 0xffff) + (sum >> 16);
	return sum_bytes(sum, ip + ip_len(ip), l4_len);
}

static void make_ip(uint8_t *ip, const struct test_packet *p, size_t l4_len)
{
	if (inet_pton(AF_INET, p->src, ip + 12) == 1) {
		if (inet_pton(AF_INET, p->dst, ip + 16) != 1)
			abort();
		ip[0] = 0x45;
		net_put16(ip + 2, (uint16_t)(20 + l4_len));
		net_put16(ip + 4, 0x1234);
		net_put16(ip + 6, p->frag);
		ip[8] = 64;
		ip[9] = p->proto;
		net_put16(ip + 10, (uint16_t)~sum_bytes(0, ip, 20));
		return;
	}
	if (inet_pton(AF_INET6, p->src, ip + 8) != 1 || inet_pton(AF_INET6, p->dst, ip + 24) != 1)
		abort();
	ip[0] = 0x60;
	net_put16(ip + 4, (uint16_t)l4_len);
	ip[6] = p->proto;
	ip[7] = 64;
}

void test_frame_make(struct test_frame *f, const struct test_packet *p)
{
	bool v4 = !strchr(p->src, ':');
	uint8_t *ip = f->bytes + NET_ETH_LEN, *l4 = ip + (v4 ? 20 : 40);
	size_t head = p->proto == IPPROTO_TCP ? 20 + p->n_options : p->proto == IPPROTO_UDP ? 8 : 0;
	size_t l4_len = head + p->payload;

	memset(f->bytes, 0, NET_ETH_LEN + 40 + 60);
	memcpy(f->bytes, "\x52\x55\x0a\x00\x02\x02\x02\x00\x00\x00\x00\x64", 12);
	net_put16(f->bytes + 12, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	make_ip(ip, p, l4_len);
	for (size_t i = 0; i < p->payload; i++)
		l4[head + i] = (uint8_t)(i * 7 + i / 256);
	if (head) {
		net_put16(l4, p->sport);
		net_put16(l4 + 2, p->dport);
	}
	if (p->proto == IPPROTO_TCP) {
		net_put16(l4 + 6, 1000); /* low half of the sequence number */
		l4[12] = (uint8_t)(head / 4 << 4);
		l4[13] = p->tcp_flags;
		if (p->n_options)
			memcpy(l4 + 20, p->tcp_options, p->n_options);
		net_put16(l4 + 16, (uint16_t)~sum_transport(ip, l4_len));
	} else if (p->proto == IPPROTO_UDP) {
		net_put16(l4 + 4, (uint16_t)l4_len);
		net_put16(l4 + 6, (uint16_t)~sum_transport(ip, l4_len));
	}
	f->len = (size_t)(l4 - f->bytes) + l4_len;
}

bool test_frame_is_right(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + NET_ETH_LEN, *l4 = ip + ip_len(ip);
	size_t l4_len = len - (size_t)(l4 - frame);
	uint8_t proto = ip_proto(ip);

	if (ip[0] >> 4 == 4) {
		if (net_get16(ip + 2) != len - NET_ETH_LEN ||
			sum_bytes(0, ip, ip_len(ip)) != 0xffff)
			return false;
		if (net_get16(ip + 6) & 0x3fff)
			return true; /* a fragment: its transport is not here as a whole */
	} else if (net_get16(ip + 4) != l4_len) {
		return false;
	}
	if (proto == IPPROTO_UDP && net_get16(l4 + 4) != l4_len)
		return false;
	if (proto == IPPROTO_UDP && ip[0] >> 4 == 4 && net_get16(l4 + 6) == 0)
		return true;
	return (proto != IPPROTO_UDP && proto != IPPROTO_TCP) ||
	       sum_transport(ip, l4_len) == 0xffff;
}
