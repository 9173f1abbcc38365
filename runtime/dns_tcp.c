/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP as far as DNS needs it (the contract is in the header)
 *
 *      free ──SYN──▶ half open ──ACK──▶ open ──FIN of the peer, all answered──▶ closing ──ACK──▶ free
 *
 * We never close first, but by RST: when the peer is quiet too long, acknowledges nothing, or sends
 * what is no DNS.
 *
 * Invariants: - out.data[0] has the sequence number una, once the connection is open
 *             - una <= nxt <= una + out.len + 1 (our FIN), in the arithmetic of sequence numbers
 *             - a connection is freed by input and tick alone, never under a function of the caller
 */
#include "runtime/dns_tcp.h"

#include "base/str.h"

#include <arpa/inet.h>

enum { PORT_DNS = 53, TCP_LEN = 20, OPT_MSS_LEN = 4 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };
/* RFC 9293 3.7.1: the size of a peer that says nothing */
enum { MSS_SILENT4 = 536, MSS_SILENT6 = 1220, MSS_MIN = 64, SEGMENT_MAX = 1500 };
/* The peer is microseconds away, but may be busy. */
enum { RESEND_MS = 300, RESENDS = 5, IDLE_MS = 30000 };
/* Answers of one connection that wait for its window */
#define LIMIT_DNS_TCP_OUT (4 * (2 + LIMIT_DNS_MESSAGE))

struct conn {
	struct net_path path; /* towards the peer; version 0: free */
	uint16_t port; /* the peer's, in network order */
	uint32_t serial;
	uint32_t una, nxt; /* ours: not acknowledged yet, not sent yet */
	uint32_t rcv; /* the peer's: expected next */
	uint32_t window;
	size_t mss;
	bool open, peer_done, fin_sent, fin_acked, broken;
	unsigned n_pending, n_resent;
	int64_t resend_ms, last_ms;
	size_t in_len;
	struct buf out;
	uint8_t in[2 + LIMIT_DNS_QUERY];
};

struct dns_tcp {
	struct dns_tcp_opts opts;
	uint32_t serial;
	uint16_t ip_id;
	struct conn conns[DNS_TCP_CONNS];
};

/* A TCP header and what follows, picked apart. */
struct segment {
	uint16_t port; /* network order */
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	const uint8_t *options, *data;
	size_t n_options, len;
};

struct dns_tcp *dns_tcp_new(const struct dns_tcp_opts *opts)
{
	struct dns_tcp *t = calloc(1, sizeof(*t));

	if (t)
		t->opts = *opts;
	return t;
}

static void conn_free(struct conn *c)
{
	buf_done(&c->out);
	c->path.version = 0;
}

void dns_tcp_free(struct dns_tcp *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < DNS_TCP_CONNS; i++)
		conn_free(&t->conns[i]);
	free(t);
}

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

/* ---- out ---- */

static void emit(struct dns_tcp *t, const struct conn *c, uint8_t flags, uint32_t seq,
	const uint8_t *data, size_t len)
{
	uint8_t frame[NET_ETH_LEN + 40 + TCP_LEN + OPT_MSS_LEN + SEGMENT_MAX];
	size_t head = TCP_LEN + (flags & TCP_SYN ? OPT_MSS_LEN : 0);
	size_t at = net_path_begin(&c->path, IPPROTO_TCP, head + len, t->ip_id++, frame);
	uint8_t *tcp = frame + at;

	memset(tcp, 0, head);
	net_put16(tcp, PORT_DNS);
	memcpy(tcp + 2, &c->port, 2);
	put32(tcp + 4, seq);
	put32(tcp + 8, flags & TCP_ACK ? c->rcv : 0);
	tcp[12] = (uint8_t)(head / 4 << 4);
	tcp[13] = flags;
	net_put16(tcp + 14, (uint16_t)(sizeof(c->in) - c->in_len));
	if (flags & TCP_SYN) {
		tcp[TCP_LEN] = 2;
		tcp[TCP_LEN + 1] = OPT_MSS_LEN;
		net_put16(tcp + TCP_LEN + 2, (uint16_t)(t->opts.mtu - at - TCP_LEN + NET_ETH_LEN));
	}
	if (len)
		memcpy(tcp + head, data, len);
	net_path_finish(&c->path, IPPROTO_TCP, head + len, frame);
	t->opts.send(t->opts.ctx, frame, at + head + len);
}

static void reset(struct dns_tcp *t, struct conn *c)
{
	emit(t, c, TCP_RST | TCP_ACK, c->nxt, NULL, 0);
	conn_free(c);
}

/* What was sent and not acknowledged, again. */
static void resend(struct dns_tcp *t, const struct conn *c)
{
	size_t flight = c->nxt - c->una;

	if (!c->open) {
		emit(t, c, TCP_SYN | TCP_ACK, c->una, NULL, 0);
		return;
	}
	if (flight > c->out.len)
		flight = c->out.len; /* behind it comes our FIN */
	for (size_t at = 0, n; at < flight; at += n) {
		n = flight - at < c->mss ? flight - at : c->mss;
		emit(t, c, TCP_ACK | TCP_PSH, c->una + (uint32_t)at,
			(const uint8_t *)c->out.data + at, n);
	}
	if (c->fin_sent && !c->fin_acked)
		emit(t, c, TCP_ACK | TCP_FIN, c->nxt - 1, NULL, 0);
}

/* A question has arrived whole, or the beginning of what is none. */
static bool has_question(const struct conn *c)
{
	size_t len = c->in_len < 2 ? 0 : net_get16(c->in);

	return c->in_len >= 2 && (len == 0 || len > LIMIT_DNS_QUERY || c->in_len >= 2 + len);
}

/* All that the window takes; and our end, when nothing is left to say.  Whether anything went. */
static bool push(struct dns_tcp *t, struct conn *c, int64_t now_ms)
{
	uint32_t before = c->nxt;

	if (!c->open || c->fin_sent)
		return false;
	for (;;) {
		size_t sent = c->nxt - c->una, left = c->out.len - sent;
		size_t room = c->window > sent ? c->window - sent : 0;
		size_t n = left < room ? left : room;

		n = n < c->mss ? n : c->mss;
		if (n == 0)
			break;
		emit(t, c, TCP_ACK | TCP_PSH, c->nxt, (const uint8_t *)c->out.data + sent, n);
		c->nxt += (uint32_t)n;
	}
	if (c->peer_done && c->n_pending == 0 && !has_question(c) &&
		c->nxt - c->una == c->out.len) {
		emit(t, c, TCP_ACK | TCP_FIN, c->nxt, NULL, 0);
		c->nxt++;
		c->fin_sent = true;
	}
	if (c->nxt != before && before == c->una)
		c->resend_ms = now_ms + RESEND_MS;
	return c->nxt != before;
}

/* ---- in ---- */

static struct segment segment_parse(const uint8_t *frame, const struct net_pkt *p)
{
	const uint8_t *tcp = frame + p->l4;
	size_t head = (size_t)(tcp[12] >> 4) * 4;
	struct segment s = {
		.seq = get32(tcp + 4),
		.ack = get32(tcp + 8),
		.flags = tcp[13],
		.window = net_get16(tcp + 14),
		.options = tcp + TCP_LEN,
		.n_options = head - TCP_LEN,
		.data = tcp + head,
		.len = p->end - p->l4 - head,
	};

	memcpy(&s.port, tcp, sizeof(s.port));
	return s;
}

static size_t segment_mss(const struct segment *s, uint8_t version, unsigned mtu)
{
	size_t mss = version == 4 ? MSS_SILENT4 : MSS_SILENT6;
	size_t most = (mtu < SEGMENT_MAX ? mtu : SEGMENT_MAX) - (version == 4 ? 40 : 60);

	for (size_t at = 0; at + 1 < s->n_options && s->options[at] != 0;) {
		size_t len = s->options[at] == 1 ? 1 : s->options[at + 1];

		if (len == 0 || at + len > s->n_options)
			break;
		if (s->options[at] == 2 && len == OPT_MSS_LEN)
			mss = net_get16(s->options + at + 2);
		at += len;
	}
	if (mss < MSS_MIN)
		mss = MSS_MIN;
	return mss < most ? mss : most;
}

static struct conn *conn_find(struct dns_tcp *t, const struct net_path *path, uint16_t port)
{
	for (size_t i = 0; i < DNS_TCP_CONNS; i++) {
		struct conn *c = &t->conns[i];

		if (c->path.version && c->port == port && net_path_equal(&c->path, path))
			return c;
	}
	return NULL;
}

static struct conn *conn_place(struct dns_tcp *t)
{
	struct conn *oldest = &t->conns[0];

	for (size_t i = 0; i < DNS_TCP_CONNS; i++) {
		if (!t->conns[i].path.version)
			return &t->conns[i];
		if (t->conns[i].last_ms < oldest->last_ms)
			oldest = &t->conns[i];
	}
	reset(t, oldest);
	return oldest;
}

static void conn_open(
	struct dns_tcp *t, const struct net_path *path, const struct segment *s, int64_t now_ms)
{
	struct conn *c = conn_place(t);

	memset(c, 0, offsetof(struct conn, in));
	c->path = *path;
	c->port = s->port;
	c->serial = ++t->serial;
	/* Nobody but the peer and its neighbours on the link sees or guesses it. */
	c->una = (uint32_t)now_ms * 250000U + c->serial * 64021U;
	c->nxt = c->una + 1;
	c->rcv = s->seq + 1;
	c->window = s->window;
	c->mss = segment_mss(s, path->version, t->opts.mtu);
	c->last_ms = now_ms;
	c->resend_ms = now_ms + RESEND_MS;
	emit(t, c, TCP_SYN | TCP_ACK, c->una, NULL, 0);
}

/* A packet of no connection */
static void refuse(struct dns_tcp *t, const struct net_path *path, const struct segment *s)
{
	struct conn c = { .path = *path, .port = s->port, .rcv = s->seq + (uint32_t)s->len };

	emit(t, &c, s->flags & TCP_ACK ? TCP_RST : TCP_RST | TCP_ACK,
		s->flags & TCP_ACK ? s->ack : 0, NULL, 0);
}

static void take_ack(struct conn *c, const struct segment *s, int64_t now_ms)
{
	uint32_t acked = s->ack - c->una;
	size_t bytes;

	if (acked > c->nxt - c->una)
		return; /* old, or of what was never sent */
	c->window = s->window;
	if (acked == 0)
		return;
	c->una += acked;
	if (!c->open) {
		c->open = true;
		acked--;
	}
	bytes = acked < c->out.len ? acked : c->out.len;
	if (acked > bytes)
		c->fin_acked = true;
	if (bytes) {
		c->out.len -= bytes;
		memmove(c->out.data, c->out.data + bytes, c->out.len);
	}
	c->n_resent = 0;
	c->resend_ms = now_ms + RESEND_MS;
}

/* Whole questions go out; what begins another one stays. */
static void consume(struct dns_tcp *t, struct conn *c)
{
	const struct dns_tcp_id id = { (uint32_t)(c - t->conns), c->serial };
	uint8_t msg[LIMIT_DNS_QUERY];

	while (has_question(c) && c->n_pending < DNS_TCP_PENDING &&
		c->out.len < LIMIT_DNS_TCP_OUT) {
		size_t len = net_get16(c->in);

		c->broken = len == 0 || len > LIMIT_DNS_QUERY;
		if (c->broken)
			return;
		memcpy(msg, c->in + 2, len);
		c->in_len -= 2 + len;
		memmove(c->in, c->in + 2 + len, c->in_len);
		c->n_pending++;
		t->opts.query(t->opts.ctx, id, msg, len);
	}
}

/* Return: whether the peer must be told what has arrived. */
static bool take_data(struct dns_tcp *t, struct conn *c, const struct segment *s)
{
	size_t room = sizeof(c->in) - c->in_len, n;
	uint32_t known = c->rcv - s->seq; /* bytes of it that came before */

	if (s->len == 0 && !(s->flags & TCP_FIN))
		return s->seq != c->rcv; /* a keep-alive */
	if (known > s->len)
		return true;
	n = s->len - known < room ? s->len - known : room;
	memcpy(c->in + c->in_len, s->data + known, n);
	c->in_len += n;
	c->rcv += (uint32_t)n;
	if (s->flags & TCP_FIN && known + n == s->len && !c->peer_done) {
		c->rcv++;
		c->peer_done = true;
	}
	consume(t, c);
	return true;
}

static void conn_input(struct dns_tcp *t, struct conn *c, const struct segment *s, int64_t now_ms)
{
	bool tell;

	c->last_ms = now_ms;
	if (s->flags & TCP_RST) {
		conn_free(c);
		return;
	}
	if (!(s->flags & TCP_ACK))
		return;
	take_ack(c, s, now_ms);
	if (!c->open)
		return;
	tell = take_data(t, c, s);
	if (c->broken) {
		reset(t, c);
		return;
	}
	if (!push(t, c, now_ms) && tell)
		emit(t, c, TCP_ACK, c->nxt, NULL, 0);
	if (c->fin_acked && c->peer_done)
		conn_free(c);
}

void dns_tcp_input(struct dns_tcp *t, const uint8_t *frame, const struct net_pkt *p, int64_t now_ms)
{
	struct segment s = segment_parse(frame, p);
	struct net_path path;
	struct conn *c;

	net_path_back(frame, p, &path);
	c = conn_find(t, &path, s.port);
	if (s.flags & TCP_SYN && !(s.flags & (TCP_ACK | TCP_RST))) {
		if (c && !c->open && s.seq + 1 == c->rcv) {
			resend(t, c);
			return;
		}
		if (c)
			conn_free(c); /* the peer has forgotten it, and takes the port again */
		conn_open(t, &path, &s, now_ms);
	} else if (c) {
		conn_input(t, c, &s, now_ms);
	} else if (!(s.flags & TCP_RST)) {
		refuse(t, &path, &s);
	}
}

void dns_tcp_answer(
	struct dns_tcp *t, struct dns_tcp_id id, const uint8_t *msg, size_t len, int64_t now_ms)
{
	struct conn *c = &t->conns[id.slot];
	const uint8_t head[2] = { (uint8_t)(len >> 8), (uint8_t)len };

	if (!c->path.version || c->serial != id.serial)
		return;
	c->n_pending--;
	if (len && (buf_add(&c->out, head, sizeof(head)) < 0 || buf_add(&c->out, msg, len) < 0))
		c->broken = true;
	if (!c->broken)
		(void)push(t, c, now_ms);
}

/* Return: when the connection wants to be looked at again. */
static int64_t conn_tick(struct dns_tcp *t, struct conn *c, int64_t now_ms)
{
	int64_t next = c->last_ms + IDLE_MS;
	size_t had = c->in_len;

	if (c->broken || now_ms >= next) {
		reset(t, c);
		return INT64_MAX;
	}
	/* Answers have gone: what waited behind them can be asked, and there is room for more. */
	consume(t, c);
	if (!c->broken && !push(t, c, now_ms) && c->in_len != had)
		emit(t, c, TCP_ACK, c->nxt, NULL, 0);
	if (c->una == c->nxt)
		return c->broken ? now_ms : next;
	if (now_ms >= c->resend_ms) {
		if (c->n_resent++ == RESENDS) {
			reset(t, c);
			return INT64_MAX;
		}
		resend(t, c);
		c->resend_ms = now_ms + RESEND_MS * (1 << c->n_resent);
	}
	return c->resend_ms < next ? c->resend_ms : next;
}

int64_t dns_tcp_tick(struct dns_tcp *t, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < DNS_TCP_CONNS; i++) {
		int64_t at = INT64_MAX;

		if (t->conns[i].path.version)
			at = conn_tick(t, &t->conns[i], now_ms);
		next = at < next ? at : next;
	}
	return next;
}
