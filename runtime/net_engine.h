/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libslirp, several times over, as one
 *
 * libslirp looks at all of its sockets whenever anything happens to one, closed ones too, for ten
 * seconds.  So connections are spread over instances that share the tap, its addresses and one
 * epoll, and only the instances to which something happened are asked: what a packet costs does
 * not grow with the connections that are quiet.
 *
 *      frame ── ports ──▶ one of NET_ENGINE_SHARDS instances ──sockets──▶ the host's network
 *
 * Instance 0 alone is the one that answers for the gateway (ARP, neighbours, DHCP, pings) and that
 * listens on forwarded ports; the others exist when first needed.
 *
 * Nothing but this file's .c includes libslirp.h.  One thread; every function is called by it.
 */

#include "runtime/net_frame.h"
#include "runtime/net_plan.h"
#include "runtime/net_poll.h"

enum { NET_ENGINE_SHARDS = 32 };

struct net_engine;

struct net_engine_opts {
	const struct net_plan *plan; /* borrowed for the engine's life, as are the addresses */
	size_t mtu; /* that libslirp believes in */
	const struct sockaddr_in *outbound; /* NULL: the kernel's choice */
	const struct sockaddr_in6 *outbound6;
	bool disable_host_loopback, disable_dns;
	struct net_poll *poll; /* borrowed for the engine's life */
	void (*send)(void *ctx, const uint8_t *frame, size_t len); /* towards the container */
	void *ctx;
};

/** net_engine_new() - 0, -ENOMEM, -EINVAL */
int net_engine_new(const struct net_engine_opts *opts, struct net_engine **ret);
void net_engine_free(struct net_engine *e);

/** net_engine_input() - a complete frame of the container, no IPv4 fragment; @p: of @frame */
void net_engine_input(
	struct net_engine *e, const uint8_t *frame, size_t len, const struct net_pkt *p);

/**
 * net_engine_prepare() - before the sleep: tell the epoll what is waited for
 * Return: when to wake up at the latest, in monotonic ms; INT64_MAX: never.
 */
int64_t net_engine_prepare(struct net_engine *e, int64_t now_ms);

/** net_engine_turn() - after the sleep: do what events, input and time ask for */
void net_engine_turn(struct net_engine *e, int64_t now_ms);

/**
 * net_engine_forward_add() - listen on the host's end of a forward
 * @host: its port, if it is 0, becomes the one that the kernel chose
 * Return: 0 or the negative errno of socket(2), bind(2) or listen(2).
 */
int net_engine_forward_add(struct net_engine *e, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest);

/** net_engine_forward_remove() - stop listening; connections stay.  0 or -ENOENT */
int net_engine_forward_remove(
	struct net_engine *e, enum net_proto proto, const struct net_endpoint *host);

/** net_engine_version() - of libslirp; and the newest form of its settings that it knows */
const char *net_engine_version(unsigned *ret_config);
