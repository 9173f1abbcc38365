/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Questions to the host's DNS servers: who is asked, for how long, and who next
 *
 * One server is asked; when it says nothing for a second, or that it cannot, the next one is asked,
 * too, and the first good answer counts.  A server that was silent is asked last from then on, for a
 * while.  UDP questions go by UDP, TCP questions by TCP, each from a socket of its own, so that a
 * forger must guess its port and its id.
 */

#include "runtime/dns_msg.h"
#include "runtime/dns_tcp.h"
#include "runtime/net_poll.h"

/* Questions that wait at a time, of all containers of the network; more are not heard. */
#define LIMIT_DNS_PENDING 512
#define LIMIT_DNS_SERVERS 8

/* Who asks, and how. */
struct dns_client {
	struct net_path path; /* to it */
	uint16_t port; /* UDP: its port, in network order */
	bool is_tcp;
	struct dns_tcp_id tcp;
};

struct dns_forward_opts {
	struct net_poll *poll; /* borrowed for the life of the forwarder */
	uint16_t port; /* of the servers; 0: 53 */
	/* An answer, with the client's id; borrowed, may be changed. */
	void (*answer)(void *ctx, const struct dns_client *to, uint8_t *msg, size_t len);
	void *ctx;
};

struct dns_forward;

/** dns_forward_new() - NULL: out of memory */
struct dns_forward *dns_forward_new(const struct dns_forward_opts *opts);
void dns_forward_free(struct dns_forward *f);

/**
 * dns_forward_set_servers() - from now on ask these
 * @resolv: text of a resolv.conf, @len bytes; without servers in it, 127.0.0.1 is one
 *
 * Questions that wait are asked again, if these are others than before.
 *
 * Return: 0 or -ENOMEM.
 */
int dns_forward_set_servers(struct dns_forward *f, const char *resolv, size_t len);

/**
 * dns_forward_query() - ask; the answer comes later, or from inside
 * @msg: a query that dns_parse_query() took, at most LIMIT_DNS_QUERY bytes
 *
 * The same question of the same client that waits already is not asked twice.  There is always an
 * answer, SERVFAIL if nothing better, but above LIMIT_DNS_PENDING.
 */
void dns_forward_query(struct dns_forward *f, const struct dns_client *client, const uint8_t *msg,
	size_t len, int64_t now_ms);

/** dns_forward_tick() - do what time asks for; the time when it does next, INT64_MAX: never */
int64_t dns_forward_tick(struct dns_forward *f, int64_t now_ms);
