/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The largest segment that each connection of the container takes.  Pure.
 *
 * libslirp sends segments of up to 32 KiB and the tap's kernel cuts them, so something must know
 * the size to cut to: what the container's end offered in its SYN.  Nearly all connections
 * offer what the interface's MTU allows; only those that offer less (a smaller MTU behind a
 * bridge or a tunnel) are remembered.  When the table overflows, the smallest size that was
 * forgotten holds for every connection: slower, never wrong.
 */

#include "runtime/net_frame.h"

enum { NET_MSS_SLOTS = 1024, NET_MSS_WAYS = 4 };

struct net_mss_flow {
	uint8_t version; /* 0: free */
	uint8_t guest[16], peer[16]; /* addresses; IPv4 in the first 4 bytes */
	uint16_t guest_port, peer_port; /* in network order */
	uint16_t mss;
};

struct net_mss {
	size_t mtu;
	size_t n_flows;
	uint16_t floor; /* the smallest forgotten one; 0: none */
	struct net_mss_flow slots[NET_MSS_SLOTS];
};

/**
 * net_mss_from_guest() - learn from a SYN of the container
 * @frame: changed in place: a SYN that answers a forwarded connection makes libslirp believe that
 *         the container takes the longest segments.  Its checksum stays as right as it was; with
 *         @csum_open it is left alone, to be computed later.
 */
void net_mss_from_guest(struct net_mss *m, uint8_t *frame, const struct net_pkt *p, bool csum_open);

/** net_mss_to_guest() - the size for a TCP packet towards the container */
size_t net_mss_to_guest(const struct net_mss *m, const uint8_t *frame, const struct net_pkt *p);
