/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the parts of a port relay share: the loop, sockets inside the container, room for fds
 */

#include "runtime/net_plan.h"
#include "runtime/net_poll.h"
#include "runtime/relay_inside.h"

/* Something that wants a turn soon, though no event will say so. */
struct relay_job {
	struct relay_job *next;
	bool queued;
	void (*run)(struct relay_job *job);
};

struct relay_stock {
	int fds[RELAY_SOCKETS];
	int n;
};

enum { RELAY_FAMILIES = 2 }; /* IPv4, IPv6 */

struct relay_loop {
	struct net_poll poll;
	const struct net_plan *plan; /* borrowed */
	struct relay_inside inside;
	struct relay_stock stock[RELAY_FAMILIES][NET_PROTO_MAX_];
	struct relay_job *first, **last;
	size_t n_jobs;
	size_t n_fds, max_fds; /* of connections and flows */
	unsigned freed; /* counts what was closed: who waits for room looks at it */
	bool stop;
};

int relay_loop_init(struct relay_loop *loop, const struct net_plan *plan);
void relay_loop_done(struct relay_loop *loop);

/** relay_loop_queue() - give @job a turn after this one; once, however often it is asked */
void relay_loop_queue(struct relay_loop *loop, struct relay_job *job);

/** relay_loop_unqueue() - it must not run any more */
void relay_loop_unqueue(struct relay_loop *loop, struct relay_job *job);

/** relay_loop_has_room() - for @n more fds of connections */
bool relay_loop_has_room(const struct relay_loop *loop, size_t n);

/**
 * relay_loop_socket() - a socket inside the container, owned by the caller
 * Return: the fd; -EMFILE and the like; -EPIPE when the inside is gone.
 */
int relay_loop_socket(struct relay_loop *loop, int family, enum net_proto proto);

/**
 * relay_loop_bind() - a socket of the host for a published port, bound to one IP version
 * @type: SOCK_STREAM or SOCK_DGRAM
 * @host: its port, if it is 0, becomes the one that the kernel chose
 * Return: the fd, owned by the caller; the negative errno of socket(2) or bind(2).
 */
int relay_loop_bind(int type, struct net_endpoint *host);

/**
 * relay_loop_turn() - wait for events, call their functions, give the queued jobs their turn
 * @timeout_ms: -1: for ever
 * Return: 0; a negative errno that ends the loop.
 */
int relay_loop_turn(struct relay_loop *loop, int timeout_ms);
