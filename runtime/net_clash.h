/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Networks that the host is in already: a container's must be none of them */

#include "base/err.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A network of the host, or of its routes; both in host order. */
struct net_range {
	uint32_t network, mask;
};

/* More routes than this are not looked at: a router, where the first ones must do. */
#define LIMIT_NET_RANGES 4096

/**
 * net_clash_parse_routes() - the networks of a text like /proc/net/route
 * @ret: room for LIMIT_NET_RANGES
 *
 * Pure.  Default routes are none of them; lines that make no sense are skipped.
 *
 * Return: how many.
 */
size_t net_clash_parse_routes(const char *text, struct net_range *ret);

/**
 * net_clash_pick() - a network for a container
 * @taken: the host's
 *
 * Pure.  Return: a text like "10.0.2.0/24", static: the first of a short list that shares no
 * address with any of @taken, or the first of all when each does.
 */
const char *net_clash_pick(const struct net_range *taken, size_t n);

/** net_clash_choose() - net_clash_pick() for this host, as the caller's network namespace sees it */
const char *net_clash_choose(void);

/**
 * net_clash_own() - the first network of a process's network namespace
 * @pid: of the process; its routes are looked at
 * @ret: "a.b.c.d/n"
 * Return: 0; -ENOENT if there is none but lo.
 */
int net_clash_own(pid_t pid, char *ret, size_t len);
