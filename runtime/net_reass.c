/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 fragments of the container, put together (the contract is in the header). */
#include "runtime/net_reass.h"

#include <string.h>

enum { IP_LEN = 20, HEAD_LEN = NET_ETH_LEN + IP_LEN, IP_MF = 0x2000, UNIT = 8 };
enum { LIMIT_PAYLOAD = 65535 - IP_LEN };

static struct net_reass_slot *slot_of(struct net_reass *r, const uint8_t key[11], int64_t now_ms)
{
	struct net_reass_slot *place = &r->slots[0];

	for (size_t i = 0; i < NET_REASS_SLOTS; i++) {
		struct net_reass_slot *s = &r->slots[i];

		if (s->used && now_ms - s->since_ms > NET_REASS_MS)
			s->used = false;
		if (s->used && memcmp(s->key, key, sizeof(s->key)) == 0)
			return s;
		if (place->used && (!s->used || s->since_ms < place->since_ms))
			place = s;
	}
	place->used = true;
	memcpy(place->key, key, sizeof(place->key));
	place->since_ms = now_ms;
	place->total = place->n_units = 0;
	memset(place->seen, 0, sizeof(place->seen));
	return place;
}

/* Mark the units of a fragment as there.  Return: how many of them were there before. */
static size_t mark(struct net_reass_slot *s, size_t first, size_t n)
{
	size_t known = 0;

	for (size_t i = first; i < first + n; i++) {
		known += s->seen[i / 8] >> (i % 8) & 1;
		s->seen[i / 8] |= (uint8_t)(1U << (i % 8));
	}
	return known;
}

static size_t finish(struct net_reass_slot *s)
{
	uint8_t *ip = s->frame + NET_ETH_LEN;
	uint16_t csum;

	s->used = false;
	net_put16(ip + 2, (uint16_t)(IP_LEN + s->total));
	net_put16(ip + 6, 0);
	net_put16(ip + 10, 0);
	csum = (uint16_t)~net_csum(0, ip, IP_LEN);
	memcpy(ip + 10, &csum, sizeof(csum));
	return HEAD_LEN + s->total;
}

size_t net_reass_input(struct net_reass *r, const uint8_t *frame, const struct net_pkt *p,
	int64_t now_ms, uint8_t **ret)
{
	const uint8_t *ip = frame + NET_ETH_LEN;
	bool more = net_get16(ip + 6) & IP_MF;
	size_t off = p->frag_off, n = p->end - p->l4, units = (n + UNIT - 1) / UNIT, known;
	struct net_reass_slot *s;
	uint8_t key[11];

	/* Options would have to be told apart by whether fragments carry them: nobody sends any. */
	if (p->l4 != HEAD_LEN || n == 0 || (more && n % UNIT) || off + n > LIMIT_PAYLOAD)
		return 0;
	memcpy(key, ip + 12, 8);
	memcpy(key + 8, ip + 4, 2);
	key[10] = ip[9];
	s = slot_of(r, key, now_ms);
	known = mark(s, off / UNIT, units);
	if (known == units)
		return 0; /* came before */
	if (known || (s->total && (!more || off + n > s->total))) {
		s->used = false;
		return 0;
	}
	if (!more)
		s->total = off + n;
	s->n_units += units;
	if (off == 0)
		memcpy(s->frame, frame, HEAD_LEN);
	memcpy(s->frame + HEAD_LEN + off, frame + p->l4, n);
	if (!s->total || s->n_units != (s->total + UNIT - 1) / UNIT)
		return 0;
	*ret = s->frame;
	return finish(s);
}
