/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Frames between a tap with offload and libslirp, which knows none.  Pure.
 *
 * The container's kernel hands over TCP segments of up to 64 KiB without checksums, and takes the
 * same: a virtio header in front of each frame says what is left to do.  libslirp wants
 * complete frames and gives complete frames.
 *
 *      tap ──header+frame──▶ net_frame_finish() ──frame──▶ libslirp
 *      tap ◀──header+frame── net_out_make() ◀────frame──── libslirp
 *
 * Every byte of a frame may come from an enemy: all offsets are checked against its length.
 */

#include "base/cleanup.h"

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Since Linux 6.2; older headers lack the name. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { NET_ETH_LEN = 14, NET_VNET_LEN = sizeof(struct virtio_net_hdr) };
/* The longest frame on either side: 64 KiB of IP behind an Ethernet header. */
#define LIMIT_NET_FRAME (NET_ETH_LEN + 65535)
/* Datagrams in one frame of UDP segments (the kernel sends at most 128). */
#define LIMIT_NET_SEGMENTS 128

/* Where the parts of a frame are. */
struct net_pkt {
	uint8_t version; /* 4 or 6; 0: not IP, the rest is 0 as well */
	uint8_t proto; /* IPPROTO_…; for IPv6 the first next header */
	bool fragment; /* a part of a datagram; only the part at offset 0 has ports */
	uint16_t frag_off; /* bytes */
	size_t l4; /* transport header, from the start of the frame */
	size_t end; /* behind the datagram: padding may follow */
};

/** net_pkt_parse() - find the parts of a frame; 0, or -EBADMSG if an IP header does not fit it */
int net_pkt_parse(const uint8_t *frame, size_t len, struct net_pkt *ret);

/** net_pkt_has_tcp() - a TCP header with its options lies within the frame */
bool net_pkt_has_tcp(const uint8_t *frame, const struct net_pkt *p);
bool net_pkt_has_udp(const struct net_pkt *p);

static inline uint16_t net_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void net_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/** net_csum() - one's complement sum of @len bytes and @seed, folded, in the order of the machine
 */
uint16_t net_csum(uint64_t seed, const uint8_t *data, size_t len);

/** net_put_ip4_csum() - set the checksum of the IPv4 header, of @ihl bytes, of a frame */
void net_put_ip4_csum(uint8_t *frame, size_t ihl);

/** net_csum_pseudo() - sum of the pseudo header of a TCP or UDP packet of @l4_len bytes */
uint16_t net_csum_pseudo(const uint8_t *frame, const struct net_pkt *p, size_t l4_len);

/* Between which ends a packet goes that is written here. */
struct net_path {
	uint8_t version; /* 4 or 6 */
	uint8_t eth[NET_ETH_LEN];
	uint8_t src[16], dst[16];
};

/** net_path_back() - the path of an answer to an IP packet */
void net_path_back(const uint8_t *frame, const struct net_pkt *p, struct net_path *ret);

/** net_path_equal() - the same two IP addresses */
bool net_path_equal(const struct net_path *a, const struct net_path *b);

/**
 * net_path_begin() - write the headers in front of a TCP or UDP packet
 * @l4_len: of that packet, with its header
 * @id:     of the IPv4 packet, in case that it is cut into fragments
 * @out:    room for them and for @l4_len bytes more
 *
 * Return: where the packet begins.
 */
size_t net_path_begin(
	const struct net_path *path, uint8_t proto, size_t l4_len, uint16_t id, uint8_t *out);

/** net_path_finish() - write the checksum of the packet that stands behind those headers now */
void net_path_finish(const struct net_path *path, uint8_t proto, size_t l4_len, uint8_t *out);

/**
 * net_frame_finish() - do what the sender's kernel left undone: the checksum
 * @hdr:   as read from the tap
 * @frame: changed in place
 *
 * IPv4 UDP gets the checksum 0, which libslirp does not verify; others get theirs.
 *
 * Return: 0; -EBADMSG if @hdr does not fit the frame.
 */
int net_frame_finish(
	const struct virtio_net_hdr *hdr, uint8_t *frame, size_t len, const struct net_pkt *p);

/**
 * net_frame_cut_udp() - the @i-th datagram of a frame of UDP segments
 * @gso_size: payload of each but the last
 * @out:      LIMIT_NET_FRAME bytes
 *
 * Return: its length; 0 behind the last one; -EBADMSG if it is no such frame or has more than
 * LIMIT_NET_SEGMENTS.
 */
int net_frame_cut_udp(
	const uint8_t *frame, const struct net_pkt *p, size_t gso_size, size_t i, uint8_t *out);

/* A frame on its way to the tap: what is changed is copied, what is long stays where it is. */
struct net_out {
	struct virtio_net_hdr hdr;
	uint8_t head[NET_ETH_LEN + 60 + 60 + 8]; /* changed copy of the frame's first bytes */
	size_t head_len;
	size_t rest, rest_len; /* of the frame, to follow the head */
};

/**
 * net_out_make() - header and head of a frame for a tap with offload
 * @mss: largest TCP payload that the receiver takes: more is marked for segmentation
 *
 * TCP and UDP are marked as checked, at the cost of the pseudo header's sum.
 */
void net_out_make(
	const uint8_t *frame, size_t len, const struct net_pkt *p, size_t mss, struct net_out *ret);

/**
 * net_out_fragment() - the @i-th IP fragment of a datagram that is longer than @mtu
 * @id: the same for all fragments of one datagram
 *
 * Return: 1 and @ret filled; 0 behind the last one or if the frame cannot be fragmented.
 */
int net_out_fragment(const uint8_t *frame, const struct net_pkt *p, size_t mtu, uint32_t id,
	size_t i, struct net_out *ret);
