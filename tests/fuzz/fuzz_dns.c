/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS server of a network: frames of a hostile container, answers of a hostile server
 *
 * Input: packets, each behind a byte of kind and two of length.  A question gets, as its answer,
 * the next packet of kind "answer", with the id and the question that make it believed.
 */
#include "runtime/dns.h"
#include "runtime/dns_forward.h"
#include "tests/fuzz/fuzz.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

enum kind { KIND_UDP, KIND_TCP, KIND_ANSWER, KIND_RAW, KIND_TIME, KIND_NAMES, KIND_MAX_ };

static struct dns *dns;
static struct dns_forward *forward;
static struct net_poll poll_set;
static int server;
static uint16_t port;
static uint32_t seq, ack;
static int64_t now_ms;

static void hear(void *ctx, uint8_t *frame, size_t len)
{
	struct net_pkt p;

	(void)ctx;
	assert(len <= LIMIT_NET_FRAME && net_pkt_parse(frame, len, &p) == 0 && p.end == len);
	if (net_pkt_has_tcp(frame, &p)) {
		uint32_t n;

		memcpy(&n, frame + p.l4 + 4, sizeof(n));
		ack = ntohl(n) + (uint32_t)(p.end - p.l4 - 20) + 1;
	}
}

static void answered(void *ctx, const struct dns_client *to, uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)to;
	(void)msg;
	assert(len >= DNS_HEADER_LEN && len <= LIMIT_DNS_MESSAGE);
}

static void begin(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	struct dns_opts opts = { .mtu = 1500, .poll = &poll_set, .send = hear };
	struct dns_forward_opts fopts = { .poll = &poll_set, .answer = answered };

	if (server == 0) {
		server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert(bind(server, (struct sockaddr *)&sin, sizeof(sin)) == 0);
		assert(getsockname(server, (struct sockaddr *)&sin, &len) == 0);
		port = ntohs(sin.sin_port);
	}
	assert(net_poll_init(&poll_set) == 0);
	dns = dns_new(&opts);
	fopts.port = port;
	forward = dns_forward_new(&fopts);
	assert(dns && forward && dns_forward_set_servers(forward, "", 0) == 0);
	seq = 1;
	ack = 0;
	now_ms = 0;
}

static void end(void)
{
	dns_free(dns);
	dns_forward_free(forward);
	net_poll_done(&poll_set);
}

/* A right header before what the input says: a fuzzer finds none by chance. */
static void input(enum kind kind, const uint8_t *data, size_t len)
{
	static uint8_t frame[LIMIT_NET_FRAME];
	struct net_path path = { .version = data[0] & 1 ? 6 : 4 };
	uint8_t proto = kind == KIND_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	size_t head = kind == KIND_TCP ? 20 : 8, at;
	struct net_pkt p;
	uint32_t v;

	net_put16(path.eth + 12, path.version == 4 ? 0x0800 : 0x86dd);
	at = net_path_begin(&path, proto, head + len, 1, frame);
	memset(frame + at, 0, head);
	frame[at + 1] = data[0] >> 6;
	if (kind == KIND_TCP) {
		v = htonl(data[0] & 2 ? seq : seq + data[0]);
		memcpy(frame + at + 4, &v, 4);
		v = htonl(ack);
		memcpy(frame + at + 8, &v, 4);
		frame[at + 12] = 5 << 4;
		frame[at + 13] = (uint8_t)((data[0] >> 2) & 7) | (data[0] & 32 ? 0 : 16);
		frame[at + 14] = data[0];
		seq += (uint32_t)len;
	} else {
		net_put16(frame + at + 4, (uint16_t)(8 + len));
	}
	memcpy(frame + at + head, data, len);
	assert(net_pkt_parse(frame, at + head + len, &p) == 0);
	dns_input(dns, frame, &p, now_ms);
	if (kind == KIND_UDP) {
		const struct dns_client client = { .path = path };

		dns_forward_query(forward, &client, data, len, now_ms);
	}
}

static void input_raw(const uint8_t *data, size_t len)
{
	static uint8_t frame[LIMIT_NET_FRAME];
	struct net_pkt p;

	memcpy(frame, data, len);
	if (net_pkt_parse(frame, len, &p) == 0 && p.version)
		dns_input(dns, frame, &p, now_ms);
}

static void answer_with(const uint8_t *data, size_t len)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	static uint8_t msg[LIMIT_DNS_MESSAGE];
	ssize_t n = recvfrom(server, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

	if (n < DNS_HEADER_LEN)
		return;
	msg[2] |= 0x80;
	msg[3] = data[0];
	if (data[0] & 16 && len > 2) {
		memcpy(msg + 2, data, len < 60000 ? len : 60000);
		n = 2 + (ssize_t)(len < 60000 ? len : 60000);
	}
	(void)sendto(server, msg, (size_t)n, 0, (struct sockaddr *)&from, from_len);
	(void)net_poll_wait(&poll_set, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	begin();
	while (len >= 4) {
		enum kind kind = data[0] % KIND_MAX_;
		size_t n = net_get16(data + 1);

		data += 3;
		len -= 3;
		n = n < 1 ? 1 : n < len ? n : len;
		if (n > 60000)
			break;
		if (kind == KIND_ANSWER)
			answer_with(data, n);
		else if (kind == KIND_RAW)
			input_raw(data, n);
		else if (kind == KIND_TIME)
			now_ms += data[0] * 64;
		else if (kind == KIND_NAMES)
			(void)dns_set_names(dns, (const char *)data, n);
		else
			input(kind, data, n);
		(void)dns_tick(dns, now_ms);
		(void)dns_forward_tick(forward, now_ms);
		data += n;
		len -= n;
	}
	while (recv(server, &seq, sizeof(seq), MSG_DONTWAIT) >= 0)
		;
	end();
	return 0;
}
