/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a port relay (the contract is in the header). */
#include "runtime/relay_loop.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <sys/socket.h>

/* Kept free for what is not counted: pipes, stock, listeners, API clients. */
enum { SPARE_FDS = 512 };

int relay_loop_init(struct relay_loop *loop, const struct net_plan *plan)
{
	uint64_t limit = fd_raise_limit();

	*loop = (struct relay_loop){ .plan = plan, .inside = { .sock = -1 } };
	loop->last = &loop->first;
	loop->max_fds = limit > 4 * SPARE_FDS ? limit - SPARE_FDS : limit - limit / 4;
	return net_poll_init(&loop->poll);
}

void relay_loop_done(struct relay_loop *loop)
{
	struct relay_stock *stock = &loop->stock[0][0];

	for (size_t i = 0; i < sizeof(loop->stock) / sizeof(*stock); i++)
		while (stock[i].n > 0)
			(void)close(stock[i].fds[--stock[i].n]);
	if (loop->inside.sock >= 0)
		(void)close(loop->inside.sock);
	loop->inside.sock = -1;
	net_poll_done(&loop->poll);
}

void relay_loop_queue(struct relay_loop *loop, struct relay_job *job)
{
	if (job->queued)
		return;
	job->queued = true;
	job->next = NULL;
	*loop->last = job;
	loop->last = &job->next;
	loop->n_jobs++;
}

void relay_loop_unqueue(struct relay_loop *loop, struct relay_job *job)
{
	struct relay_job **at = &loop->first;

	if (!job->queued)
		return;
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (!job->next)
		loop->last = at;
	job->queued = false;
	loop->n_jobs--;
}

bool relay_loop_has_room(const struct relay_loop *loop, size_t n)
{
	return loop->n_fds + n <= loop->max_fds;
}

int relay_loop_socket(struct relay_loop *loop, int family, enum net_proto proto)
{
	struct relay_stock *stock = &loop->stock[family == AF_INET6][proto];
	int n;

	if (stock->n == 0) {
		n = relay_inside_sockets(&loop->inside, family, proto, stock->fds);
		if (n < 0)
			return n;
		stock->n = n;
	}
	return stock->fds[--stock->n];
}

int relay_loop_bind(int type, struct net_endpoint *host)
{
	auto_fd fd = socket(host->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (host->sa.sa_family == AF_INET6)
		(void)setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &host->sa, host->len) < 0 || getsockname(fd, &host->sa, &host->len) < 0)
		return -errno;
	return fd_take(&fd);
}

int relay_loop_turn(struct relay_loop *loop, int timeout_ms)
{
	struct relay_job *job;
	int r;

	r = net_poll_wait(&loop->poll, loop->first ? 0 : timeout_ms);
	if (r < 0 && r != -EINTR)
		return r;
	/* Those who ask for another turn while they have one come after the next wait. */
	for (size_t n = loop->n_jobs; n > 0 && loop->first; n--) {
		job = loop->first;
		relay_loop_unqueue(loop, job);
		job->run(job);
	}
	return 0;
}
