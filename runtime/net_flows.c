/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many sockets of the host a network may hold (the contract is in the header)
 *
 * Only UDP needs to be remembered flow by flow: of TCP a SYN alone begins one, and dropping the
 * copy of a SYN harms nobody; of pings each has a socket of its own.
 *
 * A flow's name: kind in the top two bits, then the address (its last byte) or the talk's number.
 *
 * Invariants: - n[k] is the sum of n_of[k][…]
 *             - a talk is in the chain of its hash, in the free list, or at or above n_begun
 */
#include "runtime/net_flows.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum kind { NONE, CONNECTION, TALK, PING };
enum { KIND_SHIFT = 30, ADDRESSES = 256, HASHES = 4096 };
/* Kept free for everything else that the process opens */
enum { SPARE_FDS = 512 };

/* UDP of one port of the container: libslirp has one socket for all of its peers. */
struct talk {
	uint8_t addr[16];
	uint16_t port;
	uint8_t version; /* 0: free */
	uint32_t next; /* in its chain or in the free list, + 1; 0: the last */
};

/* Pings count among the talks: both are datagram sockets. */
struct net_flows {
	size_t n[PING + 1], max[PING + 1];
	uint16_t n_of[PING + 1][ADDRESSES];
	uint32_t chain[HASHES], free; /* + 1 */
	uint32_t n_begun; /* talks[] that were in use ever: those behind cost no memory */
	struct talk talks[LIMIT_NET_DATAGRAM_SOCKETS];
};

int net_flows_new(size_t max_fds, struct net_flows **ret)
{
	struct net_flows *f = calloc(1, sizeof(*f));
	size_t spare = max_fds / 8 < SPARE_FDS ? max_fds / 8 : SPARE_FDS;
	size_t talks = max_fds / 4, connections;

	if (!f)
		return -ENOMEM;
	if (talks > LIMIT_NET_DATAGRAM_SOCKETS)
		talks = LIMIT_NET_DATAGRAM_SOCKETS;
	connections = max_fds - spare - talks;
	if (connections > LIMIT_NET_CONNECTIONS)
		connections = LIMIT_NET_CONNECTIONS;
	f->max[CONNECTION] = connections;
	f->max[TALK] = talks;
	*ret = f;
	return 0;
}

void net_flows_free(struct net_flows *f)
{
	free(f);
}

static enum kind kind_of(const uint8_t *frame, const struct net_pkt *p)
{
	enum { SYN = 0x02, ACK = 0x10, ECHO4 = 8, ECHO6 = 128 };
	uint8_t echo = p->version == 4 ? ECHO4 : ECHO6;

	if (p->version == 0)
		return NONE;
	if (net_pkt_has_tcp(frame, p))
		return (frame[p->l4 + 13] & (SYN | ACK)) == SYN ? CONNECTION : NONE;
	if (net_pkt_has_udp(p))
		return TALK;
	if (p->proto == (p->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && p->end > p->l4 &&
		frame[p->l4] == echo)
		return PING;
	return NONE;
}

/* What its limits are those of */
static enum kind pool_of(enum kind kind)
{
	return kind == PING ? TALK : kind;
}

static void talk_of(const uint8_t *frame, const struct net_pkt *p, struct talk *ret)
{
	size_t at = NET_ETH_LEN + (p->version == 4 ? 12 : 8);

	*ret = (struct talk){ .version = p->version };
	memcpy(ret->addr, frame + at, p->version == 4 ? 4 : 16);
	if (net_pkt_has_udp(p))
		ret->port = net_get16(frame + p->l4);
}

static uint8_t address_of(const struct talk *t)
{
	return t->addr[t->version == 4 ? 3 : 15];
}

static uint32_t hash_of(const struct talk *t)
{
	uint32_t h = t->version;

	for (size_t i = 0; i < sizeof(t->addr); i++)
		h = (h ^ t->addr[i]) * 16777619;
	h = (h ^ t->port) * 2654435761U;
	return (h >> 16) % HASHES;
}

static bool same_talk(const struct talk *a, const struct talk *b)
{
	return a->version == b->version && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static bool is_known(const struct net_flows *f, const struct talk *t)
{
	uint32_t i = f->chain[hash_of(t)];

	while (i && !same_talk(&f->talks[i - 1], t))
		i = f->talks[i - 1].next;
	return i;
}

bool net_flows_admit(const struct net_flows *f, const uint8_t *frame, const struct net_pkt *p)
{
	enum kind kind = kind_of(frame, p), pool = pool_of(kind);
	struct talk t;

	if (kind == NONE)
		return true;
	talk_of(frame, p, &t);
	if (f->n[pool] < f->max[pool] && f->n_of[pool][address_of(&t)] < f->max[pool] * 3 / 4)
		return true;
	return kind == TALK && is_known(f, &t);
}

/* Return: its number, or LIMIT_NET_DATAGRAM_SOCKETS if there is no room. */
static uint32_t talk_begin(struct net_flows *f, const struct talk *t)
{
	uint32_t *chain = &f->chain[hash_of(t)], i = f->n_begun;

	if (f->free) {
		i = f->free - 1;
		f->free = f->talks[i].next;
	} else if (i < f->max[TALK]) {
		f->n_begun++;
	} else {
		return LIMIT_NET_DATAGRAM_SOCKETS;
	}
	f->talks[i] = *t;
	f->talks[i].next = *chain;
	*chain = i + 1;
	return i;
}

uint32_t net_flows_begin(struct net_flows *f, const uint8_t *frame, const struct net_pkt *p)
{
	enum kind kind = kind_of(frame, p), pool = pool_of(kind);
	uint32_t which;
	struct talk t;

	if (kind == NONE)
		return 0;
	talk_of(frame, p, &t);
	which = kind == TALK ? talk_begin(f, &t) : address_of(&t);
	if (which == LIMIT_NET_DATAGRAM_SOCKETS)
		return 0;
	f->n[pool]++;
	f->n_of[pool][address_of(&t)]++;
	return (uint32_t)kind << KIND_SHIFT | which;
}

static uint8_t talk_end(struct net_flows *f, uint32_t i)
{
	uint32_t *at = &f->chain[hash_of(&f->talks[i])];
	uint8_t address = address_of(&f->talks[i]);

	while (*at != i + 1)
		at = &f->talks[*at - 1].next;
	*at = f->talks[i].next;
	f->talks[i] = (struct talk){ .next = f->free };
	f->free = i + 1;
	return address;
}

void net_flows_end(struct net_flows *f, uint32_t flow)
{
	enum kind kind = flow >> KIND_SHIFT;
	uint32_t which = flow & ((1U << KIND_SHIFT) - 1);

	if (kind == NONE)
		return;
	if (kind == TALK)
		which = talk_end(f, which);
	f->n[pool_of(kind)]--;
	f->n_of[pool_of(kind)][which]--;
}
