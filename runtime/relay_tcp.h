/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TCP connections from the host into a container, moved by splice(2)
 *
 *      client ═══ outer socket ──splice──▶ pipe ──splice──▶ inner socket ═══ server
 *                              ◀─splice── pipe ◀──splice──
 *
 * Bytes stay in the kernel.  A connection without bytes under way holds two sockets and no pipe, and
 * costs about two hundred bytes here.
 */

#include "runtime/relay_loop.h"

struct relay_tcp;
struct relay_tcp_listener;

/** relay_tcp_new() - @loop: borrowed for its life; 0 or -ENOMEM */
int relay_tcp_new(struct relay_loop *loop, struct relay_tcp **ret);
void relay_tcp_free(struct relay_tcp *tcp);

/**
 * relay_tcp_listen() - carry what connects to @host to @guest
 * @host: its port, if it is 0, becomes the one that the kernel chose
 * Return: 0 or the negative errno of socket(2), bind(2) or listen(2).
 */
int relay_tcp_listen(struct relay_tcp *tcp, struct net_endpoint *host,
	const struct net_endpoint *guest, struct relay_tcp_listener **ret);

/** relay_tcp_unlisten() - frees @l; connections stay */
void relay_tcp_unlisten(struct relay_tcp_listener *l);

/**
 * relay_tcp_retry() - let those go on who waited for fds
 * Return: does anybody still wait?  Then call again soon.
 */
bool relay_tcp_retry(struct relay_tcp *tcp);
