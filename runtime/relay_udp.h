/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * UDP from the host into a container
 *
 *      client ──▶ host socket ──▶ flow: a socket inside, bound as the client ──▶ server
 *             ◀── host socket ◀──                                           ◀──
 *
 * A flow is what goes between one client's port and one port of the host's; it ends when nothing
 * has moved for RELAY_UDP_IDLE_S, or, when there are LIMIT_RELAY_FLOWS, for the newest.
 */

#include "runtime/relay_loop.h"

#define LIMIT_RELAY_FLOWS 4096
#define RELAY_UDP_IDLE_S  120

struct relay_udp;
struct relay_udp_listener;

/** relay_udp_new() - @loop: borrowed for its life; 0 or -ENOMEM */
int relay_udp_new(struct relay_loop *loop, struct relay_udp **ret);
void relay_udp_free(struct relay_udp *udp);

/**
 * relay_udp_listen() - carry what comes to @host to @guest
 * @host: its port, if it is 0, becomes the one that the kernel chose
 * Return: 0 or the negative errno of socket(2), bind(2), or of the inside.
 */
int relay_udp_listen(struct relay_udp *udp, struct net_endpoint *host,
	const struct net_endpoint *guest, struct relay_udp_listener **ret);

/** relay_udp_unlisten() - frees @l and ends its flows */
void relay_udp_unlisten(struct relay_udp_listener *l);

/** relay_udp_expire() - end idle flows.  Return: seconds until the next may be idle; -1: none */
int relay_udp_expire(struct relay_udp *udp);
