/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS forwarder: hostile questions, and hostile answers of servers over UDP and TCP
 *
 * Input: steps of a kind, a choice and a length, with bytes.  Answers have the id of the question
 * that they answer unless the choice says otherwise.
 */
#include "runtime/dns_forward.h"
#include "tests/fuzz/fuzz.h"

#include "base/cleanup.h"
#include "runtime/dns_msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

enum step { STEP_ASK, STEP_ANSWER, STEP_SERVERS, STEP_TIME, STEP_MAX_ };
enum choice { BY_TCP = 1, RAW = 2, END = 4, IPV6 = 8 };

static struct net_poll poll_set;
static struct dns_forward *f;
static int server = -1, listener = -1, conn = -1;
static uint16_t port;
static int64_t now_ms;

static void hear(void *ctx, const struct dns_client *to, uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)to;
	(void)msg;
	assert(len >= DNS_HEADER_LEN && len <= LIMIT_DNS_MESSAGE);
}

/* Both on one port of 127.0.0.1 */
static void open_servers(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	const int one = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	do {
		if (server >= 0)
			(void)close(server);
		if (listener >= 0)
			(void)close(listener);
		sin.sin_port = 0;
		server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		assert(bind(server, (struct sockaddr *)&sin, sizeof(sin)) == 0);
		assert(getsockname(server, (struct sockaddr *)&sin, &len) == 0);
		port = ntohs(sin.sin_port);
	} while (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) < 0);
	assert(listen(listener, 16) == 0);
}

static void hang_up(void)
{
	const struct linger reset = { .l_onoff = 1 };

	if (conn < 0)
		return;
	(void)setsockopt(conn, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(conn);
	conn = -1;
}

static void ask(uint8_t choice, const uint8_t *data, size_t len)
{
	static const uint8_t common[] = { 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0,
		1 };
	uint8_t msg[LIMIT_DNS_QUERY];
	struct dns_client client = {
		.path = { .version = choice & IPV6 ? 6 : 4 }, .port = 7, .is_tcp = choice & BY_TCP
	};
	struct dns_question q;

	if (choice & RAW) {
		len = len < sizeof(msg) ? len : sizeof(msg);
		memcpy(msg, data, len);
	} else {
		memcpy(msg, common, sizeof(common));
		msg[1] = len ? data[0] : 7;
		len = sizeof(common);
	}
	if (dns_parse_query(msg, len, &q) == 0)
		dns_forward_query(f, &client, msg, len, now_ms);
}

static void answer_udp(uint8_t choice, const uint8_t *data, size_t len)
{
	static uint8_t msg[LIMIT_DNS_MESSAGE];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(server, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

	if (n < DNS_HEADER_LEN)
		return;
	msg[2] |= 0x80;
	msg[3] = len ? data[0] : 0;
	if (choice & RAW) {
		memcpy(msg + 2, data, len);
		n = 2 + (ssize_t)len;
	}
	(void)sendto(server, msg, (size_t)n, 0, (struct sockaddr *)&from, from_len);
}

/* As much of an answer as the input wants, so that it comes in pieces */
static void answer_tcp(uint8_t choice, const uint8_t *data, size_t len)
{
	static uint8_t msg[2 + LIMIT_DNS_MESSAGE];
	ssize_t n;

	if (conn < 0)
		conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	(void)net_poll_wait(&poll_set, 0);
	n = conn < 0 ? -1 : recv(conn, msg, sizeof(msg), 0);
	if (n > 2 + DNS_HEADER_LEN) {
		msg[4] |= 0x80;
		msg[5] = len ? data[0] : 0;
		(void)send(conn, msg, (size_t)n - (choice & RAW && len ? 1 : 0), MSG_NOSIGNAL);
	} else if (conn >= 0 && choice & RAW) {
		(void)send(conn, data, len, MSG_NOSIGNAL);
	}
	if (choice & END)
		hang_up();
}

static void servers(uint8_t choice, const uint8_t *data, size_t len)
{
	static const char *const texts[] = { "nameserver 127.0.0.1\n", "",
		"nameserver ::1\nnameserver 127.0.0.1\n",
		"nameserver 127.0.0.1\nnameserver fe80::1%lo\nnameserver fe80::2%nowhere\n",
		"nameserver 127.0.0.2\nnameserver 127.0.0.1\nnameserver ::1\n",
		"nameserver 2001:db8::1%interface-with-a-long-name\n" };
	const char *text = texts[choice / 4 % ARRAY_SIZE(texts)];

	if (choice & RAW)
		(void)dns_forward_set_servers(f, (const char *)data, len);
	else
		(void)dns_forward_set_servers(f, text, strlen(text));
}

static void step(const uint8_t *head, const uint8_t *data, size_t len)
{
	switch (head[0] % STEP_MAX_) {
	case STEP_ASK:
		ask(head[1], data, len);
		break;
	case STEP_ANSWER:
		if (head[1] & BY_TCP)
			answer_tcp(head[1], data, len);
		else
			answer_udp(head[1], data, len);
		break;
	case STEP_SERVERS:
		servers(head[1], data, len);
		break;
	default:
		now_ms += head[1] * 64;
		break;
	}
	(void)net_poll_wait(&poll_set, 0);
	(void)dns_forward_tick(f, now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_forward_opts opts = { .poll = &poll_set, .answer = hear };
	char rest[512];

	if (server < 0)
		open_servers();
	assert(net_poll_init(&poll_set) == 0);
	opts.port = port;
	f = dns_forward_new(&opts);
	assert(f && dns_forward_set_servers(f, "", 0) == 0);
	now_ms = 0;
	while (len >= 3) {
		size_t n = len - 3 < data[2] ? len - 3 : data[2];

		step(data, data + 3, n);
		data += 3 + n;
		len -= 3 + n;
	}
	dns_forward_free(f);
	net_poll_done(&poll_set);
	hang_up();
	while ((conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		hang_up();
	while (recv(server, rest, sizeof(rest), MSG_DONTWAIT) >= 0)
		;
	return 0;
}
