/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The relay's hand inside a container's network namespace
 *
 *      relay, without capabilities ──"32 sockets"──▶ inside: CAP_NET_ADMIN in the container's
 *                                  ◀────fds────────  namespaces alone, seccomp, no files
 *
 * The sockets that it makes may be bound to addresses that are not the namespace's
 * (IP_TRANSPARENT), so a server sees the client's own; a mark on them, and routes and rules that the
 * inside sets, bring the answers back to lo instead of out by the default route:
 *
 *      TCP: marked packets are local; a connection takes on the mark of its SYN
 *      UDP: what comes from a published port and goes to a client of that moment is local
 *
 * Addresses, ports and namespaces of containers that the relay is not for are out of reach.
 */

#include "base/err.h"
#include "runtime/net_plan.h"
#include "runtime/netlink.h"

#include <sys/types.h>

struct relay_inside {
	int sock; /* -1: there is none */
};

enum { RELAY_SOCKETS = 32 }; /* at most, in one answer */

/**
 * relay_inside_start() - a child of the caller in the namespaces of a container
 * @userns_fd: owner of @netns_fd; -1: not entered
 *
 * It ends when ->sock is closed.
 */
int relay_inside_start(struct relay_inside *ret, int userns_fd, int netns_fd, struct err *err);

/**
 * relay_inside_sockets() - new non-blocking sockets that may be bound to any address
 * @fds: room for RELAY_SOCKETS
 * Return: how many there are, 1 to RELAY_SOCKETS; -EMFILE if not one could be received; another
 * negative errno.
 */
int relay_inside_sockets(struct relay_inside *in, int family, enum net_proto proto, int *fds);

/** relay_inside_client() - answers over UDP to this address are local, or no longer */
int relay_inside_client(struct relay_inside *in, enum nl_change change,
	const struct net_endpoint *client, const struct net_endpoint *guest);

/** relay_inside_port() - this UDP port of the container is published, or no longer */
int relay_inside_port(struct relay_inside *in, enum nl_change change, int family, uint16_t port);
