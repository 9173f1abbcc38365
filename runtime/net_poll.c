/* SPDX-License-Identifier: Apache-2.0 */
/* A set of polled fds, kept in one epoll (the contract is in the header). */
#include "runtime/net_poll.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/epoll.h>

enum { EVENTS_PER_WAIT = 256 };

int net_poll_init(struct net_poll *p)
{
	*p = (struct net_poll){ .epfd = epoll_create1(EPOLL_CLOEXEC) };
	if (p->epfd < 0)
		return -errno;
	p->fired = calloc(EVENTS_PER_WAIT, sizeof(*p->fired));
	if (!p->fired) {
		net_poll_done(p);
		return -ENOMEM;
	}
	return 0;
}

void net_poll_done(struct net_poll *p)
{
	if (p->epfd >= 0)
		(void)close(p->epfd);
	free(p->fds);
	free(p->fired);
	*p = (struct net_poll){ .epfd = -1 };
}

static int entry_at(struct net_poll *p, int fd, struct net_poll_fd **ret)
{
	size_t n = p->n_fds ? p->n_fds : 64;
	struct net_poll_fd *fds;

	if (fd < 0)
		return -EBADF;
	while (n <= (size_t)fd)
		n *= 2;
	if (n > p->n_fds) {
		fds = realloc(p->fds, n * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
		memset(fds + p->n_fds, 0, (n - p->n_fds) * sizeof(*fds));
		p->fds = fds;
		p->n_fds = n;
	}
	*ret = &p->fds[fd];
	return 0;
}

static int control(struct net_poll *p, int fd, struct net_poll_fd *e, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int op = !events ? EPOLL_CTL_DEL : e->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(p->epfd, op, fd, &ev) < 0)
		return -errno;
	e->registered = events;
	return 0;
}

int net_poll_watch(struct net_poll *p, int fd, uint32_t events, net_poll_fn fn, void *ctx)
{
	struct net_poll_fd *e;
	int r;

	r = entry_at(p, fd, &e);
	if (r < 0)
		return r;
	r = control(p, fd, e, events);
	if (r < 0)
		return r;
	e->fn = fn;
	e->ctx = ctx;
	return 0;
}

void net_poll_begin(struct net_poll_set *set)
{
	set->turn++;
}

static int remember_wanted(struct net_poll *p, struct net_poll_set *set, int fd)
{
	size_t room = set->room_wanted ? set->room_wanted * 2 : 64;
	int *wanted;

	if (set->n_wanted == set->room_wanted) {
		wanted = realloc(set->wanted, room * sizeof(*wanted));
		if (!wanted)
			return -ENOMEM;
		set->wanted = wanted;
		set->room_wanted = room;
	}
	p->fds[fd].set = set;
	p->fds[fd].slot = set->n_wanted;
	set->wanted[set->n_wanted++] = fd;
	return 0;
}

int net_poll_want(struct net_poll *p, struct net_poll_set *set, int fd, uint32_t events)
{
	struct net_poll_fd *e;
	int r;

	r = entry_at(p, fd, &e);
	if (r < 0)
		return r;
	e->turn = set->turn;
	if (e->registered == events)
		return 0;
	if (!e->registered) {
		r = remember_wanted(p, set, fd);
		if (r < 0)
			return r;
	}
	r = control(p, fd, e, events);
	if (r < 0 && !e->registered)
		set->n_wanted--;
	return r;
}

/* What is not named any more is taken out: it would report hang-ups without end. */
void net_poll_end(struct net_poll *p, struct net_poll_set *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->n_wanted; i++) {
		int fd = set->wanted[i];
		struct net_poll_fd *e = &p->fds[fd];

		if (e->turn != set->turn) {
			(void)control(p, fd, e, 0);
			continue;
		}
		e->slot = kept;
		set->wanted[kept++] = fd;
	}
	set->n_wanted = kept;
}

void net_poll_set_done(struct net_poll_set *set)
{
	free(set->wanted);
	*set = (struct net_poll_set){ 0 };
}

int net_poll_wait(struct net_poll *p, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int n;

	for (size_t i = 0; i < p->n_fired; i++)
		p->fds[p->fired[i]].fired = 0;
	p->n_fired = 0;
	n = epoll_wait(p->epfd, events, EVENTS_PER_WAIT, timeout_ms);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct net_poll_fd *e = &p->fds[events[i].data.fd];

		e->fired = events[i].events;
		if (e->set)
			e->set->fired = true;
		p->fired[p->n_fired++] = events[i].data.fd;
	}
	/* A function may forget any fd, its own too: so look at the entry at each step. */
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		struct net_poll_fd e = p->fds[fd];

		if (e.fn && e.fired)
			e.fn(e.ctx, fd, e.fired);
	}
	return n;
}

uint32_t net_poll_events(const struct net_poll *p, int fd)
{
	return fd >= 0 && (size_t)fd < p->n_fds ? p->fds[fd].fired : 0;
}

int net_poll_set_tag(struct net_poll *p, int fd, uint64_t tag)
{
	struct net_poll_fd *e;
	int r;

	r = entry_at(p, fd, &e);
	if (r == 0)
		e->tag = tag;
	return r;
}

uint64_t net_poll_tag(const struct net_poll *p, int fd)
{
	return fd >= 0 && (size_t)fd < p->n_fds ? p->fds[fd].tag : 0;
}

void net_poll_forget(struct net_poll *p, int fd)
{
	struct net_poll_fd *e;

	if (fd < 0 || (size_t)fd >= p->n_fds)
		return;
	e = &p->fds[fd];
	if (e->registered && e->fn) {
		(void)control(p, fd, e, 0);
	} else if (e->registered) {
		struct net_poll_set *set = e->set;
		int last = set->wanted[--set->n_wanted]; /* closing takes it out of the epoll */

		set->wanted[e->slot] = last;
		p->fds[last].slot = e->slot;
	}
	*e = (struct net_poll_fd){ 0 };
}
