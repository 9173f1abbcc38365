/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libslirp on a tap: the loop of the network process
 *
 * One thread; every function is called by it.
 */

#include "runtime/dns.h"
#include "runtime/net_engine.h"
#include "runtime/net_plan.h"
#include "runtime/net_poll.h"
#include "runtime/net_tap.h"

struct net_stack;

struct net_stack_opts {
	const struct net_plan *plan; /* borrowed for the stack's life, as are the addresses */
	const struct sockaddr_in *outbound; /* NULL: the kernel's choice */
	const struct sockaddr_in6 *outbound6;
	bool allow_host_loopback, disable_dns;
	bool internal; /* the guard passes nothing but DNS */
	bool forwards_udp; /* UDP may be forwarded at some time */
	void (*dns_asked)(void *ctx); /* before a question is forwarded; NULL: tell nobody */
	void *ctx;
};

/**
 * net_stack_new() - a stack on a tap; nothing happens until net_stack_run()
 * @tap: the fd is borrowed for the stack's life
 * Return: 0 or a negative errno with a text.
 */
int net_stack_new(const struct net_stack_opts *opts, const struct net_tap *tap,
	struct net_stack **ret, struct err *err);

void net_stack_free(struct net_stack *s);

/** net_stack_engine() - for its forwards; borrowed */
struct net_engine *net_stack_engine(struct net_stack *s);

/** net_stack_poll() - the set that the loop sleeps on, to add watches; borrowed */
struct net_poll *net_stack_poll(struct net_stack *s);

/** net_stack_dns() - the server at the DNS address; borrowed; NULL with disable_dns */
struct dns *net_stack_dns(struct net_stack *s);

/** net_stack_stop() - let net_stack_run() return after this turn; for functions of watches */
void net_stack_stop(struct net_stack *s);

/** net_stack_run() - move packets until stopped (0) or the tap is gone (-ENODEV) */
int net_stack_run(struct net_stack *s);
