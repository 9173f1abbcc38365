/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The port relay: carries published ports into a container's network namespace without touching a
 * byte, and shows the server the client's own address
 *
 *      client ──▶ relay (the host's network, no rights) ══▶ socket inside ──▶ server
 *                     │ asks for sockets, routes, rules            ▲
 *                     └──▶ inside (relay_inside.h) ────────────────┘
 *
 * It needs nothing but the namespace: a slirp network, a bridge, or lo alone.
 */

#include "runtime/net_plan.h"

#include <sys/types.h>

struct relay_opts {
	const struct net_plan *plan; /* the container's addresses and gateways */
	const struct net_forward *forwards;
	size_t n_forwards;
	uint16_t *ret_host_ports; /* of @forwards, set on success; NULL: not wanted */
	int api_fd; /* listening unix stream socket of the API; -1: none.  Borrowed */
};

/**
 * relay_start() - start the relay of a network namespace
 * @userns_fd: owner of @netns_fd
 * @watch_fd:  the relay ends at any event on it (a pidfd of the container)
 *
 * Returns when all ports listen.  The fds are borrowed.  See netproc_start() for what becomes of the
 * process.
 *
 * Return: 0; -EADDRINUSE, -EACCES and the like with a text that names the port.
 */
int relay_start(const struct relay_opts *opts, int userns_fd, int netns_fd, int watch_fd,
	pid_t *ret_pid, struct err *err);
