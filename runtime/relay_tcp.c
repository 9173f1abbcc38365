/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections of a port relay (the contract is in the header)
 *
 *      accept ─▶ bind as the client, connect ─▶ OPEN: each way until its end ─▶ closed
 *                        │ refused                 │ an error
 *                        └────────▶ RST ◀──────────┘
 *
 * Each way ends for itself: its end becomes shutdown(2) on the other side (half-close).
 *
 * Events are edge-triggered, so a way is moved until one of its sockets says EAGAIN; after
 * MOVES_PER_TURN the others have their turn first.
 *
 * Invariants: - a pipe belongs to a way only while bytes lie in it, or for one call of way_move()
 *             - no fd is left when a pipe is wanted: the way waits in tcp->starved, never busily
 *             - freed connections are in no list and no fd of theirs is watched
 * Failure:    a client whose connection cannot be made gets RST; without free fds clients wait in
 *             the backlog
 */
#include "runtime/relay_tcp.h"

#include "runtime/relay_route.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	PIPE_BYTES = 256 << 10,
	PIPES_KEPT = 64, /* empty ones, for the next who needs one */
	MOVES_PER_TURN = 16,
	ACCEPTS_PER_TURN = 64,
	FDS_PER_CONN = 2,
	BACKLOG = 4096, /* the kernel takes less if net.core.somaxconn says so */
};
/* A client that vanished is noticed after a quarter of an hour, as the server cannot see it. */
enum { KEEPALIVE_IDLE_S = 600, KEEPALIVE_EVERY_S = 60, KEEPALIVE_COUNT = 5 };

enum side { OUTER, INNER, SIDES };

struct pipe {
	int rd, wr;
};

/* From one side to the other; conn->way[OUTER] leads inwards. */
struct way {
	struct pipe pipe; /* rd -1: none */
	uint32_t in_pipe; /* bytes */
	bool ended; /* no more bytes will come */
	bool closed; /* and that was passed on */
};

struct conn {
	struct relay_job job; /* first: the job is the connection */
	struct relay_tcp *tcp;
	struct conn *prev, *next; /* of all */
	int fd[SIDES];
	bool connecting;
	bool starved; /* waits for a pipe */
	struct way way[SIDES];
};

struct relay_tcp_listener {
	struct relay_tcp *tcp;
	struct relay_tcp_listener *next;
	int fd;
	bool paused;
	struct net_endpoint guest;
};

struct relay_tcp {
	struct relay_loop *loop;
	struct relay_tcp_listener *listeners;
	struct conn *conns;
	struct pipe pipes[PIPES_KEPT];
	size_t n_pipes, n_starved, n_paused;
};

/* ---- pipes ---- */

static bool pipe_borrow(struct relay_tcp *tcp, struct pipe *ret)
{
	int fds[2];

	if (tcp->n_pipes > 0) {
		*ret = tcp->pipes[--tcp->n_pipes];
		return true;
	}
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	/* Users who have many pipes get small ones: slower, not wrong. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	*ret = (struct pipe){ fds[0], fds[1] };
	return true;
}

static void pipe_close(struct pipe *p)
{
	if (p->rd >= 0) {
		(void)close(p->rd);
		(void)close(p->wr);
	}
	p->rd = p->wr = -1;
}

/* Only an empty one can be used again. */
static void way_release_pipe(struct relay_tcp *tcp, struct way *w)
{
	if (w->pipe.rd < 0)
		return;
	if (w->in_pipe == 0 && tcp->n_pipes < PIPES_KEPT) {
		tcp->pipes[tcp->n_pipes++] = w->pipe;
		w->pipe.rd = w->pipe.wr = -1;
	} else {
		pipe_close(&w->pipe);
	}
	tcp->loop->freed++;
}

/* ---- connections ---- */

static void set_starved(struct conn *c, bool starved)
{
	c->tcp->n_starved += (size_t)starved - (size_t)c->starved;
	c->starved = starved;
}

enum end { END_ORDERLY, END_RESET };

static void conn_close(struct conn *c, enum end how)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct relay_loop *loop = c->tcp->loop;

	relay_loop_unqueue(loop, &c->job);
	set_starved(c, false);
	for (int s = 0; s < SIDES; s++) {
		if (c->fd[s] >= 0) {
			if (how == END_RESET)
				(void)setsockopt(
					c->fd[s], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			net_poll_forget(&loop->poll, c->fd[s]);
			(void)close(c->fd[s]);
			loop->n_fds--;
		}
		way_release_pipe(c->tcp, &c->way[s]);
	}
	if (c->prev)
		c->prev->next = c->next;
	else
		c->tcp->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	loop->freed++;
	free(c);
}

enum moved { MOVED_ALL, MOVED_MORE, MOVED_STARVED };

/* Until a socket has no more, or takes no more.  Return: enum moved or a negative errno. */
static int way_move(struct conn *c, enum side from)
{
	const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
	struct way *w = &c->way[from];
	int to = c->fd[!from];
	ssize_t n;

	for (int i = 0; i < MOVES_PER_TURN && !w->closed; i++) {
		if (w->pipe.rd < 0 && !pipe_borrow(c->tcp, &w->pipe))
			return MOVED_STARVED;
		if (w->in_pipe == 0 && !w->ended) {
			n = splice(c->fd[from], NULL, w->pipe.wr, NULL, PIPE_BYTES, flags);
			if (n < 0)
				return errno == EAGAIN || errno == EINTR ? MOVED_ALL : -errno;
			w->in_pipe = (uint32_t)n;
			w->ended = n == 0;
		}
		if (w->in_pipe > 0) {
			n = splice(w->pipe.rd, NULL, to, NULL, w->in_pipe, flags);
			if (n < 0)
				return errno == EAGAIN || errno == EINTR ? MOVED_ALL : -errno;
			w->in_pipe -= (uint32_t)n;
		}
		if (w->ended && w->in_pipe == 0) {
			w->closed = true;
			if (shutdown(to, SHUT_WR) < 0)
				return -errno;
		}
	}
	return w->closed ? MOVED_ALL : MOVED_MORE;
}

/* May free @c. */
static void conn_move(struct conn *c, unsigned ways)
{
	int r = 0;

	for (int s = 0; s < SIDES && r >= 0; s++) {
		if (!(ways & 1U << s) || c->way[s].closed)
			continue;
		r = way_move(c, s);
		if (c->way[s].in_pipe == 0)
			way_release_pipe(c->tcp, &c->way[s]);
		if (r == MOVED_MORE)
			relay_loop_queue(c->tcp->loop, &c->job);
		else if (r == MOVED_STARVED)
			set_starved(c, true);
	}
	if (r < 0)
		conn_close(c, END_RESET);
	else if (c->way[OUTER].closed && c->way[INNER].closed)
		conn_close(c, END_ORDERLY);
}

static void conn_turn(struct relay_job *job)
{
	conn_move((struct conn *)job, 1U << OUTER | 1U << INNER);
}

static void conn_ready(struct conn *c, enum side side, uint32_t events)
{
	unsigned ways = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		ways |= 1U << side;
	/* Its room matters to the other way only if that has bytes for it. */
	if (events & (EPOLLHUP | EPOLLERR) || c->way[!side].in_pipe > 0)
		ways |= 1U << !side;
	conn_move(c, ways);
}

static void outer_ready(void *ctx, int fd, uint32_t events)
{
	(void)fd;
	conn_ready(ctx, OUTER, events);
}

static const uint32_t conn_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static void inner_ready(void *ctx, int fd, uint32_t events)
{
	struct conn *c = ctx;
	socklen_t len = sizeof(int);
	int error = 0;

	if (!c->connecting) {
		conn_ready(c, INNER, events);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		conn_close(c, END_RESET);
		return;
	}
	if (!(events & EPOLLOUT))
		return;
	c->connecting = false;
	if (net_poll_watch(&c->tcp->loop->poll, c->fd[OUTER], conn_events, outer_ready, c) < 0) {
		conn_close(c, END_RESET);
		return;
	}
	/* What the server said before this event was told together with it. */
	conn_ready(c, INNER, events);
}

/* As the client; from another port where that one still has a connection in TIME_WAIT. */
static int connect_as(struct conn *c, const struct net_endpoint *guest, struct net_endpoint *self)
{
	auto_fd fd = relay_loop_socket(c->tcp->loop, guest->sa.sa_family, NET_TCP);
	int r = 0;

	if (fd < 0)
		return fd;
	if (bind(fd, &self->sa, self->len) < 0 ||
		(connect(fd, &guest->sa, guest->len) < 0 && errno != EINPROGRESS))
		r = -errno;
	if (r == 0)
		c->fd[INNER] = fd_take(&fd);
	return r;
}

static int conn_connect(
	struct conn *c, const struct net_endpoint *guest, const struct net_endpoint *client)
{
	struct relay_loop *loop = c->tcp->loop;
	struct net_endpoint self;
	int r;

	relay_route(loop->plan, guest, client, &self);
	r = connect_as(c, guest, &self);
	if (r == -EADDRINUSE || r == -EADDRNOTAVAIL || r == -EACCES) {
		relay_set_port(&self, 0);
		r = connect_as(c, guest, &self);
	}
	if (r < 0)
		return r;
	loop->n_fds++;
	c->connecting = true;
	return net_poll_watch(&loop->poll, c->fd[INNER], conn_events, inner_ready, c);
}

/* ---- listeners ---- */

static void conn_new(struct relay_tcp_listener *l, int take_fd, const struct net_endpoint *client)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct relay_tcp *tcp = l->tcp;

	if (!c) {
		(void)close(take_fd);
		return;
	}
	c->job.run = conn_turn;
	c->tcp = tcp;
	c->fd[OUTER] = take_fd;
	c->fd[INNER] = -1;
	c->way[OUTER].pipe.rd = c->way[INNER].pipe.rd = -1;
	c->next = tcp->conns;
	if (c->next)
		c->next->prev = c;
	tcp->conns = c;
	tcp->loop->n_fds++;
	if (conn_connect(c, &l->guest, client) < 0)
		conn_close(c, END_RESET);
}

static void listener_pause(struct relay_tcp_listener *l)
{
	if (l->paused)
		return;
	net_poll_forget(&l->tcp->loop->poll, l->fd);
	l->paused = true;
	l->tcp->n_paused++;
}

static void listener_ready(void *ctx, int fd, uint32_t events)
{
	struct relay_tcp_listener *l = ctx;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct net_endpoint client = { .len = sizeof(client.in6) };
		int conn;

		if (!relay_loop_has_room(l->tcp->loop, FDS_PER_CONN)) {
			listener_pause(l);
			return;
		}
		conn = accept4(fd, &client.sa, &client.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (conn >= 0) {
			conn_new(l, conn, &client);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			listener_pause(l);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static int listener_watch(struct relay_tcp_listener *l)
{
	return net_poll_watch(&l->tcp->loop->poll, l->fd, EPOLLIN, listener_ready, l);
}

/* Accepted sockets have the options of the listener. */
static int open_listener(struct net_endpoint *host)
{
	auto_fd fd = relay_loop_bind(SOCK_STREAM, host);
	const int one = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S;
	const int count = KEEPALIVE_COUNT;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, SOL_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, SOL_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	(void)setsockopt(fd, SOL_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	return fd_take(&fd);
}

int relay_tcp_listen(struct relay_tcp *tcp, struct net_endpoint *host,
	const struct net_endpoint *guest, struct relay_tcp_listener **ret)
{
	auto_free struct relay_tcp_listener *l = calloc(1, sizeof(*l));
	auto_fd fd = -1;
	int r;

	if (!l)
		return -ENOMEM;
	fd = open_listener(host);
	if (fd < 0)
		return fd;
	l->tcp = tcp;
	l->guest = *guest;
	l->fd = fd;
	r = listener_watch(l);
	if (r < 0)
		return r;
	(void)fd_take(&fd);
	l->next = tcp->listeners;
	tcp->listeners = l;
	*ret = ptr_take(&l);
	return 0;
}

void relay_tcp_unlisten(struct relay_tcp_listener *l)
{
	struct relay_tcp_listener **at = &l->tcp->listeners;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (l->paused)
		l->tcp->n_paused--;
	else
		net_poll_forget(&l->tcp->loop->poll, l->fd);
	(void)close(l->fd);
	free(l);
}

bool relay_tcp_retry(struct relay_tcp *tcp)
{
	bool waiting = tcp->n_starved > 0;
	struct relay_tcp_listener *l;
	struct conn *c;

	for (c = waiting ? tcp->conns : NULL; c; c = c->next)
		if (c->starved) {
			set_starved(c, false);
			relay_loop_queue(tcp->loop, &c->job);
		}
	for (l = tcp->n_paused ? tcp->listeners : NULL; l; l = l->next)
		if (l->paused && relay_loop_has_room(tcp->loop, FDS_PER_CONN) &&
			listener_watch(l) == 0) {
			l->paused = false;
			tcp->n_paused--;
		}
	return waiting || tcp->n_paused > 0;
}

/* ---- life ---- */

int relay_tcp_new(struct relay_loop *loop, struct relay_tcp **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->loop = loop;
	return 0;
}

void relay_tcp_free(struct relay_tcp *tcp)
{
	if (!tcp)
		return;
	while (tcp->conns)
		conn_close(tcp->conns, END_RESET);
	while (tcp->listeners)
		relay_tcp_unlisten(tcp->listeners);
	while (tcp->n_pipes > 0)
		pipe_close(&tcp->pipes[--tcp->n_pipes]);
	free(tcp);
}
