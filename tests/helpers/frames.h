/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames for tests: complete, with right checksums, made from a description */

#include "runtime/net_frame.h"

struct test_frame {
	uint8_t bytes[LIMIT_NET_FRAME];
	size_t len;
};

struct test_packet {
	const char *src, *dst; /* both IPv4 or both IPv6 */
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP; others get the payload alone */
	uint16_t sport, dport;
	uint8_t tcp_flags;
	const uint8_t *tcp_options; /* @n_options bytes, a multiple of 4 */
	size_t n_options;
	size_t payload; /* bytes, of a pattern */
	uint16_t frag; /* IPv4 flags and offset field */
};

enum { T_FIN = 1, T_SYN = 2, T_RST = 4, T_ACK = 16 };

void test_frame_make(struct test_frame *f, const struct test_packet *p);

/** test_frame_is_right() - IP lengths and all checksums are what a receiver demands */
bool test_frame_is_right(const uint8_t *frame, size_t len);
