/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: start_network PID [relay|relay6|lo] [PROTO,HOSTADDR,HOSTPORT,GUESTPORT | dns=ADDR]…
 *
 * Starts the network process of PID's network namespace, or (relay: in front of a slirp network,
 * relay6: of one with IPv6, lo: of one with lo alone) its port relay, as the engine does.  Prints the
 * pid and the host's ports when it is ready, and ends without waiting for it.  fd 9, if it is open,
 * is the listening socket of the API.
 */
#include "runtime/net_slirp.h"
#include "runtime/relay.h"

#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

static int parse_forward(char *text, struct net_forward *f)
{
	char *proto = strsep(&text, ","), *host = strsep(&text, ","), *hport = strsep(&text, ",");
	uint64_t h, g;

	if (!text || str_to_u64(hport, UINT16_MAX, &h) < 0 || str_to_u64(text, UINT16_MAX, &g) < 0)
		return -EINVAL;
	*f = (struct net_forward){ str_eq(proto, "udp") ? NET_UDP : NET_TCP, (uint16_t)h,
		(uint16_t)g, host, NULL };
	return 0;
}

static int open_ns(const char *pid, const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int start_relay(const char *kind, const struct net_slirp_opts *slirp, const char *target,
	int watch_fd, pid_t *ret_pid, struct err *err)
{
	struct net_slirp_opts addresses = NET_SLIRP_OPTS_INIT;
	struct net_plan plan;
	struct relay_opts opts = { .plan = &plan,
		.forwards = slirp->forwards,
		.n_forwards = slirp->n_forwards,
		.ret_host_ports = slirp->ret_host_ports,
		.api_fd = fcntl(9, F_GETFD) < 0 ? -1 : 9 };
	int r;

	addresses.enable_ipv6 = !str_eq(kind, "relay");
	r = net_plan_make(&addresses, &plan, err);
	if (r < 0)
		return r;
	if (str_eq(kind, "lo"))
		net_plan_use_loopback(&plan);
	plan.any_family = true;
	return relay_start(
		&opts, open_ns(target, "user"), open_ns(target, "net"), watch_fd, ret_pid, err);
}

int main(int argc, char **argv)
{
	struct net_slirp_opts opts = NET_SLIRP_OPTS_INIT;
	struct net_forward forwards[16];
	uint16_t ports[16];
	struct err err = ERR_INIT;
	const char *dns, *relay = NULL;
	uint64_t target;
	pid_t pid;
	int watch_fd, r;

	if (argc < 2 || argc > 16 || str_to_u64(argv[1], INT32_MAX, &target) < 0)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (str_starts(argv[i], "relay") || str_eq(argv[i], "lo")) {
			relay = argv[i];
		} else if (str_starts(argv[i], "dns=")) {
			dns = argv[i] + 4;
			opts.dns = &dns;
			opts.n_dns = 1;
		} else if (parse_forward(argv[i], &forwards[opts.n_forwards++]) < 0) {
			return 2;
		}
	}
	opts.forwards = forwards;
	opts.ret_host_ports = ports;
	watch_fd = (int)syscall(SYS_pidfd_open, (pid_t)target, 0);
	if (relay)
		r = start_relay(relay, &opts, argv[1], watch_fd, &pid, &err);
	else
		r = net_slirp_start(&opts, open_ns(argv[1], "user"), open_ns(argv[1], "net"),
			watch_fd, &pid, &err);
	if (r < 0) {
		err_print(&err, "start_network");
		return 1;
	}
	printf("%d", pid);
	for (size_t i = 0; i < opts.n_forwards; i++)
		printf(" %u", ports[i]);
	return puts("") < 0;
}
