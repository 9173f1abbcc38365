/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way of a hostile container's frames: guard, checksums, every instance of libslirp
 *
 * Input: frames, each behind a byte of choices and two of length.  It runs in a network namespace
 * of its own that has nothing but lo, for what libslirp is made to do, it does.
 */
#include "runtime/net_engine.h"
#include "runtime/net_guard.h"
#include "runtime/net_join.h"
#include "runtime/net_mss.h"
#include "runtime/net_reass.h"
#include "tests/fuzz/fuzz.h"

#include "base/cleanup.h"

#include <assert.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum choice {
	CHOICE_NEEDS_CSUM = 1,
	CHOICE_TURN = 2,
	CHOICE_FIX = 4, /* lengths and checksums are put right: a fuzzer finds few by chance */
	CHOICE_SEGMENTS = 8,
	CHOICE_LOOPBACK = 16,
	CHOICE_LATER = 32, /* five seconds pass before the turn */
};
/* Few, so that limits are reached */
enum { MAX_FDS = 256 };

static uint8_t frame[LIMIT_NET_FRAME], cut[LIMIT_NET_FRAME];
static struct net_plan plan;
static struct net_poll poll_set;
static struct net_engine *engine;
static struct net_guard guard;
static struct net_mss mss;
static struct net_reass reass;
static struct net_join joined;
static struct net_endpoint forwards[NET_PROTO_MAX_];
static int64_t now_ms;
static bool is_nowhere;

/* Before main(): a fuzzer starts threads, and a process with threads stays where it is. */
__attribute__((constructor)) static void enter_nowhere(void)
{
	const struct rlimit few = { MAX_FDS, MAX_FDS };
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	auto_fd fd = -1;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is_nowhere = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0 &&
		     setrlimit(RLIMIT_NOFILE, &few) == 0;
}

static void hear(void *ctx, const uint8_t *out, size_t len)
{
	struct net_pkt p;
	size_t at, n;

	(void)ctx;
	assert(len <= LIMIT_NET_FRAME);
	if (net_pkt_parse(out, len, &p) < 0)
		return;
	net_guard_to_guest(&guard, out, &p, 1);
	if (net_join_add(&joined, out, &p, &at, &n))
		assert(at + n <= len && joined.len + n == joined.pkt.end);
	joined.len = 0;
	if (net_join_may_wait(out, &p))
		net_join_hold(&joined, out, len, &p);
}

static void begin(bool loopback)
{
	struct net_slirp_opts slirp = NET_SLIRP_OPTS_INIT;
	struct net_engine_opts opts = { .plan = &plan,
		.mtu = NET_MTU_MAX,
		.disable_dns = true,
		.poll = &poll_set,
		.send = hear };
	struct net_endpoint host = { .in = { .sin_family = AF_INET }, .len = sizeof(host.in) };
	struct net_endpoint guest = host;

	slirp.enable_ipv6 = true;
	assert(net_plan_make(&slirp, &plan, NULL) == 0);
	assert(net_poll_init(&poll_set) == 0);
	assert(net_engine_new(&opts, &engine) == 0);
	guest.in.sin_addr = plan.guest;
	guest.in.sin_port = htons(80);
	for (int proto = 0; proto < NET_PROTO_MAX_; proto++) {
		forwards[proto] = host;
		(void)net_engine_forward_add(
			engine, (enum net_proto)proto, &forwards[proto], &guest);
	}
	now_ms = 1;
	joined.len = 0;
	memset(&guard, 0, sizeof(guard));
	guard.plan = &plan;
	guard.allow_host_loopback = loopback;
	memset(&mss, 0, sizeof(mss));
	for (size_t i = 0; i < NET_REASS_SLOTS; i++)
		reass.slots[i].used = false;
	mss.mtu = plan.mtu;
}

static void turn(void)
{
	(void)net_engine_prepare(engine, now_ms);
	(void)net_poll_wait(&poll_set, 0);
	net_engine_turn(engine, now_ms);
}

/* What a kernel always gets right */
static void put_right(size_t len)
{
	bool v6 = frame[12] == 0x86;
	uint8_t *ip = frame + NET_ETH_LEN;
	struct net_pkt p;
	uint16_t csum;

	if (len < NET_ETH_LEN + 40)
		return;
	net_put16(frame + 12, v6 ? 0x86dd : 0x0800);
	ip[0] = v6 ? 0x60 : 0x45;
	net_put16(ip + (v6 ? 4 : 2), (uint16_t)(len - NET_ETH_LEN - (v6 ? 40 : 0)));
	if (!v6) {
		net_put16(ip + 10, 0);
		csum = (uint16_t)~net_csum(0, ip, 20);
		memcpy(ip + 10, &csum, 2);
	}
	if (net_pkt_parse(frame, len, &p) < 0 || p.fragment)
		return;
	if (net_pkt_has_udp(&p))
		net_put16(frame + p.l4 + 4, (uint16_t)(p.end - p.l4));
	if (net_pkt_has_udp(&p) || net_pkt_has_tcp(frame, &p)) {
		const struct net_path path = { .version = p.version };

		net_path_finish(&path, p.proto, p.end - p.l4, frame);
	}
}

static void input(const struct virtio_net_hdr *hdr, size_t len, unsigned choices)
{
	uint8_t *whole;
	struct net_pkt p;
	int n;

	if (net_pkt_parse(frame, len, &p) < 0)
		return;
	if (p.version == 4 && p.fragment) {
		len = net_reass_input(&reass, frame, &p, 1, &whole);
		if (len == 0 || net_pkt_parse(whole, len, &p) < 0)
			return;
		assert(!p.fragment && p.end == len && len <= sizeof(frame));
		memcpy(frame, whole, len);
	}
	if (net_guard_from_guest(&guard, frame, &p, 1) != NET_PASS)
		return;
	if (choices & CHOICE_SEGMENTS) {
		for (size_t i = 0; (n = net_frame_cut_udp(frame, &p, 100, i, cut)) > 0; i++)
			net_engine_input(engine, cut, (size_t)n, &p);
		return;
	}
	net_mss_from_guest(&mss, frame, &p, hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	if (net_frame_finish(hdr, frame, len, &p) == 0)
		net_engine_input(engine, frame, len, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct virtio_net_hdr hdr = { .csum_start = 34, .csum_offset = 16 };

	if (!is_nowhere || len == 0)
		return 0;
	begin(data[0] & CHOICE_LOOPBACK);
	while (len > 3) {
		unsigned choices = data[0];
		size_t n = net_get16(data + 1);

		data += 3;
		len -= 3;
		n = n < len ? n : len;
		memset(frame, 0, NET_ETH_LEN);
		memcpy(frame, data, n);
		if (choices & CHOICE_FIX)
			put_right(n);
		hdr.flags = choices & CHOICE_NEEDS_CSUM ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
		input(&hdr, n, choices);
		now_ms += choices & CHOICE_LATER ? 5000 : 0;
		if (choices & (CHOICE_TURN | CHOICE_LATER))
			turn();
		data += n;
		len -= n;
	}
	turn();
	for (int proto = 0; proto < NET_PROTO_MAX_; proto++)
		(void)net_engine_forward_remove(engine, (enum net_proto)proto, &forwards[proto]);
	net_engine_free(engine);
	net_poll_done(&poll_set);
	return 0;
}
