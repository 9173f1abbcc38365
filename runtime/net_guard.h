/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the container may send into libslirp.  Pure.
 *
 * libslirp turns packets into sockets of the host, so an address that means the host itself must
 * not get through: 127.0.0.0/8, 0.0.0.0, ::1 and IPv4 in IPv6 never; the gateway and broadcast,
 * which libslirp takes to 127.0.0.1, only with allow_host_loopback.
 *
 * One exception: when a client on the host's 127.0.0.1 speaks to a published port, the container
 * sees it as the gateway and must be able to answer.  TCP needs no memory for that (only a SYN
 * without ACK opens a connection); for UDP the conversations that the host began are remembered.
 */

#include "runtime/net_frame.h"
#include "runtime/net_plan.h"

enum { NET_TALK_SLOTS = 1024, NET_TALK_WAYS = 4 };
enum { NET_REFUSE_LEN = NET_ETH_LEN + 40 + 20 };
/* An answer may take this long (libslirp keeps its UDP sockets for four minutes). */
#define NET_TALK_SECONDS 240

/* UDP between a port of the gateway and one of the container */
struct net_talk {
	uint8_t version; /* 0: free */
	uint16_t gateway_port, guest_port; /* in network order */
	int64_t last_s; /* monotonic seconds */
};

enum net_verdict {
	NET_PASS,
	NET_DROP,
	NET_REFUSE, /* answer with net_guard_refuse() */
	NET_DNS, /* TCP or UDP to port 53 of the DNS address: none of libslirp's business */
	NET_VERDICT_MAX_
};

struct net_guard {
	const struct net_plan *plan; /* borrowed for the guard's life */
	bool allow_host_loopback;
	bool disable_dns;
	bool internal; /* nothing but DNS */
	struct net_talk talks[NET_TALK_SLOTS];
};

/** net_guard_from_guest() - may this frame pass?  @now_s: monotonic seconds */
enum net_verdict net_guard_from_guest(
	struct net_guard *g, const uint8_t *frame, const struct net_pkt *p, int64_t now_s);

/** net_guard_is_outside() - whether a frame goes beyond the gateway and the DNS address */
bool net_guard_is_outside(const struct net_guard *g, const uint8_t *frame, const struct net_pkt *p);

/** net_guard_to_guest() - see a frame towards the container */
void net_guard_to_guest(
	struct net_guard *g, const uint8_t *frame, const struct net_pkt *p, int64_t now_s);

/**
 * net_guard_is_loopback() - does this frame towards the container come from the host's loopback?
 *
 * libslirp shows a client on the host as the gateway, but not on a forwarded UDP port that has
 * answered somebody else before: then the container would see 127.0.0.1, its own.
 */
bool net_guard_is_loopback(const uint8_t *frame, const struct net_pkt *p);

/** net_guard_readdress() - make the gateway the sender of a frame; checksums stay right */
void net_guard_readdress(const struct net_guard *g, uint8_t *frame, const struct net_pkt *p);

/**
 * net_guard_refuse() - the RST that answers a SYN
 * @out: at least NET_REFUSE_LEN bytes
 * Return: its length; 0 if @frame is not a TCP packet that can be answered.
 */
size_t net_guard_refuse(const uint8_t *frame, const struct net_pkt *p, uint8_t *out);
