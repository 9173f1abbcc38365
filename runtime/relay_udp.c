/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP flows of a port relay (the contract is in the header)
 *
 * A server that answers from an unbound socket answers to the client's address, which is not the
 * container's: while a client has a flow, a route inside leads what published ports send to it back
 * here (relay_inside_client()).  Clients are counted, so that the route goes with the last flow.
 *
 * Invariants: - each flow is in one bucket, in the list by age, and holds one client
 *             - the list by age begins with the flow that has been quiet longest
 */
#include "runtime/relay_udp.h"

#include "runtime/relay_route.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { BUCKETS = 1024, DATAGRAMS_PER_TURN = 64, DATAGRAM_BYTES = 65536 };

/* An address that has flows, as the server sees it */
struct client {
	struct client *next; /* in the bucket */
	struct net_endpoint seen_as, guest; /* ports do not count */
	size_t n_flows;
};

struct flow {
	struct flow *next; /* in the bucket */
	struct flow *older, *newer;
	struct relay_udp_listener *listener;
	struct client *client;
	struct net_endpoint from; /* the client */
	struct net_endpoint to; /* which of the host's addresses it spoke to */
	int fd;
	time_t used_s;
};

struct relay_udp_listener {
	struct relay_udp *udp;
	struct relay_udp_listener *next;
	int fd;
	struct net_endpoint guest;
};

struct relay_udp {
	struct relay_loop *loop;
	struct relay_udp_listener *listeners;
	struct flow *flows[BUCKETS];
	struct client *clients[BUCKETS];
	struct flow *oldest, *newest;
	size_t n_flows;
	char datagram[DATAGRAM_BYTES];
};

static time_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static size_t bucket_of(const struct net_endpoint *e, unsigned port)
{
	uint32_t h = port * 2654435761U;
	uint32_t words[4] = { 0 };

	if (e->sa.sa_family == AF_INET)
		words[0] = e->in.sin_addr.s_addr;
	else
		memcpy(words, &e->in6.sin6_addr, sizeof(words));
	for (int i = 0; i < 4; i++)
		h = (h ^ words[i]) * 16777619U;
	return (h ^ h >> 16) % BUCKETS;
}

/* ---- clients ---- */

static struct client *client_get(
	struct relay_udp *udp, const struct net_endpoint *seen_as, const struct net_endpoint *guest)
{
	struct client **at = &udp->clients[bucket_of(seen_as, 0)], *c;

	for (c = *at; c; c = c->next)
		if (relay_same_address(&c->seen_as, seen_as)) {
			c->n_flows++;
			return c;
		}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct client){ .next = *at, .seen_as = *seen_as, .guest = *guest, .n_flows = 1 };
	if (relay_inside_client(&udp->loop->inside, NL_ADD, seen_as, guest) < 0) {
		free(c);
		return NULL;
	}
	*at = c;
	return c;
}

static void client_put(struct relay_udp *udp, struct client *c)
{
	struct client **at = &udp->clients[bucket_of(&c->seen_as, 0)];

	if (--c->n_flows > 0)
		return;
	(void)relay_inside_client(&udp->loop->inside, NL_REMOVE, &c->seen_as, &c->guest);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

/* ---- flows ---- */

static void age_remove(struct relay_udp *udp, struct flow *f)
{
	*(f->older ? &f->older->newer : &udp->oldest) = f->newer;
	*(f->newer ? &f->newer->older : &udp->newest) = f->older;
}

static void age_add(struct relay_udp *udp, struct flow *f)
{
	f->older = udp->newest;
	f->newer = NULL;
	*(f->older ? &f->older->newer : &udp->oldest) = f;
	udp->newest = f;
	f->used_s = now_s();
}

static void flow_touch(struct relay_udp *udp, struct flow *f)
{
	age_remove(udp, f);
	age_add(udp, f);
}

static void flow_free(struct relay_udp *udp, struct flow *f)
{
	struct flow **at = &udp->flows[bucket_of(&f->from, relay_port_of(&f->from))];

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	age_remove(udp, f);
	udp->n_flows--;
	net_poll_forget(&udp->loop->poll, f->fd);
	(void)close(f->fd);
	udp->loop->n_fds--;
	udp->loop->freed++;
	client_put(udp, f->client);
	free(f);
}

static struct flow *flow_find(const struct relay_udp_listener *l, const struct net_endpoint *from,
	const struct net_endpoint *to)
{
	struct flow *f = l->udp->flows[bucket_of(from, relay_port_of(from))];

	while (f && !(f->listener == l && relay_port_of(&f->from) == relay_port_of(from) &&
			    relay_same_address(&f->from, from) && relay_same_address(&f->to, to)))
		f = f->next;
	return f;
}

/* A datagram to @to that comes from @from, an address of this host */
static void send_from(int fd, const void *data, size_t len, const struct net_endpoint *to,
	const struct net_endpoint *from)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct in_pktinfo info4 = { .ipi_spec_dst = from->in.sin_addr };
	struct in6_pktinfo info6 = { .ipi6_addr = from->in6.sin6_addr };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = (void *)(uintptr_t)&to->sa,
		.msg_namelen = to->len,
		.msg_control = &control };
	bool v4 = to->sa.sa_family == AF_INET;
	size_t info_len = v4 ? sizeof(info4) : sizeof(info6);

	info6.ipi6_ifindex = v4 ? 0 : to->in6.sin6_scope_id;
	control.hdr.cmsg_level = v4 ? SOL_IP : SOL_IPV6;
	control.hdr.cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	control.hdr.cmsg_len = CMSG_LEN(info_len);
	memcpy(CMSG_DATA(&control.hdr), v4 ? (void *)&info4 : (void *)&info6, info_len);
	msg.msg_controllen = CMSG_SPACE(info_len);
	(void)sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void flow_ready(void *ctx, int fd, uint32_t events)
{
	struct flow *f = ctx;
	struct relay_udp *udp = f->listener->udp;

	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = recv(fd, udp->datagram, sizeof(udp->datagram), MSG_DONTWAIT);

		if (n < 0)
			break; /* also when the server's port is closed: UDP tells no one */
		send_from(f->listener->fd, udp->datagram, (size_t)n, &f->from, &f->to);
	}
	flow_touch(udp, f);
}

static int inner_socket(
	struct relay_udp *udp, const struct net_endpoint *guest, struct net_endpoint *self)
{
	auto_fd fd = relay_loop_socket(udp->loop, guest->sa.sa_family, NET_UDP);

	if (fd < 0)
		return fd;
	if (bind(fd, &self->sa, self->len) < 0) {
		relay_set_port(self, 0);
		if ((errno != EADDRINUSE && errno != EACCES) || bind(fd, &self->sa, self->len) < 0)
			return -errno;
	}
	return connect(fd, &guest->sa, guest->len) < 0 ? -errno : fd_take(&fd);
}

static struct flow *flow_new(struct relay_udp_listener *l, const struct net_endpoint *from,
	const struct net_endpoint *to)
{
	struct relay_udp *udp = l->udp;
	auto_free struct flow *f = calloc(1, sizeof(*f));
	struct flow **bucket = &udp->flows[bucket_of(from, relay_port_of(from))];
	struct net_endpoint self;
	auto_fd fd = -1;

	if (udp->n_flows == LIMIT_RELAY_FLOWS ||
		(udp->oldest && !relay_loop_has_room(udp->loop, 1)))
		flow_free(udp, udp->oldest);
	relay_route(udp->loop->plan, &l->guest, from, &self);
	fd = f ? inner_socket(udp, &l->guest, &self) : -1;
	if (fd < 0)
		return NULL;
	*f = (struct flow){ .next = *bucket, .listener = l, .from = *from, .to = *to, .fd = fd };
	f->client = client_get(udp, &self, &l->guest);
	if (!f->client)
		return NULL;
	if (net_poll_watch(&udp->loop->poll, fd, EPOLLIN, flow_ready, f) < 0) {
		client_put(udp, f->client);
		return NULL;
	}
	(void)fd_take(&fd);
	*bucket = f;
	age_add(udp, f);
	udp->n_flows++;
	udp->loop->n_fds++;
	return ptr_take(&f);
}

/* ---- listeners ---- */

/* Which of the host's addresses a datagram came to */
static void read_pktinfo(struct msghdr *msg, int family, struct net_endpoint *ret)
{
	struct in6_pktinfo info6;
	struct in_pktinfo info4;

	*ret = (struct net_endpoint){ 0 };
	ret->sa.sa_family = (sa_family_t)family;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info4, CMSG_DATA(c), sizeof(info4));
			ret->in.sin_addr = info4.ipi_addr;
		} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(c), sizeof(info6));
			ret->in6.sin6_addr = info6.ipi6_addr;
		}
	}
}

static int receive(struct relay_udp_listener *l)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 64];
	} control;
	struct net_endpoint from = { 0 }, to;
	struct iovec iov = { l->udp->datagram, sizeof(l->udp->datagram) };
	struct msghdr msg = { .msg_name = &from.sa,
		.msg_namelen = sizeof(from.in6),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(l->fd, &msg, MSG_DONTWAIT);
	struct flow *f;

	if (n < 0)
		return -errno;
	from.len = msg.msg_namelen;
	read_pktinfo(&msg, from.sa.sa_family, &to);
	f = flow_find(l, &from, &to);
	if (!f)
		f = flow_new(l, &from, &to);
	if (!f)
		return 0;
	/* An earlier refusal is told by the next call, which then does nothing else. */
	if (send(f->fd, l->udp->datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		errno == ECONNREFUSED)
		(void)send(f->fd, l->udp->datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	flow_touch(l->udp, f);
	return 0;
}

static void listener_ready(void *ctx, int fd, uint32_t events)
{
	int r = 0;

	(void)fd;
	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_TURN && r == 0; i++)
		r = receive(ctx);
}

static int open_listener(struct net_endpoint *host)
{
	auto_fd fd = relay_loop_bind(SOCK_DGRAM, host);
	bool v4 = host->sa.sa_family == AF_INET;
	const int one = 1;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &one,
		    sizeof(one)) < 0)
		return -errno;
	return fd_take(&fd);
}

/* Several ports of the host may lead to one port of the container. */
static bool leads_to(const struct relay_udp *udp, const struct net_endpoint *guest)
{
	const struct relay_udp_listener *l = udp->listeners;

	while (l && !(l->guest.sa.sa_family == guest->sa.sa_family &&
			    relay_port_of(&l->guest) == relay_port_of(guest)))
		l = l->next;
	return l;
}

int relay_udp_listen(struct relay_udp *udp, struct net_endpoint *host,
	const struct net_endpoint *guest, struct relay_udp_listener **ret)
{
	auto_free struct relay_udp_listener *l = calloc(1, sizeof(*l));
	auto_fd fd = -1;
	int r;

	if (!l)
		return -ENOMEM;
	fd = open_listener(host);
	if (fd < 0)
		return fd;
	l->udp = udp;
	l->guest = *guest;
	l->fd = fd;
	r = relay_inside_port(
		&udp->loop->inside, NL_ADD, guest->sa.sa_family, relay_port_of(guest));
	if (r >= 0)
		r = net_poll_watch(&udp->loop->poll, fd, EPOLLIN, listener_ready, l);
	if (r < 0)
		return r;
	(void)fd_take(&fd);
	l->next = udp->listeners;
	udp->listeners = l;
	*ret = ptr_take(&l);
	return 0;
}

void relay_udp_unlisten(struct relay_udp_listener *l)
{
	struct relay_udp *udp = l->udp;
	struct relay_udp_listener **at = &udp->listeners;
	struct flow *f, *newer;

	for (f = udp->oldest; f; f = newer) {
		newer = f->newer;
		if (f->listener == l)
			flow_free(udp, f);
	}
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (!leads_to(udp, &l->guest))
		(void)relay_inside_port(&udp->loop->inside, NL_REMOVE, l->guest.sa.sa_family,
			relay_port_of(&l->guest));
	net_poll_forget(&udp->loop->poll, l->fd);
	(void)close(l->fd);
	free(l);
}

int relay_udp_expire(struct relay_udp *udp)
{
	time_t now = now_s();

	while (udp->oldest && now - udp->oldest->used_s >= RELAY_UDP_IDLE_S)
		flow_free(udp, udp->oldest);
	return udp->oldest ? (int)(RELAY_UDP_IDLE_S - (now - udp->oldest->used_s)) : -1;
}

/* ---- life ---- */

int relay_udp_new(struct relay_loop *loop, struct relay_udp **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->loop = loop;
	return 0;
}

void relay_udp_free(struct relay_udp *udp)
{
	if (!udp)
		return;
	while (udp->listeners)
		relay_udp_unlisten(udp->listeners);
	free(udp);
}
