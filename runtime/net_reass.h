/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * IPv4 fragments of the container, put together before anybody looks at them.  Pure.
 *
 * libslirp 4.7 can do this, too, but follows a pointer of the sender's when fragments come in a
 * certain way: it gets whole packets only.  And what the guard judges has its ports.
 *
 * Spec: RFC 791 section 3.2; fragments that overlap end their packet, as RFC 5722 wants it of IPv6.
 */

#include "runtime/net_frame.h"

/* Packets in the making at a time; the oldest makes room. */
enum { NET_REASS_SLOTS = 16 };
/* A packet that is not whole by then is given up. */
enum { NET_REASS_MS = 30000 };

struct net_reass_slot {
	bool used;
	uint8_t key[11]; /* source, destination, id, protocol */
	int64_t since_ms;
	size_t total; /* bytes behind the IP header; 0: the last fragment is not there */
	size_t n_units; /* of eight bytes, that are there */
	uint8_t seen[65536 / 8 / 8]; /* a bit for each */
	uint8_t frame[LIMIT_NET_FRAME];
};

/* Zero is empty.  Pages come to be where fragments do. */
struct net_reass {
	struct net_reass_slot slots[NET_REASS_SLOTS];
};

/**
 * net_reass_input() - a fragment
 * @p:   of @frame: IPv4, fragment is set
 * @ret: the whole frame, which lasts until the next call; it may be changed
 *
 * Return: length of the whole frame, if this was what it lacked; 0: it lacks more, or the fragment
 * makes no sense.
 */
size_t net_reass_input(struct net_reass *r, const uint8_t *frame, const struct net_pkt *p,
	int64_t now_ms, uint8_t **ret);
