/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_engine.h"
#include "tests/helpers/frames.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static struct net_plan plan;
static struct net_poll poll_set;
static struct net_engine *e;
static struct test_frame f;
static struct {
	size_t n, n_arp, n_udp, n_syn_ack, n_rst;
	uint16_t to; /* port of the last TCP or UDP packet */
} heard;

static void hear(void *ctx, const uint8_t *frame, size_t len)
{
	struct net_pkt p;

	(void)ctx;
	heard.n++;
	CHECK_INT(net_pkt_parse(frame, len, &p), ==, 0);
	if (p.version == 0) {
		heard.n_arp++;
	} else if (net_pkt_has_udp(&p)) {
		heard.n_udp++;
		heard.to = net_get16(frame + p.l4 + 2);
	} else if (net_pkt_has_tcp(frame, &p)) {
		heard.n_syn_ack += (frame[p.l4 + 13] & (T_SYN | T_ACK)) == (T_SYN | T_ACK);
		heard.n_rst += !!(frame[p.l4 + 13] & T_RST);
		heard.to = net_get16(frame + p.l4 + 2);
	}
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void turn(int timeout_ms)
{
	(void)net_engine_prepare(e, now_ms());
	(void)net_poll_wait(&poll_set, timeout_ms);
	net_engine_turn(e, now_ms());
}

static void input(void)
{
	struct net_pkt p;

	CHECK_INT(net_pkt_parse(f.bytes, f.len, &p), ==, 0);
	net_engine_input(e, f.bytes, f.len, &p);
}

/* The container asks who has the gateway's address. */
static void arp(void)
{
	static const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6,
		0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 2, 100, 0, 0, 0, 0, 0, 0, 10, 0, 2,
		2 };

	memset(&f, 0, sizeof(f));
	memcpy(f.bytes, head, sizeof(head));
	f.len = 60;
	input();
}

static void say(uint8_t proto, uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct test_packet tp = { .src = "10.0.2.100",
		.dst = "10.0.2.2",
		.proto = proto,
		.sport = sport,
		.dport = dport,
		.tcp_flags = flags,
		.payload = proto == IPPROTO_UDP ? 8 : 0 };

	test_frame_make(&f, &tp);
	input();
}

static uint16_t bind_any(int fd)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), ==, 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&sin, &len), ==, 0);
	return ntohs(sin.sin_port);
}

static void begin(void)
{
	struct net_slirp_opts slirp = NET_SLIRP_OPTS_INIT;
	struct net_engine_opts opts = {
		.plan = &plan, .mtu = 1500, .disable_dns = true, .poll = &poll_set, .send = hear
	};

	CHECK_INT(net_plan_make(&slirp, &plan, NULL), ==, 0);
	CHECK_INT(net_poll_init(&poll_set), ==, 0);
	CHECK_INT(net_engine_new(&opts, &e), ==, 0);
	memset(&heard, 0, sizeof(heard));
}

static void end(void)
{
	net_engine_free(e);
	net_poll_done(&poll_set);
}

TEST(the_gateway_answers_once)
{
	begin();
	for (uint16_t port = 1000; port < 1100; port++)
		say(IPPROTO_UDP, port, 9, 0); /* most instances come to be */
	heard.n_arp = 0;
	arp();
	CHECK_INT(heard.n_arp, ==, 1);
	end();
}

/* The machine has been up for longer than libslirp keeps a socket. */
TEST(the_first_datagram_hears_its_answer)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint16_t port = bind_any(fd);
	char data[64];

	begin();
	arp();
	say(IPPROTO_UDP, 5000, port, 0);
	CHECK_INT(recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &len),
		==, 8);
	(void)net_engine_prepare(e, now_ms());
	CHECK_INT(sendto(fd, data, 8, 0, (struct sockaddr *)&from, len), ==, 8);
	for (int i = 0; i < 100 && heard.n_udp == 0; i++)
		turn(100);
	CHECK_INT(heard.n_udp, ==, 1);
	CHECK_INT(heard.to, ==, 5000);
	end();
}

TEST(many_connections_at_once)
{
	enum { CONNS = 200 };
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = bind_any(fd);

	CHECK_INT(listen(fd, CONNS), ==, 0);
	begin();
	arp();
	for (uint16_t i = 0; i < CONNS; i++)
		say(IPPROTO_TCP, (uint16_t)(2000 + i), port, T_SYN);
	for (int i = 0; i < 200 && heard.n_syn_ack < CONNS; i++)
		turn(100);
	CHECK_INT(heard.n_syn_ack, ==, CONNS);
	CHECK_INT(heard.n_rst, ==, 0);
	end();
}

TEST(a_client_of_a_forwarded_port_reaches_the_container)
{
	struct net_endpoint host = { .in = { .sin_family = AF_INET }, .len = sizeof(host.in) };
	struct net_endpoint guest = host;
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	begin();
	arp();
	host.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	guest.in.sin_addr = plan.guest;
	guest.in.sin_port = htons(8080);
	CHECK_INT(net_engine_forward_add(e, NET_TCP, &host, &guest), ==, 0);
	CHECK(host.in.sin_port != 0);
	(void)connect(fd, &host.sa, host.len);
	for (int i = 0; i < 100 && heard.to != 8080; i++)
		turn(100);
	CHECK_INT(heard.to, ==, 8080);
	CHECK_INT(net_engine_forward_remove(e, NET_TCP, &host), ==, 0);
	CHECK_INT(net_engine_forward_remove(e, NET_TCP, &host), ==, -ENOENT);
	end();
}
