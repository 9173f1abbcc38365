/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The DNS server that containers see at their network's DNS address
 *
 *      container ── frames to .3:53 ──▶ UDP, or dns_tcp ──▶ a name of the network's own? ──▶ answer
 *                                                       └─▶ dns_forward ──▶ the host's servers
 *
 * Packets to it never reach libslirp, whose own forwarder knows one server only.
 */

#include "runtime/dns_names.h"
#include "runtime/net_frame.h"
#include "runtime/net_poll.h"

struct dns;

struct dns_opts {
	unsigned mtu; /* of the interface */
	struct net_poll *poll; /* borrowed for the life of the server */
	/* A frame towards the container; datagrams may be longer than the MTU. */
	void (*send)(void *ctx, uint8_t *frame, size_t len);
	void (*asked)(void *ctx); /* before a question is forwarded; NULL: nobody cares */
	void *send_ctx, *asked_ctx;
};

/** dns_new() - a server without names and servers; NULL: out of memory */
struct dns *dns_new(const struct dns_opts *opts);
void dns_free(struct dns *dns);

/** dns_set_servers() - forward to the servers of a resolv.conf; 0 or -ENOMEM */
int dns_set_servers(struct dns *dns, const char *resolv, size_t len);

/**
 * dns_set_names() - the network's own names, instead of those before
 * @hosts: text like /etc/hosts, see dns_names_parse(); empty: none
 * Return: 0, -E2BIG or -ENOMEM, and the names stay what they were.
 */
int dns_set_names(struct dns *dns, const char *hosts, size_t len);

/** dns_input() - a TCP or UDP packet to the DNS address, port 53 */
void dns_input(struct dns *dns, const uint8_t *frame, const struct net_pkt *p, int64_t now_ms);

/** dns_tick() - do what time asks for; the time when it does next, INT64_MAX: never */
int64_t dns_tick(struct dns *dns, int64_t now_ms);
