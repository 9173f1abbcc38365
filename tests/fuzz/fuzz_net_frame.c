/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a container: all that is done to them before and behind libslirp
 *
 * Input: a byte of choices, a virtio header, a frame.
 */
#include "runtime/net_guard.h"
#include "runtime/net_mss.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

static uint8_t frame[LIMIT_NET_FRAME], cut[LIMIT_NET_FRAME];
static struct net_guard guard;
static struct net_mss mss = { .mtu = 1500 };
static struct net_plan plan;

static void try_input(const struct virtio_net_hdr *hdr, size_t len, const struct net_pkt *p)
{
	uint8_t answer[NET_REFUSE_LEN];
	struct net_pkt q;
	int n;

	if (net_guard_from_guest(&guard, frame, p, 1) == NET_REFUSE) {
		size_t reset = net_guard_refuse(frame, p, answer);

		assert(reset > 0 && reset <= sizeof(answer));
		assert(net_pkt_parse(answer, reset, &q) == 0 && q.end == reset);
		assert(net_pkt_has_tcp(answer, &q));
	}
	for (size_t i = 0; (n = net_frame_cut_udp(frame, p, hdr->gso_size, i, cut)) > 0; i++) {
		assert(i < LIMIT_NET_SEGMENTS && (size_t)n <= len);
		assert(net_pkt_parse(cut, (size_t)n, &q) == 0 && q.end == (size_t)n);
	}
	net_mss_from_guest(&mss, frame, p, hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	(void)net_frame_finish(hdr, frame, len, p);
}

static void try_output(size_t len, const struct net_pkt *p, size_t mtu)
{
	size_t payload = p->end - p->l4, at = 0;
	struct net_out o;

	if (net_guard_is_loopback(frame, p))
		net_guard_readdress(&guard, frame, p);
	net_guard_to_guest(&guard, frame, p, 1);
	if (!p->fragment && net_pkt_has_tcp(frame, p))
		assert(net_mss_to_guest(&mss, frame, p) <= 1460);
	net_out_make(frame, len, p, 1460, &o);
	assert(o.head_len <= sizeof(o.head) && o.rest + o.rest_len == len);
	for (size_t i = 0; net_out_fragment(frame, p, mtu, 1, i, &o) > 0; i++) {
		assert(o.head_len + o.rest_len <= NET_ETH_LEN + mtu);
		assert(o.rest == p->l4 + at && o.rest + o.rest_len <= p->end);
		at += o.rest_len;
	}
	assert(at == 0 || at == payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct net_slirp_opts opts = NET_SLIRP_OPTS_INIT;
	struct virtio_net_hdr hdr;
	struct net_pkt p;

	if (len < 1 + sizeof(hdr) || len > 1 + sizeof(hdr) + LIMIT_NET_FRAME)
		return 0;
	opts.enable_ipv6 = true;
	assert(net_plan_make(&opts, &plan, NULL) == 0);
	guard.plan = &plan;
	guard.allow_host_loopback = data[0] & 1;
	guard.disable_dns = data[0] & 2;
	memcpy(&hdr, data + 1, sizeof(hdr));
	len -= 1 + sizeof(hdr);
	for (int output = 0; output <= 1; output++) {
		memcpy(frame, data + 1 + sizeof(hdr), len);
		if (net_pkt_parse(frame, len, &p) < 0)
			return 0;
		if (output)
			try_output(len, &p, data[0] & 4 ? 1500 : 68);
		else
			try_input(&hdr, len, &p);
	}
	return 0;
}
