/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS server's TCP: segments of a hostile container's kernel
 *
 * Input: steps of a byte each, with what they need behind it.  A segment that asks for it has the
 * numbers that its connection is at, for a fuzzer finds none by chance.
 */
#include "runtime/dns_tcp.h"
#include "tests/fuzz/fuzz.h"

#include "base/cleanup.h"
#include "runtime/dns_msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

enum step { STEP_SEGMENT, STEP_DATA, STEP_ANSWER, STEP_TIME, STEP_MAX_ };
enum { PEERS = 80, WAITING = 64, SYN = 2, FIN = 1, PSH = 8, ACK = 16 };
enum choice { WRONG_SEQ = 1, WRONG_ACK = 2, IPV6 = 4, OPTIONS = 8 };

/* What its kernel would know of a connection */
static struct {
	uint32_t seq, ack;
} peers[PEERS];
static struct dns_tcp *tcp;
static struct dns_tcp_id waiting[WAITING];
static size_t n_waiting;
static int64_t now_ms;

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static void hear(void *ctx, uint8_t *frame, size_t len)
{
	struct net_pkt p;
	uint16_t peer;

	(void)ctx;
	assert(net_pkt_parse(frame, len, &p) == 0 && p.end == len && net_pkt_has_tcp(frame, &p));
	peer = net_get16(frame + p.l4 + 2);
	assert(peer < PEERS);
	peers[peer].ack = get32(frame + p.l4 + 4) + !!(frame[p.l4 + 13] & (SYN | FIN)) +
			  (uint32_t)(p.end - p.l4 - (size_t)(frame[p.l4 + 12] >> 4) * 4);
}

static void ask(void *ctx, struct dns_tcp_id id, const uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)msg;
	assert(len > 0 && len <= LIMIT_DNS_QUERY);
	if (n_waiting < WAITING)
		waiting[n_waiting++] = id;
}

static void segment(uint16_t peer, uint8_t flags, uint8_t choice, uint16_t window,
	const uint8_t *data, size_t len)
{
	static uint8_t frame[LIMIT_NET_FRAME];
	struct net_path path = { .version = choice & IPV6 ? 6 : 4 };
	size_t options = choice & OPTIONS ? 8 : 0, head = 20 + options, at;
	struct net_pkt p;
	uint8_t *t;

	net_put16(path.eth + 12, path.version == 4 ? 0x0800 : 0x86dd);
	at = net_path_begin(&path, IPPROTO_TCP, head + len, 1, frame);
	t = frame + at;
	memset(t, 0, head);
	net_put16(t, peer);
	net_put16(t + 2, 53);
	put32(t + 4, peers[peer].seq + (choice & WRONG_SEQ ? window : 0));
	put32(t + 8, peers[peer].ack - (choice & WRONG_ACK ? window : 0));
	t[12] = (uint8_t)(head / 4 << 4);
	t[13] = flags;
	net_put16(t + 14, window);
	for (size_t i = 0; i < options; i++)
		t[20 + i] = i < len ? data[i] : 1;
	memcpy(t + head, data, len);
	assert(net_pkt_parse(frame, at + head + len, &p) == 0);
	dns_tcp_input(tcp, frame, &p, now_ms);
	if (!(choice & WRONG_SEQ))
		peers[peer].seq += (uint32_t)len + !!(flags & SYN) + !!(flags & FIN);
}

static void answer(size_t which, size_t len)
{
	static const uint8_t msg[LIMIT_DNS_MESSAGE];

	if (n_waiting == 0)
		return;
	which %= n_waiting;
	dns_tcp_answer(tcp, waiting[which], msg, len, now_ms);
	waiting[which] = waiting[--n_waiting];
}

/* Return: how many bytes were used. */
static size_t step(const uint8_t *data, size_t len)
{
	uint16_t peer = data[1] % PEERS;
	size_t n = len - 6 < data[5] ? len - 6 : data[5];

	switch (data[0] % STEP_MAX_) {
	case STEP_SEGMENT:
		segment(peer, data[2], data[0] >> 2, net_get16(data + 3), data + 6, n);
		return 6 + n;
	case STEP_DATA:
		segment(peer, ACK | PSH, data[0] >> 2 & IPV6, 65535, data + 6, n);
		return 6 + n;
	case STEP_ANSWER:
		answer(data[1], net_get16(data + 2));
		return 4;
	default:
		now_ms += data[1] * 64;
		return 2;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct dns_tcp_opts opts = { .mtu = 1500, .send = hear, .query = ask };

	tcp = dns_tcp_new(&opts);
	assert(tcp);
	memset(peers, 0, sizeof(peers));
	n_waiting = 0;
	now_ms = 0;
	while (len >= 6) {
		size_t n = step(data, len);

		assert(dns_tcp_tick(tcp, now_ms) >= now_ms);
		data += n;
		len -= n;
	}
	dns_tcp_free(tcp);
	return 0;
}
