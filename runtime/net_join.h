/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Two segments that libslirp sends in a row, as one frame.  Pure.
 *
 * A window of libslirp's is 64 KiB and a segment half of it at most, but what the kernel does for a
 * frame (to receive, to acknowledge, to wake a reader) costs as much for 32 KiB as for 64.
 *
 *      segment ── more will follow ──▶ held ──▶ joined with the next one, or sent as it is
 *
 * Invariants: - a frame waits for others of the same turn alone, never for time
 *             - what is held goes out before any other packet of its connection
 */

#include "runtime/net_frame.h"

/* The longest payload of which two fit into a frame, and into a window, with IPv4 or IPv6 */
enum { NET_JOIN_MSS = 32720 };
/* Shorter ones are not worth the copy. */
enum { NET_JOIN_MIN = 16384 };

struct net_join {
	uint8_t frame[LIMIT_NET_FRAME];
	size_t len; /* 0: nothing is held */
	struct net_pkt pkt;
};

/** net_join_may_wait() - whether more of the same is likely to follow at once */
bool net_join_may_wait(const uint8_t *frame, const struct net_pkt *p);

/** net_join_hold() - keep a copy of a frame that may wait; nothing is held before */
void net_join_hold(struct net_join *j, const uint8_t *frame, size_t len, const struct net_pkt *p);

/**
 * net_join_add() - make the header of what is held that of both
 *
 * On success j->pkt is that of the joined frame, whose bytes are those of j->frame and, behind
 * them, @ret_len bytes of @frame from @ret_at on.
 *
 * Return: whether @frame continues what is held.  If not, nothing has changed.
 */
bool net_join_add(struct net_join *j, const uint8_t *frame, const struct net_pkt *p, size_t *ret_at,
	size_t *ret_len);
