/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How many sockets of the host a network may hold.  Pure.
 *
 * Each connection, each UDP port that speaks and each ping of a container is a socket of the host:
 * fds of the network process, and ports that the host's other programs want as well.  libslirp
 * asks nobody before it makes one, so what would begin one too many is dropped before it: a
 * connection waits and tries again, as where a router has no room left.
 *
 * Containers of one network share it, so one address alone gets three quarters at most.
 */

#include "runtime/net_frame.h"

/* Of a network; fewer where fds are.  The host has some 28,000 ports for all its programs. */
enum { LIMIT_NET_CONNECTIONS = 16384, LIMIT_NET_DATAGRAM_SOCKETS = 4096 };

struct net_flows;

/** net_flows_new() - @max_fds: how many the process may have; 0 or -ENOMEM */
int net_flows_new(size_t max_fds, struct net_flows **ret);
void net_flows_free(struct net_flows *f);

/** net_flows_admit() - whether a frame belongs to no flow or to an old one, or there is room */
bool net_flows_admit(const struct net_flows *f, const uint8_t *frame, const struct net_pkt *p);

/**
 * net_flows_begin() - libslirp made a socket for this frame
 * Return: what names the flow to net_flows_end(); 0: it is not counted.
 */
uint32_t net_flows_begin(struct net_flows *f, const uint8_t *frame, const struct net_pkt *p);

/** net_flows_end() - that socket is closed; @flow 0 does nothing */
void net_flows_end(struct net_flows *f, uint32_t flow);
