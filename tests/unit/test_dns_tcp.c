/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/dns_tcp.h"
#include "tests/helpers/frames.h"

#include "base/cleanup.h"

#include <arpa/inet.h>

/* The container's end: what it says next, and what it heard last */
static struct {
	uint32_t seq, ack;
	uint16_t port, window;
	uint8_t flags; /* of the last frame */
	uint16_t heard_window;
	size_t n_frames;
	uint8_t data[1 << 20]; /* all in order */
	size_t len;
} peer;

static struct dns_tcp *t;
static struct {
	struct dns_tcp_id id;
	size_t len, n;
} asked;

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)net_get16(p) << 16 | net_get16(p + 2);
}

static void hear(void *ctx, uint8_t *frame, size_t len)
{
	struct net_pkt p;
	const uint8_t *tcp;
	size_t head;

	(void)ctx;
	CHECK_INT(net_pkt_parse(frame, len, &p), ==, 0);
	CHECK(net_pkt_has_tcp(frame, &p));
	CHECK(test_frame_is_right(frame, len));
	CHECK_INT(p.end - NET_ETH_LEN, <=, 1500);
	tcp = frame + p.l4;
	head = (size_t)(tcp[12] >> 4) * 4;
	peer.flags = tcp[13];
	peer.heard_window = net_get16(tcp + 14);
	peer.n_frames++;
	if (peer.flags & T_SYN)
		peer.ack = get32(tcp + 4);
	if (get32(tcp + 4) != peer.ack)
		return;
	len = p.end - p.l4 - head;
	memcpy(peer.data + peer.len, tcp + head, len);
	peer.len += len;
	peer.ack += (uint32_t)len + !!(peer.flags & T_SYN) + !!(peer.flags & T_FIN);
}

static void say(uint8_t flags, const void *data, size_t len, int64_t now_ms)
{
	static uint8_t frame[LIMIT_NET_FRAME];
	struct net_path path = { .version = 4, .eth = { [12] = 8 } };
	struct net_pkt p;
	uint8_t *tcp;
	uint32_t v;

	(void)inet_pton(AF_INET, "10.0.2.100", path.src);
	(void)inet_pton(AF_INET, "10.0.2.3", path.dst);
	tcp = frame + net_path_begin(&path, IPPROTO_TCP, 20 + len, 1, frame);
	memset(tcp, 0, 20);
	net_put16(tcp, peer.port);
	net_put16(tcp + 2, 53);
	v = htonl(peer.seq);
	memcpy(tcp + 4, &v, 4);
	v = htonl(peer.ack);
	memcpy(tcp + 8, &v, 4);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	net_put16(tcp + 14, peer.window);
	memcpy(tcp + 20, data, len);
	CHECK_INT(net_pkt_parse(frame, NET_ETH_LEN + 40 + len, &p), ==, 0);
	dns_tcp_input(t, frame, &p, now_ms);
	peer.seq += (uint32_t)len + !!(flags & T_SYN) + !!(flags & T_FIN);
}

static void ask(void *ctx, struct dns_tcp_id id, const uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)msg;
	asked.id = id;
	asked.len = len;
	asked.n++;
}

static void begin(void)
{
	const struct dns_tcp_opts opts = { .mtu = 1500, .send = hear, .query = ask };

	dns_tcp_free(t);
	t = dns_tcp_new(&opts);
	memset(&peer, 0, sizeof(peer));
	memset(&asked, 0, sizeof(asked));
	peer.seq = 0xfffffff0; /* numbers wrap */
	peer.port = 40000;
	peer.window = 64240;
}

static void open_connection(void)
{
	say(T_SYN, "", 0, 0);
	CHECK_INT(peer.flags, ==, T_SYN | T_ACK);
	say(T_ACK, "", 0, 0);
}

TEST(a_question_and_its_answer)
{
	begin();
	open_connection();
	say(T_ACK, "\0\5hello", 7, 1);
	CHECK_INT(asked.n, ==, 1);
	CHECK_INT(asked.len, ==, 5);
	dns_tcp_answer(t, asked.id, (const uint8_t *)"world!", 6, 2);
	CHECK_INT(peer.len, ==, 8);
	CHECK_INT(memcmp(peer.data, "\0\6world!", 8), ==, 0);
	say(T_ACK | T_FIN, "", 0, 3);
	CHECK_INT(peer.flags, ==, T_FIN | T_ACK);
	say(T_ACK, "", 0, 4);
	CHECK_INT(dns_tcp_tick(t, 5), ==, INT64_MAX); /* nothing is left */
}

TEST(questions_in_any_pieces)
{
	begin();
	open_connection();
	say(T_ACK, "\0", 1, 1);
	say(T_ACK, "\3a", 2, 1);
	CHECK_INT(asked.n, ==, 0);
	say(T_ACK, "bc\0\2", 4, 1);
	CHECK_INT(asked.n, ==, 1);
	say(T_ACK | T_FIN, "de", 2, 1);
	CHECK_INT(asked.n, ==, 2);
	CHECK_INT(peer.flags, ==, T_ACK); /* not yet: two answers are missing */
	dns_tcp_answer(t, asked.id, (const uint8_t *)"x", 1, 2);
	asked.id.serial--; /* of some connection before */
	dns_tcp_answer(t, asked.id, (const uint8_t *)"x", 1, 2);
	CHECK_INT(peer.flags & T_FIN, ==, 0);
	asked.id.serial++;
	dns_tcp_answer(t, asked.id, NULL, 0, 2); /* there is none */
	CHECK_INT(peer.flags & T_FIN, ==, T_FIN);
	CHECK_INT(peer.len, ==, 3);
}

TEST(an_answer_longer_than_the_window)
{
	static uint8_t msg[LIMIT_DNS_MESSAGE];

	begin();
	peer.window = 4000;
	open_connection();
	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)(i / 251);
	say(T_ACK, "\0\1q", 3, 1);
	dns_tcp_answer(t, asked.id, msg, sizeof(msg), 1);
	CHECK_INT(peer.len, ==, 4000);
	while (peer.len < sizeof(msg) + 2) {
		size_t before = peer.len;

		say(T_ACK, "", 0, 1);
		CHECK_INT(peer.len, >, before);
		if (peer.len == before)
			return;
	}
	CHECK_INT(memcmp(peer.data + 2, msg, sizeof(msg)), ==, 0);
}

TEST(what_is_lost_comes_again)
{
	size_t before;

	begin();
	open_connection();
	say(T_ACK, "\0\1q", 3, 1);
	say(T_ACK, "", 0, 1);
	peer.seq -= 3; /* our acknowledgement was lost */
	say(T_ACK, "\0\1q", 3, 2);
	CHECK_INT(asked.n, ==, 1);
	peer.ack += 1000; /* deaf */
	dns_tcp_answer(t, asked.id, (const uint8_t *)"abc", 3, 2);
	CHECK_INT(peer.len, ==, 0);
	peer.ack -= 1000;
	CHECK_INT(dns_tcp_tick(t, 100), >, 100);
	CHECK_INT(peer.len, ==, 0);
	(void)dns_tcp_tick(t, 400);
	CHECK_INT(peer.len, ==, 5);
	before = peer.n_frames;
	for (int64_t now = 400; now < 29000; now += 100)
		(void)dns_tcp_tick(t, now);
	CHECK_INT(peer.flags & T_RST, ==, T_RST); /* nobody acknowledges */
	CHECK_INT(peer.n_frames - before, <=, 6);
}

TEST(packets_of_no_connection_are_refused)
{
	begin();
	peer.ack = 77;
	say(T_ACK, "x", 1, 0);
	CHECK_INT(peer.flags, ==, T_RST);
	begin();
	say(T_FIN, "", 0, 0);
	CHECK_INT(peer.flags, ==, T_RST | T_ACK);
	begin();
	say(T_RST, "", 0, 0);
	CHECK_INT(peer.n_frames, ==, 0);
}

TEST(what_is_no_dns_ends_the_connection)
{
	begin();
	open_connection();
	say(T_ACK, "\xff\xffGET / HTTP/1.1", 16, 1);
	CHECK_INT(peer.flags & T_RST, ==, T_RST);
	begin();
	open_connection();
	say(T_ACK, "\0\0", 2, 1);
	CHECK_INT(peer.flags & T_RST, ==, T_RST);
	CHECK_INT(dns_tcp_tick(t, 2), ==, INT64_MAX);
}

TEST(questions_wait_when_too_many_are_open)
{
	struct dns_tcp_id first;

	begin();
	open_connection();
	for (int i = 0; i < DNS_TCP_PENDING + 5; i++)
		say(T_ACK, "\0\1q", 3, 1);
	CHECK_INT(asked.n, ==, DNS_TCP_PENDING);
	CHECK_INT(peer.heard_window, <, 2 + LIMIT_DNS_QUERY);
	first = asked.id;
	dns_tcp_answer(t, first, (const uint8_t *)"a", 1, 2);
	(void)dns_tcp_tick(t, 2);
	CHECK_INT(asked.n, ==, DNS_TCP_PENDING + 1);
}

TEST(the_quietest_connection_makes_room)
{
	begin();
	for (int i = 0; i < DNS_TCP_CONNS; i++) {
		peer.port = (uint16_t)(1000 + i);
		say(T_SYN, "", 0, i);
	}
	CHECK_INT(peer.flags, ==, T_SYN | T_ACK);
	peer.port = 5000;
	peer.n_frames = 0;
	say(T_SYN, "", 0, 1000);
	CHECK_INT(peer.n_frames, ==, 2); /* a reset and a welcome */
	CHECK_INT(peer.flags, ==, T_SYN | T_ACK);
	CHECK_INT(dns_tcp_tick(t, 60000), ==, INT64_MAX); /* all have been idle too long */
}
