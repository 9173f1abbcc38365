/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libslirp, several times over (the contract is in the header)
 *
 *      turn: prepare ─ each dirty shard names its sockets ─▶ sleep ─▶ turn ─ each shard that was
 *            touched, or whose time has come, looks at its sockets, and is dirty then
 *
 * Which instance a packet belongs to is a function of its ports, so that all packets of a
 * connection meet.  Ports of the container that are forwarded belong to instance 0, which
 * accepted those connections.
 *
 * Invariants: - what is broadcast (ARP, neighbour discovery) reaches every instance, and 0 answers
 *             - a shard that is not dirty has told the epoll what it waits for
 * Failure:    a lack of fds rests the listeners, for an accept that fails would be tried without
 *             end; a shard that cannot be made leaves its packets to instance 0
 */
#include "runtime/net_engine.h"

#include "runtime/net_buffers.h"
#include "runtime/net_flows.h"
#include "runtime/net_join.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"

#include <fcntl.h>
#include <libslirp.h>
#include <net/ethernet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

/* The number beside an fd: that it listens, or its flow and, 16 bits each, its buffers */
static const uint64_t TAG_LISTENER = UINT64_MAX;
/* How long after traffic began the pages of empty buffers are given back. */
enum { TRIM_MS = 3000 };
enum { TIMERS = 4, PORT_BOOTP = 67 };
/* Connections that may wait for libslirp, which asks for one itself: bursts would meet refusals. */
enum { LISTEN_BACKLOG = 1024 };
/* How long listeners rest after an accept that gave no connection. */
enum { LISTENERS_REST_MS = 100 };
/* libslirp's answer when nothing of its own waits for time to pass */
enum { SLIRP_IDLE_MS = 1000 };
/* What libslirp believes to receive at most, with offload: segments of which two make a frame. */
enum { MRU_LONG4 = NET_JOIN_MSS + 40, MRU_LONG6 = NET_JOIN_MSS + 60 };
/* The longest frame that teaches the container's addresses and is kept for instances to come */
enum { LESSON_LEN = 128 };

struct timer {
	bool used, armed;
	SlirpTimerId id;
	void *opaque;
	int64_t expires_ms;
};

struct shard {
	struct net_engine *engine;
	Slirp *slirp; /* NULL: not needed yet */
	struct net_poll_set set;
	size_t n_sockets; /* without listeners */
	bool touched, dirty;
	int64_t next_ms;
	int64_t trim_ms; /* INT64_MAX: no traffic since the last time */
};

struct net_engine {
	struct net_engine_opts opts;
	struct sockaddr_in outbound;
	struct sockaddr_in6 outbound6;
	SlirpConfig config;
	struct shard shards[NET_ENGINE_SHARDS];
	struct timer timers[TIMERS]; /* of instance 0: it alone announces routers */
	bool muted; /* what is sent now is an answer that instance 0 has given */
	struct net_flows *flows;
	const uint8_t *frame; /* that libslirp looks at now; NULL: none */
	const struct net_pkt *pkt;
	bool limit_told;
	int64_t now_ms;
	int64_t listeners_rest_until_ms;
	size_t n_accept_ready, n_accepted; /* in this turn */
	uint8_t forwarded[NET_PROTO_MAX_][UINT16_MAX / 8 + 1]; /* the container's ports */
	uint8_t lesson[LESSON_LEN]; /* the last ARP frame of the container */
	size_t lesson_len;
};

/* ---- what libslirp asks of us ---- */

static int64_t clock_ns(void *opaque)
{
	struct timespec ts;

	(void)opaque;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct shard *sh = opaque;
	struct net_engine *e = sh->engine;

	if (!e->muted)
		e->opts.send(e->opts.ctx, buf, len);
	return (ssize_t)len;
}

static void guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	log_debug("net", "guest-error text='%s'", msg);
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct shard *sh = opaque;
	struct net_engine *e = sh->engine;

	for (size_t i = 0; sh == &e->shards[0] && i < TIMERS; i++) {
		if (!e->timers[i].used) {
			e->timers[i] = (struct timer){ true, false, id, cb_opaque, 0 };
			return &e->timers[i];
		}
	}
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
	struct timer *t = timer;

	(void)opaque;
	if (t)
		t->used = false;
}

static void timer_mod(void *timer, int64_t expires_ms, void *opaque)
{
	struct timer *t = timer;

	(void)opaque;
	if (t) {
		t->armed = true;
		t->expires_ms = expires_ms;
	}
}

static void register_fd(int fd, void *opaque)
{
	struct shard *sh = opaque;
	struct net_engine *e = sh->engine;
	struct net_buffers_pair own = net_buffers_newest();
	uint64_t flow = e->frame ? net_flows_begin(e->flows, e->frame, e->pkt) : 0;

	if (net_poll_set_tag(e->opts.poll, fd, flow << 32 | (uint32_t)own.a << 16 | own.b) < 0)
		net_flows_end(e->flows, (uint32_t)flow);
	sh->n_sockets++;
	e->n_accepted++;
}

static void unregister_fd(int fd, void *opaque)
{
	struct shard *sh = opaque;
	struct net_engine *e = sh->engine;
	uint64_t tag = net_poll_tag(e->opts.poll, fd);

	if (sh->n_sockets)
		sh->n_sockets--;
	if (tag != TAG_LISTENER)
		net_flows_end(e->flows, (uint32_t)(tag >> 32));
	net_poll_forget(e->opts.poll, fd);
}

static void notify(void *opaque)
{
	(void)opaque; /* the loop is awake whenever libslirp is called */
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new_opaque = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = register_fd,
	.unregister_poll_fd = unregister_fd,
	.notify = notify,
};

/* ---- instances ---- */

static void config_fill(SlirpConfig *cfg, const struct net_engine_opts *opts)
{
	const struct net_plan *plan = opts->plan;

	cfg->version = 4;
	cfg->in_enabled = true;
	cfg->vnetwork = plan->network;
	cfg->vnetmask = plan->mask;
	cfg->vhost = plan->gateway;
	cfg->vdhcp_start = plan->dhcp;
	cfg->vnameserver = plan->dns;
	cfg->in6_enabled = plan->ipv6;
	cfg->vprefix_addr6 = plan->network6;
	cfg->vprefix_len = 64;
	cfg->vhost6 = plan->gateway6;
	cfg->vnameserver6 = plan->dns6;
	cfg->if_mtu = opts->mtu;
	cfg->if_mru = opts->mtu;
	cfg->disable_host_loopback = opts->disable_host_loopback;
	cfg->disable_dns = opts->disable_dns;
}

static int no_revents(int idx, void *opaque)
{
	(void)idx;
	(void)opaque;
	return 0;
}

/*
 * libslirp looks at the clock when it is polled alone.  Hours may have passed since, and a UDP
 * socket that this frame makes would be over four minutes old at once and never hear an answer.
 */
static void input(struct shard *sh, const uint8_t *frame, size_t len)
{
	if (!sh->touched)
		slirp_pollfds_poll(sh->slirp, 1, no_revents, sh);
	sh->touched = true;
	slirp_input(sh->slirp, frame, (int)len);
}

static void input_muted(struct shard *sh, const uint8_t *frame, size_t len)
{
	struct net_engine *e = sh->engine;

	e->muted = sh != &e->shards[0];
	input(sh, frame, len);
	e->muted = false;
}

/* With IPv6, every other instance is for it; instance 0 takes both. */
static bool is_for_ip6(const struct net_engine *e, size_t i)
{
	return e->opts.plan->ipv6 && i % 2;
}

static int shard_open(struct net_engine *e, struct shard *sh)
{
	SlirpConfig config = e->config;

	if (e->opts.mtu > MRU_LONG6)
		config.if_mru = is_for_ip6(e, (size_t)(sh - e->shards)) ? MRU_LONG6 : MRU_LONG4;
	sh->engine = e;
	sh->slirp = slirp_new(&config, &callbacks, sh);
	if (!sh->slirp)
		return -EINVAL;
	sh->dirty = true;
	sh->next_ms = sh->trim_ms = INT64_MAX;
	if (e->lesson_len)
		input_muted(sh, e->lesson, e->lesson_len);
	return 0;
}

static void shard_close(struct shard *sh)
{
	if (sh->slirp)
		slirp_cleanup(sh->slirp);
	net_poll_set_done(&sh->set);
}

int net_engine_new(const struct net_engine_opts *opts, struct net_engine **ret)
{
	struct net_engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->opts = *opts;
	config_fill(&e->config, opts);
	if (opts->outbound) {
		e->outbound = *opts->outbound;
		e->config.outbound_addr = &e->outbound;
	}
	if (opts->outbound6) {
		e->outbound6 = *opts->outbound6;
		e->config.outbound_addr6 = &e->outbound6;
	}
	r = net_flows_new(fd_raise_limit(), &e->flows);
	if (r == 0)
		r = shard_open(e, &e->shards[0]);
	if (r < 0)
		net_engine_free(e);
	else
		*ret = e;
	return r;
}

void net_engine_free(struct net_engine *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < NET_ENGINE_SHARDS; i++)
		shard_close(&e->shards[i]);
	net_flows_free(e->flows);
	free(e);
}

/* ---- in ---- */

static bool is_forwarded(const struct net_engine *e, enum net_proto proto, uint16_t port)
{
	return e->forwarded[proto][port / 8] & (1U << (port % 8));
}

static size_t shard_of(const struct net_engine *e, const uint8_t *frame, const struct net_pkt *p)
{
	bool tcp = net_pkt_has_tcp(frame, p);
	uint16_t port, peer;
	uint32_t h;

	if (!tcp && !net_pkt_has_udp(p))
		return 0;
	port = net_get16(frame + p->l4);
	peer = net_get16(frame + p->l4 + 2);
	if (is_forwarded(e, tcp ? NET_TCP : NET_UDP, port) || (!tcp && peer == PORT_BOOTP))
		return 0;
	/* One UDP socket of libslirp's speaks to all peers, as one of the container's does. */
	h = ((uint32_t)port << 16 | (tcp ? peer : 0)) * 2654435761U;
	h = (h >> 16) % NET_ENGINE_SHARDS;
	return e->opts.plan->ipv6 ? (h & ~1U) | (p->version == 6) : h;
}

/* Frames from which libslirp learns the container's hardware address */
static bool is_lesson(const uint8_t *frame, const struct net_pkt *p)
{
	enum { ROUTER_SOLICITATION = 133, REDIRECT = 137 };

	if (p->version == 0)
		return net_get16(frame + 12) == ETHERTYPE_ARP;
	return p->version == 6 && p->proto == IPPROTO_ICMPV6 && p->end > p->l4 &&
	       frame[p->l4] >= ROUTER_SOLICITATION && frame[p->l4] <= REDIRECT;
}

static void teach(struct net_engine *e, const uint8_t *frame, size_t len, const struct net_pkt *p)
{
	for (size_t i = 0; i < NET_ENGINE_SHARDS; i++)
		if (e->shards[i].slirp)
			input_muted(&e->shards[i], frame, len);
	if (p->version == 0 && len <= LESSON_LEN) {
		memcpy(e->lesson, frame, len);
		e->lesson_len = len;
	}
}

/* What comes from a published UDP port has a socket: the one that listens. */
static bool may_enter(struct net_engine *e, const uint8_t *frame, const struct net_pkt *p)
{
	if (net_flows_admit(e->flows, frame, p) ||
		(net_pkt_has_udp(p) && is_forwarded(e, NET_UDP, net_get16(frame + p->l4))))
		return true;
	if (!e->limit_told)
		log_warning(
			"net", "too-many-flows hint='new connections wait for old ones to end'");
	e->limit_told = true;
	return false;
}

void net_engine_input(
	struct net_engine *e, const uint8_t *frame, size_t len, const struct net_pkt *p)
{
	struct shard *sh;

	if (is_lesson(frame, p)) {
		teach(e, frame, len, p);
		return;
	}
	if (!may_enter(e, frame, p))
		return;
	sh = &e->shards[shard_of(e, frame, p)];
	if (!sh->slirp && shard_open(e, sh) < 0)
		sh = &e->shards[0];
	e->frame = frame;
	e->pkt = p;
	input(sh, frame, len);
	e->frame = NULL;
}

/* ---- the loop ---- */

/* The same bits under two names; both sides know no others. */
static uint32_t to_epoll(int events)
{
	return (events & SLIRP_POLL_IN ? EPOLLIN : 0U) | (events & SLIRP_POLL_OUT ? EPOLLOUT : 0U) |
	       (events & SLIRP_POLL_PRI ? EPOLLPRI : 0U) |
	       (events & SLIRP_POLL_ERR ? EPOLLERR : 0U) |
	       (events & SLIRP_POLL_HUP ? EPOLLHUP : 0U);
}

static int from_epoll(uint32_t events)
{
	return (events & EPOLLIN ? SLIRP_POLL_IN : 0) | (events & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
	       (events & EPOLLPRI ? SLIRP_POLL_PRI : 0) | (events & EPOLLERR ? SLIRP_POLL_ERR : 0) |
	       (events & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static int add_poll(int fd, int events, void *opaque)
{
	struct shard *sh = opaque;
	struct net_engine *e = sh->engine;

	if (e->now_ms >= e->listeners_rest_until_ms ||
		net_poll_tag(e->opts.poll, fd) != TAG_LISTENER)
		(void)net_poll_want(e->opts.poll, &sh->set, fd, to_epoll(events));
	return fd;
}

static int get_revents(int idx, void *opaque)
{
	struct shard *sh = opaque;
	struct net_engine *e = sh->engine;
	uint32_t events = net_poll_events(e->opts.poll, idx);

	if (events && net_poll_tag(e->opts.poll, idx) == TAG_LISTENER)
		e->n_accept_ready++;
	return from_epoll(events);
}

static void shard_prepare(struct net_engine *e, struct shard *sh)
{
	uint32_t timeout_ms = UINT32_MAX;

	net_poll_begin(&sh->set);
	slirp_pollfds_fill(sh->slirp, &timeout_ms, add_poll, sh);
	net_poll_end(e->opts.poll, &sh->set);
	sh->dirty = false;
	/* With no socket there is nothing that ages but fragments, and they may wait. */
	if (timeout_ms >= SLIRP_IDLE_MS || sh->n_sockets == 0)
		sh->next_ms = INT64_MAX;
	else
		sh->next_ms = e->now_ms + timeout_ms;
}

int64_t net_engine_prepare(struct net_engine *e, int64_t now_ms)
{
	bool resting = e->listeners_rest_until_ms != 0;
	int64_t next = INT64_MAX;

	e->now_ms = now_ms;
	if (resting && now_ms >= e->listeners_rest_until_ms) {
		e->listeners_rest_until_ms = 0;
		e->shards[0].dirty = true;
	} else if (resting) {
		next = e->listeners_rest_until_ms;
	}
	for (size_t i = 0; i < NET_ENGINE_SHARDS; i++) {
		struct shard *sh = &e->shards[i];

		if (sh->slirp && sh->dirty)
			shard_prepare(e, sh);
		if (sh->slirp && sh->next_ms < next)
			next = sh->next_ms;
	}
	for (size_t i = 0; i < TIMERS; i++) {
		const struct timer *t = &e->timers[i];

		if (t->used && t->armed && t->expires_ms < next)
			next = t->expires_ms;
	}
	return next;
}

static void fire_timers(struct net_engine *e)
{
	for (size_t i = 0; i < TIMERS; i++) {
		struct timer *t = &e->timers[i];

		if (!t->used || !t->armed || t->expires_ms > e->now_ms)
			continue;
		t->armed = false;
		slirp_handle_timer(e->shards[0].slirp, t->id, t->opaque);
	}
}

/* libslirp wakes up twice a second while it has connections, so this needs no time of its own. */
static void shard_trim(struct net_engine *e, struct shard *sh)
{
	char *text = slirp_connection_info(sh->slirp);
	const char *at = text;
	int fd;

	while ((at = net_buffers_next_empty(at, &fd))) {
		uint64_t tag = net_poll_tag(e->opts.poll, fd);

		if (tag != TAG_LISTENER)
			net_buffers_trim(
				(struct net_buffers_pair){ (uint16_t)(tag >> 16), (uint16_t)tag });
	}
	g_free(text);
	sh->trim_ms = INT64_MAX;
}

void net_engine_turn(struct net_engine *e, int64_t now_ms)
{
	e->now_ms = now_ms;
	e->n_accept_ready = e->n_accepted = 0;
	for (size_t i = 0; i < NET_ENGINE_SHARDS; i++) {
		struct shard *sh = &e->shards[i];

		if (!sh->slirp || !(sh->set.fired || sh->touched || now_ms >= sh->next_ms))
			continue;
		if (sh->trim_ms == INT64_MAX && (sh->set.fired || sh->touched))
			sh->trim_ms = now_ms + TRIM_MS;
		sh->set.fired = sh->touched = false;
		sh->dirty = true;
		slirp_pollfds_poll(sh->slirp, 0, get_revents, sh);
		if (now_ms >= sh->trim_ms)
			shard_trim(e, sh);
		if (i == 0 && e->n_accept_ready && !e->n_accepted)
			e->listeners_rest_until_ms = now_ms + LISTENERS_REST_MS;
	}
	fire_timers(e);
}

/* ---- forwards ---- */

static int forward_flags(enum net_proto proto, const struct net_endpoint *host)
{
	return (proto == NET_UDP ? SLIRP_HOSTFWD_UDP : 0) |
	       (host->sa.sa_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

/* libslirp does not say which fd listens, but one thread can tell the next one. */
static int next_fd(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		(void)close(fd);
	return fd;
}

static void tend_listener(struct net_engine *e, int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) < 0 || !yes)
		return;
	(void)listen(fd, LISTEN_BACKLOG);
	(void)net_poll_set_tag(e->opts.poll, fd, TAG_LISTENER);
}

/* Both families keep the port at the same place. */
static int chosen_port(int fd, struct net_endpoint *host)
{
	struct net_endpoint own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, &own.sa, &len) < 0)
		return -errno;
	host->in.sin_port = own.in.sin_port;
	return 0;
}

/* Both families keep the port at the same place. */
static void mark_forwarded(
	struct net_engine *e, enum net_proto proto, const struct net_endpoint *guest)
{
	uint16_t port = ntohs(guest->in.sin_port);

	e->forwarded[proto][port / 8] |= (uint8_t)(1U << (port % 8));
}

int net_engine_forward_add(struct net_engine *e, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest)
{
	struct shard *sh = &e->shards[0];
	int fd = next_fd();

	if (fd < 0)
		return -errno;
	errno = 0;
	if (slirp_add_hostxfwd(sh->slirp, &host->sa, host->len, &guest->sa, guest->len,
		    forward_flags(proto, host)) < 0)
		return errno ? -errno : -EINVAL;
	mark_forwarded(e, proto, guest);
	sh->dirty = true;
	if (proto == NET_TCP)
		tend_listener(e, fd);
	return host->in.sin_port ? 0 : chosen_port(fd, host);
}

int net_engine_forward_remove(
	struct net_engine *e, enum net_proto proto, const struct net_endpoint *host)
{
	e->shards[0].dirty = true;
	if (slirp_remove_hostxfwd(
		    e->shards[0].slirp, &host->sa, host->len, forward_flags(proto, host)) < 0)
		return -ENOENT;
	return 0;
}

const char *net_engine_version(unsigned *ret_config)
{
	*ret_config = SLIRP_CONFIG_VERSION_MAX;
	return slirp_version_string();
}
