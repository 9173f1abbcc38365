/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Published ports: -p [IP:][HOST[-END]:]CONTAINER[-END][/tcp|/udp].  Pure.
 *
 * IPv6 addresses stand in brackets.  Without a host port, or with an empty one ("127.0.0.1::80"),
 * the host chooses a free one.
 */

#include "base/err.h"
#include "runtime/net_plan.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct port {
	enum net_proto proto;
	char host_addr[INET6_ADDRSTRLEN]; /* without brackets; "": all addresses */
	uint16_t host_port; /* 0: any that is free */
	uint16_t guest_port;
};

struct portmap {
	struct port *v;
	size_t n; /* at most LIMIT_NET_FORWARDS */
};

/**
 * portmap_add() - the value of one -p; a range adds a port for each number
 *
 * An exposed port of an image ("80/tcp") reads the same, so -P needs nothing else.
 *
 * Return: 0; -EINVAL with a text for a wrong word, ranges of different length or a host port that
 * is taken by an earlier -p; -E2BIG above the limit; -ENOMEM.
 */
int portmap_add(struct portmap *map, const char *text, struct err *err);

void portmap_done(struct portmap *map);

static inline void cleanup_portmap(struct portmap *map)
{
	portmap_done(map);
}
#define auto_portmap __attribute__((cleanup(cleanup_portmap))) struct portmap
