/* SPDX-License-Identifier: Apache-2.0 */
/* The API's socket (the contract is in the header). */
#include "runtime/net_api_socket.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void client_close(struct net_api_client *c)
{
	if (c->fd < 0)
		return;
	net_poll_forget(c->server->poll, c->fd);
	(void)close(c->fd);
	c->fd = -1;
	buf_done(&c->reply);
}

static void client_send(struct net_api_client *c)
{
	ssize_t n = send(c->fd, c->reply.data + c->sent, c->reply.len - c->sent,
		MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->sent += n > 0 ? (size_t)n : 0;
	if (n < 0 || c->sent == c->reply.len)
		client_close(c);
}

static void reply_ready(void *ctx, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	client_send(ctx);
}

static void client_answer(struct net_api_client *c)
{
	c->sent = 0;
	if (net_api_answer(c->server->api, c->request, c->len, &c->reply) < 0 ||
		net_poll_watch(c->server->poll, c->fd, EPOLLOUT, reply_ready, c) < 0) {
		client_close(c);
		return;
	}
	client_send(c);
}

static void client_ready(void *ctx, int fd, uint32_t events)
{
	struct net_api_client *c = ctx;
	ssize_t n;

	(void)events;
	n = recv(fd, c->request + c->len, sizeof(c->request) - c->len, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			client_close(c);
		return;
	}
	c->len += (size_t)n;
	/* A request that is too long is read to its end: to close before would reset the answer. */
	if (n > 0 && c->len > LIMIT_API_REQUEST && ++c->n_dropped < LIMIT_API_DROPPED)
		c->len = sizeof(c->request) - 1;
	else if (n == 0 || c->n_dropped || net_api_is_whole(c->request, c->len))
		client_answer(c);
}

static struct net_api_client *client_place(struct net_api_server *s)
{
	struct net_api_client *c;

	for (size_t i = 0; i < NET_API_CLIENTS; i++)
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	c = &s->clients[s->next++ % NET_API_CLIENTS];
	client_close(c);
	return c;
}

static int client_accept(struct net_api_server *s, int listen_fd)
{
	auto_fd conn = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct net_api_client *c;
	int r;

	if (conn < 0)
		return -errno;
	c = client_place(s);
	r = net_poll_watch(s->poll, conn, EPOLLIN, client_ready, c);
	if (r < 0)
		return r;
	c->fd = fd_take(&conn);
	c->len = c->n_dropped = 0;
	return 0;
}

/* Edge-triggered: without a free fd the next connection, not a busy loop, tries again. */
static void listener_ready(void *ctx, int fd, uint32_t events)
{
	(void)events;
	while (client_accept(ctx, fd) == 0)
		;
}

int net_api_listen(
	struct net_api_server *server, struct net_api *api, struct net_poll *poll, int listen_fd)
{
	int fl;

	server->api = api;
	server->poll = poll;
	server->next = 0;
	for (size_t i = 0; i < NET_API_CLIENTS; i++) {
		server->clients[i].server = server;
		server->clients[i].fd = -1;
	}
	fl = fcntl(listen_fd, F_GETFL);
	if (fl < 0 || fcntl(listen_fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	return net_poll_watch(poll, listen_fd, EPOLLIN | EPOLLET, listener_ready, server);
}

void net_api_server_done(struct net_api_server *server)
{
	for (size_t i = 0; i < NET_API_CLIENTS; i++)
		if (server->clients[i].server)
			client_close(&server->clients[i]);
}
