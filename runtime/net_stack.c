/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libslirp on a tap: the loop of the network process
 *
 *      tap ─▶ parse ─▶ guard ─▶ MSS ─▶ checksum ─▶ slirp_input()         64 frames a turn
 *                        └────▶ dns_input()
 *      tap ◀─ header, gso size or fragments ◀─ send_packet()
 *      sockets ◀─▶ slirp_pollfds_poll(), told by one epoll
 *
 * With offload libslirp believes in an interface of 64 KiB while the container's stays at its MTU:
 * a packet through libslirp carries forty times as much.
 *
 * Invariants: - no frame reaches libslirp that the guard did not see
 *             - no frame longer than the MTU reaches the tap unless it is marked for segmentation
 * Failure:    a full tap or a lack of buffers drops the frame, as a network does; a lack of fds
 *             rests the listeners, for an accept that fails would be tried without end
 */
#include "runtime/net_stack.h"

#include "runtime/net_guard.h"
#include "runtime/net_mss.h"

#include "base/log.h"

#include <fcntl.h>
#include <libslirp.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>

enum { TAG_LISTENER = 1 };
enum { FRAMES_PER_TURN = 64, TIMERS = 4 };
/* Connections that may wait for libslirp, which asks for one itself: bursts would meet refusals. */
enum { LISTEN_BACKLOG = 1024 };
/* How long listeners rest after an accept that gave no connection. */
enum { LISTENERS_REST_MS = 100 };
/* libslirp's answer when nothing of its own waits for time to pass */
enum { SLIRP_IDLE_MS = 1000 };

struct stack_timer {
	bool used, armed;
	SlirpTimerId id;
	void *opaque;
	int64_t expires_ms;
};

struct net_stack {
	Slirp *slirp;
	const struct net_plan *plan;
	struct net_stack_opts opts;
	struct sockaddr_in outbound;
	struct sockaddr_in6 outbound6;
	struct net_tap tap;
	struct net_poll poll;
	struct net_guard guard;
	struct net_mss mss;
	struct stack_timer timers[TIMERS];
	int64_t now_ms; /* before the sleep, then when frames arrived */
	int64_t listeners_rest_until_ms;
	size_t n_sockets; /* of libslirp, without listeners */
	size_t n_accept_ready, n_accepted; /* in this turn */
	struct dns *dns; /* NULL: nothing answers at the DNS address */
	int64_t dns_next_ms;
	uint32_t fragment_id;
	bool stopped, tap_gone, ping4_told, ping6_told;
	uint8_t in[NET_VNET_LEN + LIMIT_NET_FRAME + 1]; /* one more: a longer frame shows */
	uint8_t cut[LIMIT_NET_FRAME];
	uint8_t out[LIMIT_NET_FRAME];
};

static int64_t clock_ns(void *opaque)
{
	struct timespec ts;

	(void)opaque;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t clock_ms(void)
{
	return clock_ns(NULL) / 1000000;
}

/* Towards the container */

static void tap_write(struct net_stack *s, const struct net_out *o, const uint8_t *frame)
{
	struct iovec iov[3];
	int n = 0;

	if (s->tap.vnet_hdr)
		iov[n++] = (struct iovec){ (void *)&o->hdr, NET_VNET_LEN };
	if (o->head_len)
		iov[n++] = (struct iovec){ (void *)o->head, o->head_len };
	if (o->rest_len)
		iov[n++] = (struct iovec){ (void *)(frame + o->rest), o->rest_len };
	if (writev(s->tap.fd, iov, n) < 0 && errno == EBADFD)
		s->tap_gone = true;
}

/* As it is: for kernels without offload, and for our own answers. */
static void tap_write_plain(struct net_stack *s, const uint8_t *frame, size_t len)
{
	struct net_out o = { .rest_len = len };

	tap_write(s, &o, frame);
}

static void tap_write_fragments(struct net_stack *s, const uint8_t *frame, const struct net_pkt *p)
{
	struct net_out o;

	s->fragment_id++;
	for (size_t i = 0; net_out_fragment(frame, p, s->plan->mtu, s->fragment_id, i, &o) > 0; i++)
		tap_write(s, &o, frame);
}

static void send_dns(void *ctx, uint8_t *frame, size_t len)
{
	struct net_stack *s = ctx;
	struct net_pkt p;

	if (net_pkt_parse(frame, len, &p) == 0 && p.end - NET_ETH_LEN > s->plan->mtu)
		tap_write_fragments(s, frame, &p);
	else
		tap_write_plain(s, frame, len);
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct net_stack *s = opaque;
	const uint8_t *frame = buf;
	struct net_out o;
	struct net_pkt p;
	bool is_tcp;

	if (net_pkt_parse(frame, len, &p) < 0) {
		log_debug("net", "bad-frame-from-libslirp bytes=%zu", len);
		return (ssize_t)len;
	}
	if (net_guard_is_loopback(frame, &p)) {
		memcpy(s->out, frame, len);
		net_guard_readdress(&s->guard, s->out, &p);
		frame = s->out;
	}
	net_guard_to_guest(&s->guard, frame, &p, s->now_ms / 1000);
	is_tcp = !p.fragment && net_pkt_has_tcp(frame, &p);
	if (p.version && !is_tcp && p.end - NET_ETH_LEN > s->plan->mtu) {
		tap_write_fragments(s, frame, &p);
	} else if (!s->tap.offload) {
		tap_write_plain(s, frame, len);
	} else {
		net_out_make(frame, len, &p, is_tcp ? net_mss_to_guest(&s->mss, frame, &p) : 0, &o);
		tap_write(s, &o, frame);
	}
	return (ssize_t)len;
}

/* From the container */

static void input_segments(struct net_stack *s, const struct virtio_net_hdr *hdr,
	const uint8_t *frame, const struct net_pkt *p)
{
	for (size_t i = 0;; i++) {
		int n = net_frame_cut_udp(frame, p, hdr->gso_size, i, s->cut);

		if (n <= 0)
			break;
		slirp_input(s->slirp, s->cut, n);
	}
}

/* Whether the user may send pings does not change, so that he may not is told once. */
static void explain_ping(struct net_stack *s, const uint8_t *frame, const struct net_pkt *p)
{
	enum { ECHO4 = 8, ECHO6 = 128 };
	bool *told = p->version == 4 ? &s->ping4_told : &s->ping6_told;
	uint8_t echo = p->version == 4 ? ECHO4 : ECHO6;
	int fd;

	if (*told || p->proto != (p->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ||
		p->end == p->l4 || frame[p->l4] != echo ||
		!net_guard_is_outside(&s->guard, frame, p))
		return;
	*told = true;
	if (p->version == 6) {
		log_warning("net", "no-ping6 reason='this libslirp forwards no pings over IPv6'");
		return;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		log_warning("net",
			"no-ping reason='%s' hint='sysctl net.ipv4.ping_group_range=\"0 "
			"2147483647\" "
			"as root of the host'",
			strerror(errno));
	else
		(void)close(fd);
}

static void input_frame(
	struct net_stack *s, const struct virtio_net_hdr *hdr, uint8_t *frame, size_t len)
{
	uint8_t answer[NET_REFUSE_LEN];
	struct net_pkt p;

	if (net_pkt_parse(frame, len, &p) < 0)
		return;
	switch (net_guard_from_guest(&s->guard, frame, &p, s->now_ms / 1000)) {
	case NET_PASS:
		explain_ping(s, frame, &p);
		break;
	case NET_REFUSE:
		tap_write_plain(s, answer, net_guard_refuse(frame, &p, answer));
		return;
	case NET_DNS:
		dns_input(s->dns, frame, &p, s->now_ms);
		return;
	default:
		return;
	}
	switch (hdr->gso_type) {
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		input_segments(s, hdr, frame, &p);
		return;
	case VIRTIO_NET_HDR_GSO_NONE:
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		break;
	default:
		return; /* never asked for */
	}
	if (s->tap.offload)
		net_mss_from_guest(&s->mss, frame, &p, hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	if (net_frame_finish(hdr, frame, len, &p) == 0)
		slirp_input(s->slirp, frame, (int)len);
}

static void tap_ready(void *ctx, int fd, uint32_t events)
{
	struct net_stack *s = ctx;
	size_t skip = s->tap.vnet_hdr ? NET_VNET_LEN : 0;
	struct virtio_net_hdr hdr = { 0 };

	s->now_ms = clock_ms();
	if (events & EPOLLERR)
		s->tap_gone = true;
	for (int i = 0; i < FRAMES_PER_TURN && !s->tap_gone; i++) {
		ssize_t n = read(fd, s->in, sizeof(s->in));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			s->tap_gone = errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM;
			break;
		}
		if ((size_t)n < skip || (size_t)n == sizeof(s->in))
			continue;
		memcpy(&hdr, s->in, skip);
		input_frame(s, &hdr, s->in + skip, (size_t)n - skip);
	}
}

/* What libslirp asks of us */

static void guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	log_debug("net", "guest-error text='%s'", msg);
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct net_stack *s = opaque;

	for (size_t i = 0; i < TIMERS; i++) {
		if (!s->timers[i].used) {
			s->timers[i] = (struct stack_timer){ true, false, id, cb_opaque, 0 };
			return &s->timers[i];
		}
	}
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
	struct stack_timer *t = timer;

	(void)opaque;
	if (t)
		t->used = false;
}

static void timer_mod(void *timer, int64_t expires_ms, void *opaque)
{
	struct stack_timer *t = timer;

	(void)opaque;
	if (t) {
		t->armed = true;
		t->expires_ms = expires_ms;
	}
}

static void register_fd(int fd, void *opaque)
{
	struct net_stack *s = opaque;

	(void)fd;
	s->n_sockets++;
	s->n_accepted++;
}

static void unregister_fd(int fd, void *opaque)
{
	struct net_stack *s = opaque;

	if (s->n_sockets)
		s->n_sockets--;
	net_poll_forget(&s->poll, fd);
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

/* The loop */

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
	struct net_stack *s = opaque;

	if (s->now_ms >= s->listeners_rest_until_ms || net_poll_tag(&s->poll, fd) != TAG_LISTENER)
		(void)net_poll_want(&s->poll, fd, to_epoll(events));
	return fd;
}

static int get_revents(int idx, void *opaque)
{
	struct net_stack *s = opaque;
	uint32_t events = net_poll_events(&s->poll, idx);

	if (events && net_poll_tag(&s->poll, idx) == TAG_LISTENER)
		s->n_accept_ready++;
	return from_epoll(events);
}

static int turn_timeout_ms(struct net_stack *s, uint32_t slirp_ms)
{
	int64_t ms = slirp_ms;

	/* With no socket there is nothing that ages but fragments, and they may wait. */
	if (slirp_ms >= SLIRP_IDLE_MS || s->n_sockets == 0)
		ms = INT32_MAX;
	if (s->listeners_rest_until_ms > s->now_ms && s->listeners_rest_until_ms - s->now_ms < ms)
		ms = s->listeners_rest_until_ms - s->now_ms;
	if (s->dns_next_ms < INT64_MAX && s->dns_next_ms - s->now_ms < ms)
		ms = s->dns_next_ms > s->now_ms ? s->dns_next_ms - s->now_ms : 0;
	for (size_t i = 0; i < TIMERS; i++) {
		struct stack_timer *t = &s->timers[i];
		int64_t left = t->expires_ms - s->now_ms;

		if (t->used && t->armed && left < ms)
			ms = left < 0 ? 0 : left;
	}
	return ms == INT32_MAX ? -1 : (int)ms;
}

static void fire_timers(struct net_stack *s)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < TIMERS; i++) {
		struct stack_timer *t = &s->timers[i];

		if (!t->used || !t->armed || t->expires_ms > now)
			continue;
		t->armed = false;
		slirp_handle_timer(s->slirp, t->id, t->opaque);
	}
}

int net_stack_run(struct net_stack *s)
{
	while (!s->stopped && !s->tap_gone) {
		uint32_t slirp_ms = UINT32_MAX;
		int r;

		s->now_ms = clock_ms();
		net_poll_begin(&s->poll);
		slirp_pollfds_fill(s->slirp, &slirp_ms, add_poll, s);
		r = net_poll_wait(&s->poll, turn_timeout_ms(s, slirp_ms));
		if (r < 0 && r != -EINTR)
			return r;
		s->n_accept_ready = s->n_accepted = 0;
		slirp_pollfds_poll(s->slirp, r < 0, get_revents, s);
		if (s->n_accept_ready && !s->n_accepted)
			s->listeners_rest_until_ms = clock_ms() + LISTENERS_REST_MS;
		fire_timers(s);
		if (s->dns)
			s->dns_next_ms = dns_tick(s->dns, clock_ms());
	}
	return s->tap_gone ? -ENODEV : 0;
}

/* Life and forwards */

static void config_fill(
	SlirpConfig *cfg, const struct net_stack *s, const struct net_stack_opts *opts)
{
	const struct net_plan *plan = s->plan;
	size_t mtu = s->tap.offload ? NET_MTU_MAX : plan->mtu;

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
	cfg->if_mtu = mtu;
	cfg->if_mru = mtu;
	/* The guard alone knows which UDP packets are answers; where there can be none, let
	 * libslirp keep watch as well. */
	cfg->disable_host_loopback = !opts->allow_host_loopback && !opts->forwards_udp;
	cfg->disable_dns = opts->disable_dns;
}

static int stack_dns(struct net_stack *s)
{
	const struct dns_opts opts = {
		.mtu = s->plan->mtu,
		.poll = &s->poll,
		.send = send_dns,
		.send_ctx = s,
		.asked = s->opts.dns_asked,
		.asked_ctx = s->opts.ctx,
	};

	s->dns = dns_new(&opts);
	return s->dns ? 0 : -ENOMEM;
}

int net_stack_new(const struct net_stack_opts *opts, const struct net_tap *tap,
	struct net_stack **ret, struct err *err)
{
	SlirpConfig cfg = { 0 };
	struct net_stack *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "cannot start the network");
	s->plan = opts->plan;
	s->opts = *opts;
	s->tap = *tap;
	s->mss.mtu = opts->plan->mtu;
	s->dns_next_ms = INT64_MAX;
	s->guard = (struct net_guard){ .plan = opts->plan,
		.allow_host_loopback = opts->allow_host_loopback,
		.disable_dns = opts->disable_dns };
	config_fill(&cfg, s, opts);
	if (opts->outbound) {
		s->outbound = *opts->outbound;
		cfg.outbound_addr = &s->outbound;
	}
	if (opts->outbound6) {
		s->outbound6 = *opts->outbound6;
		cfg.outbound_addr6 = &s->outbound6;
	}
	r = net_poll_init(&s->poll);
	if (r == 0 && !opts->disable_dns)
		r = stack_dns(s);
	if (r == 0)
		r = net_poll_watch(&s->poll, tap->fd, EPOLLIN, tap_ready, s);
	if (r == 0) {
		s->slirp = slirp_new(&cfg, &callbacks, s);
		r = s->slirp ? 0 : -EINVAL;
	}
	if (r < 0) {
		net_stack_free(s);
		return err_set(err, r, "cannot start libslirp");
	}
	*ret = s;
	return 0;
}

void net_stack_free(struct net_stack *s)
{
	if (!s)
		return;
	if (s->slirp)
		slirp_cleanup(s->slirp);
	dns_free(s->dns);
	net_poll_done(&s->poll);
	free(s);
}

const char *net_stack_version(unsigned *ret_config)
{
	*ret_config = SLIRP_CONFIG_VERSION_MAX;
	return slirp_version_string();
}

struct net_poll *net_stack_poll(struct net_stack *s)
{
	return &s->poll;
}

struct dns *net_stack_dns(struct net_stack *s)
{
	return s->dns;
}

void net_stack_stop(struct net_stack *s)
{
	s->stopped = true;
}

static int forward_flags(enum net_proto proto, const struct net_endpoint *host)
{
	return (proto == NET_UDP ? SLIRP_HOSTFWD_UDP : 0) |
	       (host->sa.sa_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

/* libslirp does not say which fd listens, but one thread can tell the next one. */
static int next_fd(const struct net_stack *s)
{
	int fd = fcntl(s->tap.fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		(void)close(fd);
	return fd;
}

static void tend_listener(struct net_stack *s, int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) < 0 || !yes)
		return;
	(void)listen(fd, LISTEN_BACKLOG);
	(void)net_poll_set_tag(&s->poll, fd, TAG_LISTENER);
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

int net_stack_forward_add(struct net_stack *s, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest)
{
	int fd = next_fd(s);

	if (fd < 0)
		return -errno;
	errno = 0;
	if (slirp_add_hostxfwd(s->slirp, &host->sa, host->len, &guest->sa, guest->len,
		    forward_flags(proto, host)) < 0)
		return errno ? -errno : -EINVAL;
	if (proto == NET_TCP)
		tend_listener(s, fd);
	return host->in.sin_port ? 0 : chosen_port(fd, host);
}

int net_stack_forward_remove(
	struct net_stack *s, enum net_proto proto, const struct net_endpoint *host)
{
	if (slirp_remove_hostxfwd(s->slirp, &host->sa, host->len, forward_flags(proto, host)) < 0)
		return -ENOENT;
	return 0;
}
