/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network process: how it comes to be, what it gives up, what ends it
 *
 *      caller ──fork──▶ network process ──fork──▶ helper: enters the namespaces, makes the tap
 *                              │        ◀──fd──
 *                              ├──fork──▶ watcher of resolv.conf, outside the empty root
 *                              ├ listens on the forwards
 *                              ├ empty root, no capabilities, seccomp
 *             ◀──report────────┤
 *                              └ loop, until the container or the exit fd ends
 *
 * Invariants: - no packet is looked at before the rights are gone
 *             - when the caller hears of success, packets flow and forwards listen
 *             - the helper ends by itself, the watcher with the network process
 */
#include "runtime/net_slirp.h"

#include "runtime/net_api_socket.h"
#include "runtime/net_buffers.h"
#include "runtime/net_resolv.h"
#include "runtime/net_sandbox.h"
#include "runtime/net_stack.h"
#include "runtime/netproc.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <net/if.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

/* The host's resolv.conf is looked at when a question comes, at most this often. */
enum { RESOLV_ASK_S = 1 };
/* Free memory that stays in the process */
enum { HEAP_KEPT_BYTES = 4 << 20 };

struct net_process {
	const struct net_slirp_opts *opts;
	struct net_plan plan;
	struct sockaddr_in outbound;
	struct sockaddr_in6 outbound6;
	struct net_tap tap;
	struct net_stack *stack;
	struct net_api api;
	struct net_api_server server;
	int resolv; /* to the watcher; -1: none */
	time_t resolv_asked_s;
	char text[LIMIT_RESOLV_BYTES];
	char names[LIMIT_NET_NAMES_BYTES];
};

static void process_free(struct net_process *p)
{
	if (!p)
		return;
	net_api_server_done(&p->server);
	net_api_done(&p->api);
	net_stack_free(p->stack);
	if (p->tap.fd >= 0)
		(void)close(p->tap.fd);
	if (p->resolv >= 0)
		(void)close(p->resolv);
	free(p);
}
DEFINE_CLEANUP(struct net_process *, process, process_free)

/* Outbound addresses: of the host, as they are or by the name of an interface */

static int outbound_of_interface(const char *name, int family, void *ret, size_t len)
{
	struct ifaddrs *all, *i;
	int r = -ENODEV;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (i = all; i && r < 0; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != family || !str_eq(i->ifa_name, name))
			continue;
		if (family == AF_INET6 &&
			IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr))
			continue;
		memcpy(ret, i->ifa_addr, len);
		r = 0;
	}
	freeifaddrs(all);
	return r;
}

static int process_outbound(struct net_process *p, struct err *err)
{
	const char *v4 = p->opts->outbound_addr, *v6 = p->opts->outbound_addr6;
	int r;

	p->outbound.sin_family = AF_INET;
	p->outbound6.sin6_family = AF_INET6;
	if (v4 && inet_pton(AF_INET, v4, &p->outbound.sin_addr) != 1) {
		r = outbound_of_interface(v4, AF_INET, &p->outbound, sizeof(p->outbound));
		if (r < 0)
			return err_say(
				err, r, "'%s' is no IPv4 address, nor an interface with one", v4);
	}
	if (v6 && inet_pton(AF_INET6, v6, &p->outbound6.sin6_addr) != 1) {
		r = outbound_of_interface(v6, AF_INET6, &p->outbound6, sizeof(p->outbound6));
		if (r < 0)
			return err_say(
				err, r, "'%s' is no IPv6 address, nor an interface with one", v6);
	}
	return 0;
}

/* DNS */

static int dns_servers_text(struct net_process *p)
{
	auto_buf b = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->opts->n_dns; i++)
		r = buf_printf(&b, "nameserver %s\n", p->opts->dns[i]);
	if (r < 0)
		return r;
	memcpy(p->text, b.data, b.len); /* LIMIT_NET_DNS short lines */
	return (int)b.len;
}

static void dns_asked(void *ctx)
{
	struct net_process *p = ctx;
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (p->resolv < 0 || now.tv_sec - p->resolv_asked_s < RESOLV_ASK_S)
		return;
	p->resolv_asked_s = now.tv_sec;
	net_resolv_ask(p->resolv);
}

static void resolv_ready(void *ctx, int fd, uint32_t events)
{
	struct net_process *p = ctx;
	int n = net_resolv_receive(fd, p->text);

	(void)events;
	if (n > 0) {
		(void)dns_set_servers(net_stack_dns(p->stack), p->text, (size_t)n);
	} else if (n != -EAGAIN && n != -EINTR) {
		net_poll_forget(net_stack_poll(p->stack), fd);
		(void)close(fd);
		p->resolv = -1;
	}
}

static void names_ready(void *ctx, int fd, uint32_t events)
{
	struct net_process *p = ctx;
	ssize_t n;

	(void)events;
	n = recv(fd, p->names, sizeof(p->names), MSG_DONTWAIT);
	if (n >= 0 && net_stack_dns(p->stack))
		(void)dns_set_names(net_stack_dns(p->stack), p->names, (size_t)n);
	if (n == 0)
		net_poll_forget(net_stack_poll(p->stack), fd); /* whoever knows names is gone */
}

/* Before the empty root: the watcher must stay outside. */
static int dns_prepare(struct net_process *p, struct err *err)
{
	int r;

	if (p->opts->disable_dns || p->opts->flags & NET_INTERNAL)
		return 0;
	if (p->opts->n_dns) {
		r = dns_servers_text(p);
	} else {
		r = net_resolv_start(&p->resolv, err);
		if (r < 0)
			return r;
		r = net_resolv_read(p->text);
		if (r < 0) {
			log_warning(
				"net", "no-dns path='/etc/resolv.conf' reason='%s'", strerror(-r));
			return 0;
		}
	}
	if (r >= 0)
		r = dns_set_servers(net_stack_dns(p->stack), p->text, (size_t)r);
	return r < 0 ? err_set(err, r, "cannot set the DNS servers") : 0;
}

/* Rights: namespaces may be forbidden to ordinary users, and the network still works then. */
static int process_seal(struct net_process *p, struct err *err)
{
	struct err why = ERR_INIT;

	if (net_sandbox_root(&why) < 0)
		log_warning("net", "no-empty-root reason='%s'", why.text);
	return net_sandbox_seal(
		SECCOMP_NET_SOCKETS, p->opts->api_fd >= 0 ? NET_SANDBOX_BIND : 0, err);
}

/* Forwards */

static int forward_add(void *ctx, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest)
{
	struct net_process *p = ctx;

	return net_engine_forward_add(net_stack_engine(p->stack), proto, host, guest);
}

static int forward_remove(void *ctx, enum net_proto proto, const struct net_endpoint *host)
{
	struct net_process *p = ctx;

	return net_engine_forward_remove(net_stack_engine(p->stack), proto, host);
}

static unsigned first_free_port(void)
{
	auto_file f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	unsigned port;

	return f && fscanf(f, "%u", &port) == 1 ? port : 1024;
}

static int process_forwards(struct net_process *p, struct err *err)
{
	for (size_t i = 0; i < p->opts->n_forwards; i++) {
		const struct net_forward *f = &p->opts->forwards[i];
		int64_t id = net_api_add(&p->api, f, err);

		if (id == -EACCES)
			return err_hint(err, -EACCES,
				"ports below %u need root: publish a higher one, or run "
				"'sysctl net.ipv4.ip_unprivileged_port_start=%u' as root",
				first_free_port(), f->host_port);
		if (id < 0)
			return (int)id;
	}
	return 0;
}

static bool may_forward_udp(const struct net_slirp_opts *opts)
{
	if (opts->api_fd >= 0)
		return true;
	for (size_t i = 0; i < opts->n_forwards; i++)
		if (opts->forwards[i].proto == NET_UDP)
			return true;
	return false;
}

/* Life */

static void end_ready(void *ctx, int fd, uint32_t events)
{
	struct net_process *p = ctx;

	(void)fd;
	(void)events;
	net_stack_stop(p->stack);
}

static int process_watch(struct net_process *p, int watch_fd, struct err *err)
{
	const uint32_t any = EPOLLIN | EPOLLPRI | EPOLLRDHUP;
	struct net_poll *poll = net_stack_poll(p->stack);
	int r = 0;

	if (watch_fd >= 0)
		r = net_poll_watch(poll, watch_fd, any, end_ready, p);
	if (r == 0 && p->opts->exit_fd >= 0)
		r = net_poll_watch(poll, p->opts->exit_fd, any, end_ready, p);
	if (r == 0 && p->opts->api_fd >= 0)
		r = net_api_listen(&p->server, &p->api, poll, p->opts->api_fd);
	if (r == 0 && p->opts->names_fd >= 0)
		r = net_poll_watch(poll, p->opts->names_fd, EPOLLIN, names_ready, p);
	if (r == 0 && p->resolv >= 0)
		r = net_poll_watch(poll, p->resolv, EPOLLIN, resolv_ready, p);
	return r < 0 ? err_set(err, r, "cannot wait for events") : 0;
}

/* Everything up to the first packet.  @take_tap: an fd, consumed, or -1: make one. */
static int process_open(struct net_process *p, const struct net_slirp_opts *opts, int userns_fd,
	int netns_fd, int take_tap, struct err *err)
{
	auto_fd tap_fd = take_tap;
	struct net_stack_opts so = {
		.plan = &p->plan,
		.allow_host_loopback = opts->allow_host_loopback,
		.disable_dns = opts->disable_dns,
		.internal = opts->flags & NET_INTERNAL,
		.forwards_udp = may_forward_udp(opts),
		.dns_asked = dns_asked,
		.ctx = p,
	};
	int r;

	p->opts = opts;
	p->resolv = p->tap.fd = -1;
	(void)signal(SIGPIPE, SIG_IGN); /* libslirp writes to sockets whose peer is gone */
	(void)signal(SIGCHLD, SIG_IGN); /* children are reaped without being waited for */
	(void)fd_raise_limit();
	net_buffers_reserve();
	/* libslirp's packets are 64 KiB: giving each back to the kernel costs three calls. */
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES);
	r = net_plan_make(opts, &p->plan, err);
	if (r < 0)
		return r;
	r = process_outbound(p, err);
	if (r < 0)
		return r;
	so.outbound = opts->outbound_addr ? &p->outbound : NULL;
	so.outbound6 = opts->outbound_addr6 ? &p->outbound6 : NULL;
	if (tap_fd >= 0)
		r = net_tap_adopt(tap_fd, &p->tap, err);
	else
		r = net_tap_open(opts, &p->plan, userns_fd, netns_fd, &p->tap, err);
	if (r < 0)
		return r;
	(void)fd_take(&tap_fd);
	r = net_stack_new(&so, &p->tap, &p->stack, err);
	if (r < 0)
		return r;
	p->api = (struct net_api){
		.plan = &p->plan, .add = forward_add, .remove = forward_remove, .ctx = p
	};
	return process_forwards(p, err);
}

static int process_settle(struct net_process *p, int watch_fd, struct err *err)
{
	int r;

	r = dns_prepare(p, err);
	if (r == 0)
		r = process_watch(p, watch_fd, err);
	return r < 0 ? r : process_seal(p, err);
}

static int process_run(struct net_process *p, struct err *err)
{
	int r = net_stack_run(p->stack);

	return r < 0 ? err_set(err, r, "the network of the container ended") : 0;
}

static int serve(const struct net_slirp_opts *opts, int userns_fd, int netns_fd, int take_tap,
	int watch_fd, int take_ready_fd, struct err *err)
{
	auto_cleanup(process) struct net_process *p = calloc(1, sizeof(*p));
	auto_fd ready = take_ready_fd;
	int r;

	if (!p)
		return err_set(err, -ENOMEM, "cannot start the network");
	r = process_open(p, opts, userns_fd, netns_fd, take_tap, err);
	if (r == 0)
		r = process_settle(p, watch_fd, err);
	if (r < 0)
		return r;
	if (ready >= 0) {
		(void)fd_write_all(ready, "1", 1);
		(void)close(fd_take(&ready));
	}
	return process_run(p, err);
}

int net_slirp_serve(const struct net_slirp_opts *opts, int userns_fd, int netns_fd, int watch_fd,
	int take_ready_fd, struct err *err)
{
	return serve(opts, userns_fd, netns_fd, -1, watch_fd, take_ready_fd, err);
}

int net_slirp_serve_tap(const struct net_slirp_opts *opts, int take_tap_fd, int watch_fd,
	int take_ready_fd, struct err *err)
{
	return serve(opts, -1, -1, take_tap_fd, watch_fd, take_ready_fd, err);
}

/* The child of net_slirp_start() */

struct start {
	const struct net_slirp_opts *opts;
	int userns_fd, netns_fd, watch_fd;
};

static int child_main(void *ctx, int *report_fd, struct err *err)
{
	const struct start *s = ctx;
	auto_cleanup(process) struct net_process *p = calloc(1, sizeof(*p));
	auto_free uint16_t *ports = calloc(s->opts->n_forwards + 1, sizeof(*ports));
	int r;

	if (!p || !ports)
		return err_set(err, -ENOMEM, "cannot start the network");
	r = process_open(p, s->opts, s->userns_fd, s->netns_fd, -1, err);
	if (r == 0)
		r = process_settle(p, s->watch_fd, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->api.n_entries; i++)
		ports[i] = p->api.entries[i].host_port;
	(void)netproc_report(report_fd, ports,
		s->opts->ret_host_ports ? s->opts->n_forwards * sizeof(*ports) : 0);
	return process_run(p, err);
}

int net_slirp_start(const struct net_slirp_opts *opts, int userns_fd, int netns_fd, int watch_fd,
	pid_t *ret_pid, struct err *err)
{
	struct start start = { opts, userns_fd, netns_fd, watch_fd };
	int keep[] = { userns_fd, netns_fd, watch_fd, opts->exit_fd, opts->api_fd, opts->names_fd,
		-1 };
	const struct netproc p = { .name = "lamina-slirp",
		.main = child_main,
		.ctx = &start,
		.keep = keep,
		.n_keep = ARRAY_SIZE(keep) - 1 };

	return netproc_start(&p, opts->ret_host_ports,
		opts->ret_host_ports ? opts->n_forwards * sizeof(uint16_t) : 0, ret_pid, err);
}
