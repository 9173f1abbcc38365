/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port relay: how it comes to be, its table of listeners, what ends it
 *
 * Invariants: - no byte of a client is looked at, before or after the rights are gone
 *             - when the caller hears of success, every port listens
 */
#include "runtime/relay.h"

#include "runtime/net_api_socket.h"
#include "runtime/net_sandbox.h"
#include "runtime/netproc.h"
#include "runtime/relay_loop.h"
#include "runtime/relay_route.h"
#include "runtime/relay_tcp.h"
#include "runtime/relay_udp.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

/* Who waits for fds that this process does not hold itself (ENFILE) tries again so often. */
enum { RETRY_MS = 200 };
/* Ports that the host chooses until one is free for both IP versions */
enum { CHOOSE_TRIES = 16 };

struct listener {
	struct listener *next;
	enum net_proto proto;
	struct net_endpoint host;
	struct relay_tcp_listener *tcp; /* or */
	struct relay_udp_listener *udp;
};

struct relay {
	const struct relay_opts *opts;
	struct relay_loop loop;
	struct relay_tcp *tcp;
	struct relay_udp *udp;
	struct listener *listeners;
	struct net_api api;
	struct net_api_server server;
};

/* ---- listeners: the API's two functions ---- */

static int listener_add(void *ctx, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest)
{
	struct relay *relay = ctx;
	auto_free struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	if (proto == NET_TCP)
		r = relay_tcp_listen(relay->tcp, host, guest, &l->tcp);
	else
		r = relay_udp_listen(relay->udp, host, guest, &l->udp);
	if (r < 0)
		return r;
	l->proto = proto;
	l->host = *host;
	l->next = relay->listeners;
	relay->listeners = ptr_take(&l);
	return 0;
}

static int listener_remove(void *ctx, enum net_proto proto, const struct net_endpoint *host)
{
	struct relay *relay = ctx;
	struct listener **at = &relay->listeners, *l;

	while ((l = *at) && !(l->proto == proto && relay_same_address(&l->host, host) &&
				    relay_port_of(&l->host) == relay_port_of(host)))
		at = &l->next;
	if (!l)
		return -ENOENT;
	*at = l->next;
	if (l->tcp)
		relay_tcp_unlisten(l->tcp);
	else
		relay_udp_unlisten(l->udp);
	free(l);
	return 0;
}

static unsigned first_free_port(void)
{
	auto_file f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	unsigned port;

	return f && fscanf(f, "%u", &port) == 1 ? port : 1024;
}

static uint16_t newest_port(const struct relay *relay)
{
	return relay->api.entries[relay->api.n_entries - 1].host_port;
}

/*
 * All addresses are those of both IP versions, by a socket each: one for both would hide the
 * client's version.  A port that the host chose for one may be taken for the other.
 */
static int64_t add_forward(struct relay *relay, const struct net_forward *f, struct err *err)
{
	struct net_forward second = *f;
	int64_t id = -EADDRINUSE;

	if (f->host_addr || f->guest_addr)
		return net_api_add(&relay->api, f, err);
	for (int i = 0; i < CHOOSE_TRIES && id == -EADDRINUSE; i++) {
		id = net_api_add(&relay->api, f, err);
		if (id < 0)
			return id;
		second.host_addr = "::";
		second.host_port = newest_port(relay);
		id = net_api_add(&relay->api, &second, err);
		if (id == -EAFNOSUPPORT || id == -EADDRNOTAVAIL)
			id = 0; /* a host without IPv6 */
		else if (id == -EADDRINUSE && f->host_port == 0)
			net_api_remove_newest(&relay->api);
		else
			break;
	}
	return id;
}

static int add_forwards(struct relay *relay, uint16_t *ports, struct err *err)
{
	for (size_t i = 0; i < relay->opts->n_forwards; i++) {
		const struct net_forward *f = &relay->opts->forwards[i];
		int64_t id = add_forward(relay, f, err);

		if (id == -EACCES)
			return err_hint(err, -EACCES,
				"ports below %u need root: publish a higher one, or run "
				"'sysctl net.ipv4.ip_unprivileged_port_start=%u' as root",
				first_free_port(), f->host_port);
		if (id < 0)
			return (int)id;
		ports[i] = newest_port(relay);
	}
	return 0;
}

/* ---- life ---- */

static void end_ready(void *ctx, int fd, uint32_t events)
{
	struct relay *relay = ctx;

	(void)fd;
	(void)events;
	relay->loop.stop = true;
}

static int relay_watch(struct relay *relay, int watch_fd, struct err *err)
{
	int r = 0;

	if (watch_fd >= 0)
		r = net_poll_watch(
			&relay->loop.poll, watch_fd, EPOLLIN | EPOLLRDHUP, end_ready, relay);
	/* Nothing is ever said unasked: an event is the end of the inside. */
	if (r == 0)
		r = net_poll_watch(
			&relay->loop.poll, relay->loop.inside.sock, EPOLLRDHUP, end_ready, relay);
	if (r == 0 && relay->opts->api_fd >= 0)
		r = net_api_listen(
			&relay->server, &relay->api, &relay->loop.poll, relay->opts->api_fd);
	return r < 0 ? err_set(err, r, "cannot wait for events") : 0;
}

static int relay_seal(struct err *err)
{
	struct err why = ERR_INIT;

	(void)net_api_is_whole("{}", 2); /* the JSON library takes its random seed while it can */
	if (net_sandbox_root(&why) < 0)
		log_warning("ports", "no-empty-root reason='%s'", why.text);
	return net_sandbox_seal(SECCOMP_NET_RELAY, NET_SANDBOX_BIND, err);
}

static int relay_run(struct relay *relay)
{
	bool waiting = false;
	unsigned freed = 0;
	int idle_s = -1, r = 0;

	while (!relay->loop.stop && r >= 0) {
		r = relay_loop_turn(&relay->loop, waiting      ? RETRY_MS
						  : idle_s < 0 ? -1
							       : idle_s * 1000);
		idle_s = relay_udp_expire(relay->udp);
		if (waiting || freed != relay->loop.freed)
			waiting = relay_tcp_retry(relay->tcp);
		freed = relay->loop.freed;
	}
	return r;
}

static void relay_end(struct relay *relay)
{
	struct listener *l;

	net_api_server_done(&relay->server);
	net_api_done(&relay->api);
	while ((l = relay->listeners)) {
		relay->listeners = l->next;
		free(l);
	}
	relay_udp_free(relay->udp);
	relay_tcp_free(relay->tcp);
	relay_loop_done(&relay->loop);
}

struct start {
	const struct relay_opts *opts;
	int userns_fd, netns_fd, watch_fd;
};

static int relay_begin(struct relay *relay, const struct start *s, uint16_t *ports, struct err *err)
{
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN); /* the inside is reaped without being waited for */
	relay->opts = s->opts;
	relay->api = (struct net_api){ .plan = s->opts->plan,
		.add = listener_add,
		.remove = listener_remove,
		.ctx = relay,
		.flags = NET_API_ANY_PORT };
	r = relay_loop_init(&relay->loop, s->opts->plan);
	if (r >= 0)
		r = relay_tcp_new(&relay->loop, &relay->tcp);
	if (r >= 0)
		r = relay_udp_new(&relay->loop, &relay->udp);
	if (r < 0)
		return err_set(err, r, "cannot start the port relay");
	r = relay_inside_start(&relay->loop.inside, s->userns_fd, s->netns_fd, err);
	if (r >= 0)
		r = add_forwards(relay, ports, err);
	if (r >= 0)
		r = relay_watch(relay, s->watch_fd, err);
	return r < 0 ? r : relay_seal(err);
}

static int relay_main(void *ctx, int *report_fd, struct err *err)
{
	const struct start *s = ctx;
	struct relay relay = { 0 };
	auto_free uint16_t *ports = calloc(s->opts->n_forwards + 1, sizeof(*ports));
	int r;

	if (!ports)
		return err_set(err, -ENOMEM, "cannot start the port relay");
	r = relay_begin(&relay, s, ports, err);
	if (r >= 0) {
		(void)netproc_report(report_fd, ports, s->opts->n_forwards * sizeof(*ports));
		r = relay_run(&relay);
	}
	relay_end(&relay);
	return r;
}

int relay_start(const struct relay_opts *opts, int userns_fd, int netns_fd, int watch_fd,
	pid_t *ret_pid, struct err *err)
{
	struct start start = { opts, userns_fd, netns_fd, watch_fd };
	auto_free uint16_t *ports = calloc(opts->n_forwards + 1, sizeof(*ports));
	int keep[] = { userns_fd, netns_fd, watch_fd, opts->api_fd, -1 };
	const struct netproc p = { .name = "lamina-ports",
		.main = relay_main,
		.ctx = &start,
		.keep = keep,
		.n_keep = ARRAY_SIZE(keep) - 1 };
	size_t len = opts->n_forwards * sizeof(*ports);
	int r;

	if (!ports)
		return err_set(err, -ENOMEM, "ports");
	r = netproc_start(&p, ports, len, ret_pid, err);
	if (r >= 0 && opts->ret_host_ports)
		memcpy(opts->ret_host_ports, ports, len);
	return r;
}
