/* SPDX-License-Identifier: Apache-2.0 */
/* Two segments as one frame (the contract is in the header). */
#include "runtime/net_join.h"

#include <netinet/in.h>
#include <string.h>

enum { TCP_SEQ = 4, TCP_ACK_NO = 8, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_WINDOW = 14 };
enum { FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_ACK = 0x10 };

static size_t payload_at(const uint8_t *frame, const struct net_pkt *p)
{
	return p->l4 + (size_t)(frame[p->l4 + TCP_OFFSET] >> 4) * 4;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)net_get16(p) << 16 | net_get16(p + 2);
}

bool net_join_may_wait(const uint8_t *frame, const struct net_pkt *p)
{
	return !p->fragment && net_pkt_has_tcp(frame, p) && frame[p->l4 + TCP_FLAGS] == FLAG_ACK &&
	       p->end - payload_at(frame, p) >= NET_JOIN_MIN;
}

void net_join_hold(struct net_join *j, const uint8_t *frame, size_t len, const struct net_pkt *p)
{
	memcpy(j->frame, frame, len);
	j->len = len;
	j->pkt = *p;
}

/* The same ends, and nothing else to be said than what was said before */
static bool is_next(const struct net_join *j, const uint8_t *frame, const struct net_pkt *p)
{
	const uint8_t *a = j->frame, *b = frame, *tcp = j->frame + p->l4, *other = frame + p->l4;
	size_t addresses = NET_ETH_LEN + (p->version == 4 ? 12 : 8);

	return p->version == j->pkt.version && p->l4 == j->pkt.l4 &&
	       memcmp(a, b, NET_ETH_LEN) == 0 &&
	       memcmp(a + addresses, b + addresses, p->l4 - addresses) == 0 &&
	       memcmp(tcp, other, TCP_SEQ) == 0 &&
	       memcmp(tcp + TCP_ACK_NO, other + TCP_ACK_NO, TCP_FLAGS - TCP_ACK_NO) == 0 &&
	       (other[TCP_FLAGS] & ~(FLAG_PSH | FLAG_FIN)) == FLAG_ACK &&
	       net_get16(tcp + TCP_WINDOW) == net_get16(other + TCP_WINDOW) &&
	       get32(other + TCP_SEQ) ==
		       get32(tcp + TCP_SEQ) + (uint32_t)(j->pkt.end - payload_at(a, &j->pkt));
}

bool net_join_add(struct net_join *j, const uint8_t *frame, const struct net_pkt *p, size_t *ret_at,
	size_t *ret_len)
{
	uint8_t *ip = j->frame + NET_ETH_LEN;
	size_t at, len, total;

	if (j->len == 0 || j->len != j->pkt.end || p->fragment || !net_pkt_has_tcp(frame, p))
		return false;
	at = payload_at(frame, p);
	len = p->end - at;
	total = j->pkt.end + len;
	if (len == 0 || total > LIMIT_NET_FRAME || !is_next(j, frame, p))
		return false;
	j->frame[p->l4 + TCP_FLAGS] |= frame[p->l4 + TCP_FLAGS];
	if (p->version == 4) {
		net_put16(ip + 2, (uint16_t)(total - NET_ETH_LEN));
		net_put_ip4_csum(j->frame, p->l4 - NET_ETH_LEN);
	} else {
		net_put16(ip + 4, (uint16_t)(total - p->l4));
	}
	j->pkt.end = total;
	*ret_at = at;
	*ret_len = len;
	return true;
}
