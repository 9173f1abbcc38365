/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/dns_forward.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* Servers on 127.0.0.1, .2 and .3, on a port that the first one found free */
static int servers[3];
static uint16_t port;
static struct net_poll poll_set;
static struct dns_forward *f;
static struct {
	size_t n;
	uint16_t id;
	enum dns_rcode rcode;
	uint8_t last; /* byte of the answer */
} heard;

static void hear(void *ctx, const struct dns_client *to, uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)to;
	heard.n++;
	heard.id = net_get16(msg);
	heard.rcode = dns_rcode_of(msg);
	heard.last = msg[len - 1];
}

static int open_server(const char *addr)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)inet_pton(AF_INET, addr, &sin.sin_addr);
	CHECK_INT(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), ==, 0);
	(void)getsockname(fd, (struct sockaddr *)&sin, &len);
	port = ntohs(sin.sin_port);
	return fd;
}

static void set_servers(const char *resolv)
{
	CHECK_INT(dns_forward_set_servers(f, resolv, strlen(resolv)), ==, 0);
}

static void begin(const char *resolv)
{
	struct dns_forward_opts opts = { .poll = &poll_set, .answer = hear };

	port = 0;
	servers[0] = open_server("127.0.0.1");
	servers[1] = open_server("127.0.0.2");
	servers[2] = open_server("127.0.0.3");
	CHECK_INT(net_poll_init(&poll_set), ==, 0);
	opts.port = port;
	f = dns_forward_new(&opts);
	memset(&heard, 0, sizeof(heard));
	set_servers(resolv);
}

static void end(void)
{
	dns_forward_free(f);
	net_poll_done(&poll_set);
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		(void)close(servers[i]);
}

/* a.: A IN */
static void ask(uint16_t id, int64_t now_ms)
{
	const struct dns_client client = { .path = { .version = 4 }, .port = 7 };
	uint8_t msg[DNS_HEADER_LEN + 7] = { [2] = 1, [5] = 1, [12] = 1, 'a', 0, 0, 1, 0, 1 };

	dns_set_id(msg, id);
	dns_forward_query(f, &client, msg, sizeof(msg), now_ms);
}

static void turn(int64_t now_ms)
{
	(void)net_poll_wait(&poll_set, 0);
	(void)dns_forward_tick(f, now_ms);
}

/* Whether server @n was asked; it answers, if @rcode is not negative. */
static bool is_asked(size_t n, int rcode)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t msg[512];
	ssize_t len =
		recvfrom(servers[n], msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

	if (len < 0 || rcode < 0)
		return len >= 0;
	msg[2] |= 0x80;
	msg[3] = (uint8_t)rcode;
	msg[len] = (uint8_t)n;
	return sendto(servers[n], msg, (size_t)len + 1, 0, (struct sockaddr *)&from, from_len) > 0;
}

TEST(the_first_server_is_asked)
{
	begin("nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
	ask(5, 0);
	CHECK(is_asked(0, DNS_NOERROR));
	turn(1);
	CHECK_INT(heard.n, ==, 1);
	CHECK_INT(heard.id, ==, 5);
	CHECK(!is_asked(1, -1));
	CHECK_INT(dns_forward_tick(f, 2), ==, INT64_MAX);
	end();
}

TEST(a_silent_server_costs_a_second_once)
{
	begin("nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
	ask(5, 0);
	CHECK(is_asked(0, -1));
	turn(999);
	CHECK(!is_asked(1, -1));
	turn(1000);
	CHECK(is_asked(1, DNS_NOERROR));
	turn(1001);
	CHECK_INT(heard.last, ==, 1);
	ask(6, 2000); /* from now on the other one first */
	CHECK(!is_asked(0, -1));
	CHECK(is_asked(1, DNS_NOERROR));
	turn(2001);
	CHECK_INT(heard.n, ==, 2);
	ask(7, 60000); /* after a while both: whether it is back costs nobody time */
	CHECK(is_asked(0, DNS_NOERROR));
	CHECK(is_asked(1, -1));
	turn(60001);
	CHECK_INT(heard.last, ==, 0);
	ask(8, 60002);
	CHECK(is_asked(0, -1));
	CHECK(!is_asked(1, -1));
	end();
}

TEST(a_closed_port_costs_nothing)
{
	begin("nameserver 127.0.0.4\nnameserver 127.0.0.2\n");
	ask(5, 0);
	turn(1);
	CHECK(is_asked(1, DNS_NXDOMAIN));
	turn(2);
	CHECK_INT(heard.n, ==, 1);
	CHECK_INT(heard.rcode, ==, DNS_NXDOMAIN);
	end();
}

TEST(a_server_that_cannot_is_not_the_last_word)
{
	begin("nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
	ask(5, 0);
	CHECK(is_asked(0, DNS_REFUSED));
	turn(1);
	CHECK_INT(heard.n, ==, 0);
	CHECK(is_asked(1, DNS_NOERROR));
	turn(2);
	CHECK_INT(heard.rcode, ==, DNS_NOERROR);
	ask(6, 3);
	CHECK(is_asked(0, DNS_REFUSED));
	turn(4);
	CHECK(is_asked(1, DNS_SERVFAIL));
	turn(5);
	turn(5);
	CHECK_INT(heard.n, ==, 2);
	CHECK_INT(heard.rcode, ==, DNS_REFUSED);
	end();
}

TEST(without_answers_the_client_hears_so_before_it_gives_up)
{
	int asked = 0;

	begin("nameserver 127.0.0.1\n");
	ask(5, 0);
	ask(5, 1); /* the client repeats itself */
	for (int64_t now = 0; now < 4500; now += 100) {
		asked += is_asked(0, -1);
		turn(now);
	}
	CHECK_INT(asked, ==, 5); /* at first and each second: datagrams are lost */
	CHECK_INT(heard.n, ==, 0);
	turn(4500);
	CHECK_INT(heard.n, ==, 1);
	CHECK_INT(heard.rcode, ==, DNS_SERVFAIL);
	end();
}

TEST(new_servers_are_asked_at_once)
{
	begin("nameserver 127.0.0.1\n");
	ask(5, 0);
	CHECK(is_asked(0, -1));
	set_servers("nameserver 127.0.0.3\n");
	turn(1);
	CHECK(is_asked(2, DNS_NOERROR));
	turn(2);
	CHECK_INT(heard.last, ==, 2);
	end();
}

TEST(forged_answers_are_not_heard)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t msg[512];
	ssize_t len;

	begin("nameserver 127.0.0.1\n");
	ask(5, 0);
	len = recvfrom(servers[0], msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);
	CHECK_INT(len, >, 0);
	msg[2] |= 0x80;
	msg[1] ^= 1; /* another id */
	(void)sendto(servers[0], msg, (size_t)len, 0, (struct sockaddr *)&from, from_len);
	msg[1] ^= 1; /* from another server */
	(void)sendto(servers[1], msg, (size_t)len, 0, (struct sockaddr *)&from, from_len);
	turn(1);
	turn(1);
	CHECK_INT(heard.n, ==, 0);
	end();
}

TEST(so_many_questions_wait_and_no_more)
{
	begin("nameserver 127.0.0.1\n");
	for (int i = 0; i < LIMIT_DNS_PENDING + 10; i++)
		ask((uint16_t)i, 0);
	turn(5000);
	CHECK_INT(heard.n, ==, LIMIT_DNS_PENDING);
	end();
}
