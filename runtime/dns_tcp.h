/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TCP as far as DNS needs it: questions in, answers out, one hop away.  Pure.
 *
 *      frames ──▶ dns_tcp_input() ──whole question──▶ query()
 *      frames ◀── send() ◀── dns_tcp_answer()
 *
 * The peer is a kernel at the other end of a tap, where nothing is reordered and hardly anything
 * lost, so there is no congestion control: what the peer's window takes is sent at once, and all of
 * it again when it is not acknowledged in time.  What a hostile peer can break is its own.
 *
 * Spec: RFC 9293; RFC 7766 (DNS over TCP)
 */

#include "runtime/dns_msg.h"
#include "runtime/net_frame.h"

/* Connections at a time; the one that was quiet longest makes room. */
enum { DNS_TCP_CONNS = 64 };
/* Questions of one connection that may wait for answers; more stay in its buffer. */
enum { DNS_TCP_PENDING = 8 };

/* Which connection a question came by; it may be gone when the answer is there. */
struct dns_tcp_id {
	uint32_t slot, serial;
};

struct dns_tcp_opts {
	unsigned mtu;
	void (*send)(void *ctx, uint8_t *frame, size_t len); /* towards the container */
	/* A question, borrowed.  dns_tcp_answer() may be called from inside. */
	void (*query)(void *ctx, struct dns_tcp_id id, const uint8_t *msg, size_t len);
	void *ctx;
};

struct dns_tcp;

/** dns_tcp_new() - NULL: out of memory */
struct dns_tcp *dns_tcp_new(const struct dns_tcp_opts *opts);
void dns_tcp_free(struct dns_tcp *t);

/**
 * dns_tcp_input() - a TCP packet to the DNS address and its port
 * @p: of @frame; net_pkt_has_tcp()
 */
void dns_tcp_input(
	struct dns_tcp *t, const uint8_t *frame, const struct net_pkt *p, int64_t now_ms);

/** dns_tcp_answer() - answer a question; without effect if its connection is gone
 * @len: at most LIMIT_DNS_MESSAGE; 0: there will be no answer
 */
void dns_tcp_answer(
	struct dns_tcp *t, struct dns_tcp_id id, const uint8_t *msg, size_t len, int64_t now_ms);

/** dns_tcp_tick() - do what time asks for; the time when it does next, INT64_MAX: never */
int64_t dns_tcp_tick(struct dns_tcp *t, int64_t now_ms);
