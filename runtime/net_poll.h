/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sets of polled fds whose members are named anew at times, kept in one epoll
 *
 * libslirp says before a sleep which fds it cares for, and for what.  Only differences to what it
 * said before become system calls, so thousands of quiet sockets cost none.
 *
 *      net_poll_begin(); net_poll_want() for each fd; net_poll_end() of a set; net_poll_wait();
 *      net_poll_events() of the fds of a set that fired …
 *
 * Besides them stand watches: fds that are polled until they are removed, each with a function.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*net_poll_fn)(void *ctx, int fd, uint32_t events);

struct net_poll_fd {
	uint32_t registered; /* events in the epoll; 0: it is not in there */
	uint32_t fired; /* events of the last wait */
	struct net_poll_set *set; /* that wants it; NULL: a watch */
	uint32_t turn; /* of the set, when it was last wanted */
	size_t slot; /* in set->wanted[], if registered */
	uint64_t tag; /* the owner's, 0 until set */
	net_poll_fn fn; /* NULL: not a watch */
	void *ctx;
};

/* Fds whose owner names them all, or none, at a time.  Zero is empty. */
struct net_poll_set {
	uint32_t turn;
	bool fired; /* something happened on one of them; the owner resets it */
	int *wanted; /* fds in the epoll */
	size_t n_wanted, room_wanted;
};

struct net_poll {
	int epfd;
	struct net_poll_fd *fds; /* indexed by fd */
	size_t n_fds;
	int *fired;
	size_t n_fired;
};

int net_poll_init(struct net_poll *p);
void net_poll_done(struct net_poll *p);

/** net_poll_watch() - call @fn at each @events (EPOLL…) of @fd; 0 or a negative errno */
int net_poll_watch(struct net_poll *p, int fd, uint32_t events, net_poll_fn fn, void *ctx);

/** net_poll_begin() - start naming the fds of a set anew */
void net_poll_begin(struct net_poll_set *set);

/** net_poll_want() - poll @fd from now on; 0, -ENOMEM or an error of epoll_ctl(2) */
int net_poll_want(struct net_poll *p, struct net_poll_set *set, int fd, uint32_t events);

/** net_poll_end() - all are named: the others are polled no more */
void net_poll_end(struct net_poll *p, struct net_poll_set *set);

/** net_poll_set_done() - free a set; its fds must be forgotten or closed */
void net_poll_set_done(struct net_poll_set *set);

/**
 * net_poll_wait() - sleep, then call the functions of the watches that fired
 * @timeout_ms: -1: for ever
 * Return: 0 or more events happened; -EINTR after a signal; another negative errno.
 */
int net_poll_wait(struct net_poll *p, int timeout_ms);

/** net_poll_events() - what happened on a wanted fd since it was last named */
uint32_t net_poll_events(const struct net_poll *p, int fd);

/** net_poll_set_tag() - keep a number beside a fd until it is forgotten; 0 or -ENOMEM */
int net_poll_set_tag(struct net_poll *p, int fd, uint64_t tag);

/** net_poll_tag() - that number; 0 if none was set */
uint64_t net_poll_tag(const struct net_poll *p, int fd);

/** net_poll_forget() - the caller closes @fd next, or, of a watch, ends it */
void net_poll_forget(struct net_poll *p, int fd);
