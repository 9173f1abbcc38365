/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the host's DNS servers (the contract is in the header)
 *
 *      query ─┬─ try: a socket connected to server 1     silent for TRY_MS, or an error
 *             ├─ try: a socket connected to server 2     answers
 *             └─▶ answer(), and all tries are closed
 *
 * Invariants: - a query in the table waits for a try's socket or for its next_ms
 *             - what a socket reports reaches only the query that it belongs to
 */
#include "runtime/dns_forward.h"

#include "runtime/resolv.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { PORT_DNS = 53 };
/* A client's own patience is 5 s in every C library: it gets an answer before that ends. */
enum { TRY_MS = 1000, DEADLINE_MS = 4500, BAD_MS = 30000 };

struct server {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	int64_t bad_until_ms; /* 0: it has answered since it was silent, or never was */
};

struct
try {
	struct query *query;
	struct server server;
	int fd; /* -1: none */
	size_t sent; /* TCP: bytes of the question with its length */
	struct buf in; /* TCP: what has arrived of the answer */
};

struct query {
	struct dns_forward *forward;
	size_t slot;
	struct dns_client client;
	struct dns_question question;
	int64_t next_ms, deadline_ms;
	struct try tries[LIMIT_DNS_SERVERS];
	size_t n_tries;
	struct buf poor; /* an answer that another server may better */
	uint16_t id; /* under which we ask */
	size_t len;
	uint8_t msg[2 + LIMIT_DNS_QUERY]; /* with TCP's length in front */
};

struct dns_forward {
	struct dns_forward_opts opts;
	struct server servers[LIMIT_DNS_SERVERS];
	size_t n_servers;
	struct query *queries[LIMIT_DNS_PENDING];
	size_t n_queries;
	int64_t now_ms;
	uint8_t in[LIMIT_DNS_MESSAGE];
};

struct dns_forward *dns_forward_new(const struct dns_forward_opts *opts)
{
	struct dns_forward *f = calloc(1, sizeof(*f));

	if (f)
		f->opts = *opts;
	return f;
}

static bool server_equal(const struct server *a, const struct server *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

static void server_mark(struct dns_forward *f, const struct server *which, int64_t bad_until_ms)
{
	for (size_t i = 0; i < f->n_servers; i++)
		if (server_equal(&f->servers[i], which))
			f->servers[i].bad_until_ms = bad_until_ms;
}

/* The @n-th to ask: those first that have not been silent lately, in the order of the file. */
static const struct server *server_at(const struct dns_forward *f, size_t n)
{
	for (int bad = 0; bad <= 1; bad++) {
		for (size_t i = 0; i < f->n_servers; i++) {
			if ((f->servers[i].bad_until_ms > f->now_ms) != bad)
				continue;
			if (n-- == 0)
				return &f->servers[i];
		}
	}
	return NULL;
}

static void try_close(struct try *t)
{
	if (t->fd >= 0) {
		net_poll_forget(t->query->forward->opts.poll, t->fd);
		(void)close(t->fd);
	}
	t->fd = -1;
	buf_done(&t->in);
}

static void query_free(struct query *q)
{
	struct dns_forward *f = q->forward;

	for (size_t i = 0; i < q->n_tries; i++)
		try_close(&q->tries[i]);
	buf_done(&q->poor);
	f->queries[q->slot] = f->queries[--f->n_queries];
	f->queries[q->slot]->slot = q->slot;
	free(q);
}

void dns_forward_free(struct dns_forward *f)
{
	if (!f)
		return;
	while (f->n_queries)
		query_free(f->queries[f->n_queries - 1]);
	free(f);
}

/* The query is gone afterwards. */
static void query_answer(struct query *q, uint8_t *msg, size_t len)
{
	struct dns_forward *f = q->forward;
	struct dns_client client = q->client;

	dns_set_id(msg, q->question.id);
	query_free(q);
	f->opts.answer(f->opts.ctx, &client, msg, len);
}

static void query_give_up(struct query *q)
{
	struct dns_reply reply;
	auto_buf poor = q->poor;

	q->poor = (struct buf){ 0 };
	if (poor.len) {
		query_answer(q, (uint8_t *)poor.data, poor.len);
		return;
	}
	dns_reply_begin(&reply, q->msg + 2, &q->question, DNS_SERVFAIL);
	query_answer(q, reply.msg, reply.len);
}

static bool query_waits(const struct query *q)
{
	for (size_t i = 0; i < q->n_tries; i++)
		if (q->tries[i].fd >= 0)
			return true;
	return false;
}

/* Whether an answer settles the matter: a server may not know what the next one does. */
static bool is_final(const uint8_t *msg)
{
	enum dns_rcode rcode = dns_rcode_of(msg);

	return rcode != DNS_SERVFAIL && rcode != DNS_REFUSED && rcode != DNS_NOTIMP;
}

enum mark { MARK_KNOWN, MARK_ALL };

/* Who has not answered is asked last from now on: all, or those that were silent before. */
static void mark_waiting(struct query *q, enum mark which)
{
	struct dns_forward *f = q->forward;

	for (size_t i = 0; i < q->n_tries; i++) {
		const struct try *t = &q->tries[i];

		if (t->fd >= 0 && (which == MARK_ALL || t->server.bad_until_ms))
			server_mark(f, &t->server, f->now_ms + BAD_MS);
	}
}

/* The next server is asked by the tick that follows. */
static void try_failed(struct try *t)
{
	try_close(t);
	if (!query_waits(t->query))
		t->query->next_ms = 0;
}

static void try_answered(struct try *t, uint8_t *msg, size_t len)
{
	struct query *q = t->query;

	server_mark(q->forward, &t->server, 0);
	if (is_final(msg)) {
		try_close(t);
		mark_waiting(q, MARK_KNOWN);
		query_answer(q, msg, len);
		return;
	}
	if (!q->poor.len && buf_add(&q->poor, msg, len) < 0)
		buf_done(&q->poor);
	try_failed(t);
}

static void udp_ready(void *ctx, int fd, uint32_t events)
{
	struct try *t = ctx;
	struct query *q = t->query;
	struct dns_forward *f = q->forward;
	ssize_t n = recv(fd, f->in, sizeof(f->in), MSG_DONTWAIT);

	(void)events;
	if (n >= 0 && dns_is_answer(&q->question, q->id, f->in, (size_t)n)) {
		try_answered(t, f->in, (size_t)n);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		server_mark(f, &t->server, f->now_ms + BAD_MS);
		try_failed(t);
	}
}

static int tcp_read(struct try *t)
{
	struct query *q = t->query;
	struct dns_forward *f = q->forward;
	size_t want;
	ssize_t n = recv(t->fd, f->in, sizeof(f->in), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 || t->in.len + (size_t)n > 2 + LIMIT_DNS_MESSAGE)
		return -EPROTO;
	if (buf_add(&t->in, f->in, (size_t)n) < 0)
		return -ENOMEM;
	if (t->in.len < 2)
		return 0;
	want = net_get16((const uint8_t *)t->in.data);
	if (t->in.len < 2 + want)
		return 0;
	memcpy(f->in, t->in.data + 2, want);
	if (!dns_is_answer(&q->question, q->id, f->in, want))
		return -EPROTO;
	try_answered(t, f->in, want);
	return 0;
}

static int tcp_write(struct try *t)
{
	struct query *q = t->query;
	ssize_t n = send(t->fd, q->msg + t->sent, 2 + q->len - t->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	t->sent += (size_t)n;
	return 0;
}

static void tcp_ready(void *ctx, int fd, uint32_t events)
{
	struct try *t = ctx;
	struct query *q = t->query;
	struct net_poll *poll = q->forward->opts.poll;
	bool asked = t->sent == 2 + q->len;
	int r;

	(void)events;
	r = asked ? tcp_read(t) : tcp_write(t);
	if (r == 0 && !asked && t->sent == 2 + q->len)
		r = net_poll_watch(poll, fd, EPOLLIN, tcp_ready, t);
	if (r < 0) {
		server_mark(q->forward, &t->server, q->forward->now_ms + BAD_MS);
		try_failed(t);
	}
}

static int try_open(struct try *t)
{
	struct query *q = t->query;
	int type = q->client.is_tcp ? SOCK_STREAM : SOCK_DGRAM;
	socklen_t len =
		t->server.sa.sa_family == AF_INET ? sizeof(t->server.in) : sizeof(t->server.in6);

	t->fd = socket(t->server.sa.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0)
		return -errno;
	if (connect(t->fd, &t->server.sa, len) < 0 && errno != EINPROGRESS)
		return -errno;
	if (q->client.is_tcp)
		return net_poll_watch(q->forward->opts.poll, t->fd, EPOLLOUT, tcp_ready, t);
	if (send(t->fd, q->msg + 2, q->len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		return -errno;
	return net_poll_watch(q->forward->opts.poll, t->fd, EPOLLIN, udp_ready, t);
}

static struct try *try_find(struct query *q, const struct server *s)
{
	for (size_t i = 0; i < q->n_tries; i++)
		if (server_equal(&q->tries[i].server, s))
			return &q->tries[i];
	return NULL;
}

/* Return: whether there is something to wait for. */
static bool ask_server(struct query *q, const struct server *s)
{
	struct try *t;
	int r;

	if (q->n_tries == LIMIT_DNS_SERVERS)
		return false;
	t = &q->tries[q->n_tries++];
	*t = (struct try){ .query = q, .server = *s, .fd = -1 };
	r = try_open(t);
	if (r == 0)
		return true;
	log_debug("net", "dns-server-unreachable errno=%d", -r);
	if (r != -EMFILE && r != -ENFILE)
		server_mark(q->forward, s, q->forward->now_ms + BAD_MS);
	try_close(t);
	return false;
}

/* A datagram may have been lost on the way. */
static void ask_again(struct query *q)
{
	for (size_t i = 0; i < q->n_tries && !q->client.is_tcp; i++)
		if (q->tries[i].fd >= 0)
			(void)send(q->tries[i].fd, q->msg + 2, q->len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * The next server that was not asked, or those behind it if it cannot be reached; together with one
 * that was silent before, so that trying it costs nobody time.  The query may be gone afterwards.
 */
static void query_ask(struct query *q)
{
	struct dns_forward *f = q->forward;
	bool asked = false, any = false;

	for (size_t i = 0; !asked && i < f->n_servers; i++) {
		struct server s = *server_at(f, i);

		if (try_find(q, &s))
			continue;
		any = true;
		asked = ask_server(q, &s) && !s.bad_until_ms;
	}
	if (!any)
		ask_again(q);
	q->next_ms = f->now_ms + TRY_MS;
	if (!query_waits(q))
		query_give_up(q);
}

static bool query_is_from(
	const struct query *q, const struct dns_client *c, const struct dns_question *question)
{
	return !q->client.is_tcp && !c->is_tcp && q->client.port == c->port &&
	       q->question.id == question->id && net_path_equal(&q->client.path, &c->path) &&
	       dns_name_equal(&q->question.name, &question->name);
}

void dns_forward_query(struct dns_forward *f, const struct dns_client *client, const uint8_t *msg,
	size_t len, int64_t now_ms)
{
	struct dns_question question;
	struct query *q;

	f->now_ms = now_ms;
	if (len > LIMIT_DNS_QUERY || dns_parse_query(msg, len, &question) < 0)
		return;
	for (size_t i = 0; i < f->n_queries; i++)
		if (query_is_from(f->queries[i], client, &question))
			return;
	q = f->n_queries < LIMIT_DNS_PENDING ? calloc(1, sizeof(*q)) : NULL;
	if (!q)
		return;
	q->forward = f;
	q->client = *client;
	q->question = question;
	q->deadline_ms = now_ms + DEADLINE_MS;
	q->len = len;
	(void)getrandom(&q->id, sizeof(q->id), GRND_NONBLOCK);
	net_put16(q->msg, (uint16_t)len);
	memcpy(q->msg + 2, msg, len);
	dns_set_id(q->msg + 2, q->id);
	q->slot = f->n_queries;
	f->queries[f->n_queries++] = q;
	query_ask(q);
}

int64_t dns_forward_tick(struct dns_forward *f, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	f->now_ms = now_ms;
	/* Backwards: whoever is answered leaves his place to the last. */
	for (size_t i = f->n_queries; i-- > 0;) {
		struct query *q = f->queries[i];

		if (now_ms >= q->deadline_ms) {
			query_give_up(q);
			continue;
		}
		if (now_ms >= q->next_ms) {
			mark_waiting(q, MARK_ALL);
			query_ask(q);
		}
	}
	for (size_t i = 0; i < f->n_queries; i++) {
		const struct query *q = f->queries[i];
		int64_t at = q->next_ms < q->deadline_ms ? q->next_ms : q->deadline_ms;

		next = at < next ? at : next;
	}
	return next;
}

/* ---- servers ---- */

/* Interfaces are known by name alone until now: "fe80::1%eth0" */
static uint32_t zone_index(const char *name)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return 0;
	memcpy(ifr.ifr_name, name, strlen(name));
	return fd >= 0 && ioctl(fd, SIOCGIFINDEX, &ifr) == 0 ? (uint32_t)ifr.ifr_ifindex : 0;
}

static bool server_parse(const char *text, uint16_t port, struct server *ret)
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "%");

	*ret = (struct server){ 0 };
	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons(port);
		return true;
	}
	if (n >= sizeof(addr))
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (inet_pton(AF_INET6, addr, &ret->in6.sin6_addr) != 1)
		return false;
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons(port);
	if (text[n] == '%')
		ret->in6.sin6_scope_id = zone_index(text + n + 1);
	return true;
}

int dns_forward_set_servers(struct dns_forward *f, const char *resolv, size_t len)
{
	uint16_t port = f->opts.port ? f->opts.port : PORT_DNS;
	struct server servers[LIMIT_DNS_SERVERS];
	auto_resolv rv = { 0 };
	size_t n = 0;
	bool same;
	int r;

	r = resolv_parse(resolv, len, &rv);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rv.servers.n && n < LIMIT_DNS_SERVERS; i++)
		n += server_parse(rv.servers.v[i], port, &servers[n]);
	if (n == 0)
		n += server_parse("127.0.0.1", port, &servers[0]);
	same = n == f->n_servers;
	for (size_t i = 0; same && i < n; i++)
		same = server_equal(&servers[i], &f->servers[i]);
	if (same)
		return 0;
	memcpy(f->servers, servers, n * sizeof(*servers));
	f->n_servers = n;
	log_debug("net", "dns-servers n=%zu", n);
	for (size_t i = f->n_queries; i-- > 0;)
		query_ask(f->queries[i]);
	return 0;
}
