/* SPDX-License-Identifier: Apache-2.0 */
/* The largest segment that each connection of the container takes (contract: the header). */
#include "runtime/net_mss.h"

#include <arpa/inet.h>
#include <string.h>

enum { TCP_SYN = 2, TCP_ACK = 16 };
enum { OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2 };
/* What libslirp is told: it takes the smaller of this, its interface's MTU and 32 KiB. */
enum { MSS_LONGEST = 65495 };
/* RFC 9293 3.7.1: the size of a peer that says nothing */
enum { MSS_SILENT4 = 536, MSS_SILENT6 = 1220, MSS_MIN = 48 };

static size_t mss_of_mtu(const struct net_mss *m, const struct net_pkt *p)
{
	return m->mtu - (p->version == 4 ? 40 : 60);
}

static struct net_mss_flow flow_key(const uint8_t *frame, const struct net_pkt *p, bool to_guest)
{
	const uint8_t *src = frame + NET_ETH_LEN + (p->version == 4 ? 12 : 8);
	size_t len = p->version == 4 ? 4 : 16;
	struct net_mss_flow f = { .version = p->version };

	memcpy(to_guest ? f.peer : f.guest, src, len);
	memcpy(to_guest ? f.guest : f.peer, src + len, len);
	memcpy(to_guest ? &f.peer_port : &f.guest_port, frame + p->l4, 2);
	memcpy(to_guest ? &f.guest_port : &f.peer_port, frame + p->l4 + 2, 2);
	return f;
}

static bool flow_equal(const struct net_mss_flow *a, const struct net_mss_flow *b)
{
	return a->version == b->version && a->guest_port == b->guest_port &&
	       a->peer_port == b->peer_port && memcmp(a->guest, b->guest, 16) == 0 &&
	       memcmp(a->peer, b->peer, 16) == 0;
}

/* First slot of the flow's set (FNV-1a over the ports and the peer). */
static size_t flow_set(const struct net_mss_flow *f)
{
	uint32_t h = 2166136261;

	for (size_t i = 0; i < sizeof(f->peer); i++)
		h = (h ^ f->peer[i]) * 16777619;
	h = (h ^ f->peer_port) * 16777619;
	h = (h ^ f->guest_port) * 16777619;
	return h % (NET_MSS_SLOTS / NET_MSS_WAYS) * NET_MSS_WAYS;
}

static const struct net_mss_flow *flow_find(const struct net_mss *m, const struct net_mss_flow *key)
{
	size_t set = flow_set(key);

	for (size_t i = set; i < set + NET_MSS_WAYS; i++)
		if (flow_equal(&m->slots[i], key))
			return &m->slots[i];
	return NULL;
}

static void flow_forget(struct net_mss *m, const struct net_mss_flow *key)
{
	const struct net_mss_flow *f = flow_find(m, key);

	if (f) {
		m->slots[f - m->slots].version = 0;
		m->n_flows--;
	}
}

/* Into a free slot of the set; else over its first, and the others move up. */
static void flow_remember(struct net_mss *m, const struct net_mss_flow *flow)
{
	struct net_mss_flow *set = &m->slots[flow_set(flow)];

	for (size_t i = 0; i < NET_MSS_WAYS; i++) {
		if (set[i].version == 0) {
			set[i] = *flow;
			m->n_flows++;
			return;
		}
	}
	if (m->floor == 0 || set[0].mss < m->floor)
		m->floor = set[0].mss;
	memmove(set, set + 1, (NET_MSS_WAYS - 1) * sizeof(*set));
	set[NET_MSS_WAYS - 1] = *flow;
}

/* The value of the MSS option, or NULL.  The header with its options lies within the frame. */
static uint8_t *find_mss(uint8_t *tcp)
{
	size_t end = (size_t)(tcp[12] >> 4) * 4;

	for (size_t at = 20; at < end && tcp[at] != OPT_END;) {
		if (tcp[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (at + 2 > end || tcp[at + 1] < 2 || at + tcp[at + 1] > end)
			return NULL;
		if (tcp[at] == OPT_MSS && tcp[at + 1] == 4)
			return tcp + at + 2;
		at += tcp[at + 1];
	}
	return NULL;
}

/* RFC 1624: HC' = ~(~HC + ~m + m').  Options may stand at odd offsets: both words change then. */
static void replace_mss(uint8_t *tcp, uint8_t *at, uint16_t mss, bool csum_open)
{
	uint8_t *word = tcp + (at - tcp) / 2 * 2;
	size_t len = (at - tcp) % 2 ? 4 : 2;
	uint16_t csum, before;
	uint64_t sum;

	before = net_csum(0, word, len);
	net_put16(at, mss);
	if (csum_open)
		return;
	memcpy(&csum, tcp + 16, 2);
	sum = (uint64_t)(uint16_t)~csum + (uint16_t)~before;
	csum = (uint16_t)~net_csum(sum, word, len);
	memcpy(tcp + 16, &csum, 2);
}

void net_mss_from_guest(struct net_mss *m, uint8_t *frame, const struct net_pkt *p, bool csum_open)
{
	struct net_mss_flow key;
	size_t mss;
	uint8_t *tcp, *opt;

	if (!net_pkt_has_tcp(frame, p) || p->fragment)
		return;
	tcp = frame + p->l4;
	if (!(tcp[13] & TCP_SYN))
		return;
	opt = find_mss(tcp);
	mss = opt ? net_get16(opt) : p->version == 4 ? MSS_SILENT4 : MSS_SILENT6;
	if (opt && tcp[13] & TCP_ACK)
		replace_mss(tcp, opt, MSS_LONGEST, csum_open);
	key = flow_key(frame, p, false);
	flow_forget(m, &key);
	if (mss < mss_of_mtu(m, p)) {
		key.mss = (uint16_t)(mss < MSS_MIN ? MSS_MIN : mss);
		flow_remember(m, &key);
	}
}

size_t net_mss_to_guest(const struct net_mss *m, const uint8_t *frame, const struct net_pkt *p)
{
	size_t mss = mss_of_mtu(m, p);
	const struct net_mss_flow *f;
	struct net_mss_flow key;

	if (m->floor && m->floor < mss)
		mss = m->floor;
	if (m->n_flows == 0)
		return mss;
	key = flow_key(frame, p, true);
	f = flow_find(m, &key);
	if (f)
		mss = f->mss;
	return mss;
}
