/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libslirp on a tap: the loop of the network process
 *
 *      tap ─▶ parse, put together ─▶ guard ─▶ MSS ─▶ checksum ─▶ net_engine_input()    64 frames a turn
 *                        └────▶ dns_input()
 *      tap ◀─ header, gso size or fragments ◀─ join ◀─ send_frame()
 *
 * With offload libslirp believes in an interface of 64 KiB while the container's stays at its MTU:
 * a packet through libslirp carries forty times as much.
 *
 * Invariants: - no frame reaches libslirp that the guard did not see
 *             - no frame longer than the MTU reaches the tap unless it is marked for segmentation
 * Failure:    a full tap or a lack of buffers drops the frame, as a network does
 */
#include "runtime/net_stack.h"

#include "runtime/net_engine.h"
#include "runtime/net_guard.h"
#include "runtime/net_join.h"
#include "runtime/net_mss.h"
#include "runtime/net_reass.h"

#include "base/log.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>

enum { FRAMES_PER_TURN = 64 };

struct net_stack {
	struct net_engine *engine;
	const struct net_plan *plan;
	struct net_stack_opts opts;
	struct net_tap tap;
	struct net_poll poll;
	struct net_guard guard;
	struct net_mss mss;
	struct net_reass reass;
	struct net_join join;
	int64_t now_ms; /* before the sleep, then when frames arrived */
	struct dns *dns; /* NULL: nothing answers at the DNS address */
	int64_t dns_next_ms;
	uint32_t fragment_id;
	bool stopped, tap_gone, ping4_told, ping6_told;
	uint8_t in[NET_VNET_LEN + LIMIT_NET_FRAME + 1]; /* one more: a longer frame shows */
	uint8_t cut[LIMIT_NET_FRAME];
	uint8_t out[LIMIT_NET_FRAME];
};

static int64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Towards the container */

/* @more: bytes behind those of @frame; NULL: none */
static void tap_write(struct net_stack *s, const struct net_out *o, const uint8_t *frame,
	const struct iovec *more)
{
	struct iovec iov[4];
	int n = 0;

	if (s->tap.vnet_hdr)
		iov[n++] = (struct iovec){ (void *)&o->hdr, NET_VNET_LEN };
	if (o->head_len)
		iov[n++] = (struct iovec){ (void *)o->head, o->head_len };
	if (o->rest_len)
		iov[n++] = (struct iovec){ (void *)(frame + o->rest), o->rest_len };
	if (more)
		iov[n++] = *more;
	if (writev(s->tap.fd, iov, n) < 0 && errno == EBADFD)
		s->tap_gone = true;
}

/* As it is: for kernels without offload, and for our own answers. */
static void tap_write_plain(struct net_stack *s, const uint8_t *frame, size_t len)
{
	struct net_out o = { .rest_len = len };

	tap_write(s, &o, frame, NULL);
}

static void tap_write_fragments(struct net_stack *s, const uint8_t *frame, const struct net_pkt *p)
{
	struct net_out o;

	s->fragment_id++;
	for (size_t i = 0; net_out_fragment(frame, p, s->plan->mtu, s->fragment_id, i, &o) > 0; i++)
		tap_write(s, &o, frame, NULL);
}

/* @segment: of the sender; a receiver acknowledges the second one at once, whatever the MTU is. */
static void tap_write_tcp(struct net_stack *s, const uint8_t *frame, size_t len,
	const struct net_pkt *p, size_t segment, const struct iovec *more)
{
	size_t mss = net_mss_to_guest(&s->mss, frame, p);
	struct net_out o;

	net_out_make(frame, len, p, mss < segment ? mss : segment, &o);
	tap_write(s, &o, frame, more);
}

static void send_held(struct net_stack *s)
{
	if (s->join.len)
		tap_write_tcp(s, s->join.frame, s->join.len, &s->join.pkt, SIZE_MAX, NULL);
	s->join.len = 0;
}

static void send_tcp(struct net_stack *s, const uint8_t *frame, size_t len, const struct net_pkt *p)
{
	struct iovec more;
	size_t at;

	if (net_join_add(&s->join, frame, p, &at, &more.iov_len)) {
		more.iov_base = (void *)(frame + at);
		tap_write_tcp(s, s->join.frame, s->join.len, &s->join.pkt, s->join.len - at, &more);
		s->join.len = 0;
		return;
	}
	send_held(s);
	if (net_join_may_wait(frame, p))
		net_join_hold(&s->join, frame, len, p);
	else
		tap_write_tcp(s, frame, len, p, SIZE_MAX, NULL);
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

static void send_frame(void *ctx, const uint8_t *frame, size_t len)
{
	struct net_stack *s = ctx;
	struct net_out o;
	struct net_pkt p;
	bool is_tcp;

	if (net_pkt_parse(frame, len, &p) < 0) {
		log_debug("net", "bad-frame-from-libslirp bytes=%zu", len);
		return;
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
	} else if (is_tcp) {
		send_tcp(s, frame, len, &p);
	} else {
		net_out_make(frame, len, &p, 0, &o);
		tap_write(s, &o, frame, NULL);
	}
}

/* From the container */

static void input_segments(struct net_stack *s, const struct virtio_net_hdr *hdr,
	const uint8_t *frame, const struct net_pkt *p)
{
	for (size_t i = 0;; i++) {
		int n = net_frame_cut_udp(frame, p, hdr->gso_size, i, s->cut);

		if (n <= 0)
			break;
		net_engine_input(s->engine, s->cut, (size_t)n, p);
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
	static const struct virtio_net_hdr nothing_left;
	uint8_t answer[NET_REFUSE_LEN];
	struct net_pkt p;

	if (net_pkt_parse(frame, len, &p) < 0)
		return;
	if (p.version == 4 && p.fragment) {
		len = net_reass_input(&s->reass, frame, &p, s->now_ms, &frame);
		hdr = &nothing_left;
		if (len == 0 || net_pkt_parse(frame, len, &p) < 0)
			return;
	}
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
		net_engine_input(s->engine, frame, len, &p);
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

/* The loop */

int net_stack_run(struct net_stack *s)
{
	while (!s->stopped && !s->tap_gone) {
		int64_t next, left;
		int r;

		s->now_ms = clock_ms();
		next = net_engine_prepare(s->engine, s->now_ms);
		if (s->dns_next_ms < next)
			next = s->dns_next_ms;
		left = next > s->now_ms ? next - s->now_ms : 0;
		r = net_poll_wait(&s->poll, next == INT64_MAX  ? -1
					    : left > INT32_MAX ? INT32_MAX
							       : (int)left);
		if (r < 0 && r != -EINTR)
			return r;
		s->now_ms = clock_ms();
		net_engine_turn(s->engine, s->now_ms);
		send_held(s);
		if (s->dns)
			s->dns_next_ms = dns_tick(s->dns, s->now_ms);
	}
	return s->tap_gone ? -ENODEV : 0;
}

/* Life */

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

static int stack_engine(struct net_stack *s)
{
	const struct net_engine_opts opts = {
		.plan = s->plan,
		.mtu = s->tap.offload ? NET_MTU_MAX : s->plan->mtu,
		.outbound = s->opts.outbound,
		.outbound6 = s->opts.outbound6,
		/* The guard alone knows which UDP packets are answers; where there can be none, let
		 * libslirp keep watch as well. */
		.disable_host_loopback = !s->opts.allow_host_loopback && !s->opts.forwards_udp,
		.disable_dns = s->opts.disable_dns,
		.poll = &s->poll,
		.send = send_frame,
		.ctx = s,
	};

	return net_engine_new(&opts, &s->engine);
}

int net_stack_new(const struct net_stack_opts *opts, const struct net_tap *tap,
	struct net_stack **ret, struct err *err)
{
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
		.disable_dns = opts->disable_dns,
		.internal = opts->internal };
	r = net_poll_init(&s->poll);
	if (r == 0 && !opts->disable_dns)
		r = stack_dns(s);
	if (r == 0)
		r = net_poll_watch(&s->poll, tap->fd, EPOLLIN, tap_ready, s);
	if (r == 0)
		r = stack_engine(s);
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
	net_engine_free(s->engine);
	dns_free(s->dns);
	net_poll_done(&s->poll);
	free(s);
}

struct net_engine *net_stack_engine(struct net_stack *s)
{
	return s->engine;
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
