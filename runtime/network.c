/* SPDX-License-Identifier: Apache-2.0 */
/* The network of one container (the contract is in the header). */
#include "runtime/network.h"

#include "runtime/net_clash.h"
#include "runtime/net_slirp.h"
#include "runtime/relay.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

void network_init(struct network *n)
{
	memset(n, 0, sizeof(*n));
	n->pidfd = n->rundir_fd = -1;
}

/* ---- what is asked for ---- */

static int plan_forwards(struct network *n, struct err *err)
{
	n->forwards = calloc(n->ports.n + 1, sizeof(*n->forwards));
	if (!n->forwards)
		return err_set(err, -ENOMEM, "ports");
	for (size_t i = 0; i < n->ports.n; i++) {
		const struct port *port = &n->ports.v[i];

		n->forwards[i] = (struct net_forward){ .proto = port->proto,
			.host_port = port->host_port,
			.guest_port = port->guest_port,
			.host_addr = port->host_addr[0] ? port->host_addr : NULL };
	}
	return 0;
}

static int plan_addresses(struct network *n, struct err *err)
{
	int r;

	if (n->mode.kind == NETMODE_SLIRP && !n->mode.slirp.cidr)
		n->mode.slirp.cidr = net_clash_choose();
	r = net_plan_make(&n->mode.slirp, &n->plan, err);
	if (r < 0)
		return r;
	if (n->mode.kind == NETMODE_NONE)
		net_plan_use_loopback(&n->plan);
	n->plan.any_family = n->mode.ports == NETMODE_PORTS_SPLICE;
	return 0;
}

int network_parse(struct network *n, const char *text, const struct strv *publish, struct err *err)
{
	int r;

	r = netmode_parse(text, &n->mode, err);
	for (size_t i = 0; r >= 0 && i < publish->n; i++)
		r = portmap_add(&n->ports, publish->v[i], err);
	if (r >= 0 && n->ports.n > 0 && n->mode.kind == NETMODE_HOST)
		r = err_say(err, -EINVAL, "a container in the host's network publishes no ports");
	if (r >= 0)
		r = plan_addresses(n, err);
	return r < 0 ? r : plan_forwards(n, err);
}

void network_etcfiles(struct network *n, struct etcfiles *ret)
{
	static const enum etc_network kinds[] = { [NETMODE_NONE] = ETC_NET_NONE,
		[NETMODE_HOST] = ETC_NET_HOST,
		[NETMODE_SLIRP] = ETC_NET_SLIRP };
	bool slirp = n->mode.kind == NETMODE_SLIRP;

	if (n->mode.kind == NETMODE_HOST)
		snprintf(n->host_addr, sizeof(n->host_addr), "127.0.0.1");
	else if (slirp && n->mode.slirp.allow_host_loopback)
		snprintf(n->host_addr, sizeof(n->host_addr), "%s", n->plan.gateway_text);
	else if (!slirp || etcfiles_host_addr(n->host_addr) < 0)
		n->host_addr[0] = '\0';
	ret->network = kinds[n->mode.kind];
	ret->no_dns_server = slirp && n->mode.slirp.disable_dns;
	ret->host_loopback_closed = slirp && !n->mode.slirp.allow_host_loopback;
	ret->plan = slirp ? &n->plan : NULL;
	ret->host_addr = n->host_addr[0] ? n->host_addr : NULL;
}

/* ---- the API's socket ---- */

/* By its directory's fd: the path of a socket is short, that of a directory may be long. */
static int api_address(int dirfd, const char *name, struct sockaddr_un *ret)
{
	ret->sun_family = AF_UNIX;
	return snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dirfd, name) <
			       (int)sizeof(ret->sun_path)
		       ? 0
		       : -ENAMETOOLONG;
}

static int ports_dir(int rundir_fd)
{
	int fd;

	if (mkdirat(rundir_fd, "ports", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(rundir_fd, "ports", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int api_listen(struct network *n, const struct network_place *place, struct err *err)
{
	auto_fd sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd dirfd = ports_dir(place->rundir_fd);
	struct sockaddr_un addr = { 0 };
	int r;

	if (sock < 0 || dirfd < 0)
		return err_set(err, sock < 0 ? -errno : dirfd, "cannot make the ports' socket");
	r = api_address(dirfd, place->id, &addr);
	if (r < 0)
		return err_set(err, r, "cannot make the ports' socket");
	(void)unlinkat(dirfd, place->id, 0); /* of a container that ended without its monitor */
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(sock, 16) < 0)
		return err_set(err, -errno, "cannot make the ports' socket");
	n->rundir_fd = fcntl(place->rundir_fd, F_DUPFD_CLOEXEC, 0);
	snprintf(n->api_name, sizeof(n->api_name), "ports/%s", place->id);
	return fd_take(&sock);
}

int network_api_connect(int rundir_fd, const char *id, struct err *err)
{
	auto_fd sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd dirfd = ports_dir(rundir_fd);
	struct sockaddr_un addr = { 0 };
	int r;

	if (sock < 0 || dirfd < 0)
		return err_set(err, sock < 0 ? -errno : dirfd, "cannot open the ports' socket");
	r = api_address(dirfd, id, &addr);
	if (r >= 0 && connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = errno == ECONNREFUSED ? -ENOENT : -errno;
	if (r == -ENOENT)
		return err_say(err, r, "it is not running, or its network has no ports");
	return r < 0 ? err_set(err, r, "cannot open the ports' socket") : fd_take(&sock);
}

/* ---- processes ---- */

static int start_slirp(
	struct network *n, const struct network_place *place, int api_fd, struct err *err)
{
	struct net_slirp_opts opts = n->mode.slirp;
	int r;

	opts.flags |= NET_LEAVE_TAP;
	if (n->mode.ports == NETMODE_PORTS_SLIRP) {
		opts.forwards = n->forwards;
		opts.n_forwards = n->ports.n;
		opts.api_fd = api_fd;
	}
	r = net_slirp_start(
		&opts, place->userns_fd, place->netns_fd, place->watch_fd, &n->slirp_pid, err);
	if (r < 0)
		return r;
	n->pidfd = (int)syscall(SYS_pidfd_open, n->slirp_pid, 0);
	return n->pidfd < 0 ? err_set(err, -errno, "cannot watch the network process") : 0;
}

static int start_relay(
	struct network *n, const struct network_place *place, int api_fd, struct err *err)
{
	const struct relay_opts opts = { .plan = &n->plan,
		.forwards = n->forwards,
		.n_forwards = n->ports.n,
		.api_fd = api_fd };

	return relay_start(
		&opts, place->userns_fd, place->netns_fd, place->watch_fd, &n->relay_pid, err);
}

int network_start(struct network *n, const struct network_place *place, struct err *err)
{
	auto_fd api_fd = -1;
	int r = 0;

	if (n->mode.kind == NETMODE_HOST)
		return 0;
	if (n->ports.n > 0 && place->rundir_fd >= 0) {
		api_fd = api_listen(n, place, err);
		if (api_fd < 0)
			return api_fd;
	}
	if (n->mode.kind == NETMODE_SLIRP)
		r = start_slirp(n, place, api_fd, err);
	if (r >= 0 && n->ports.n > 0 && n->mode.ports == NETMODE_PORTS_SPLICE)
		r = start_relay(n, place, api_fd, err);
	return r;
}

/* Helpers of a process have become ours (PR_SET_CHILD_SUBREAPER) and end with it. */
static void reap(pid_t *pid)
{
	while (*pid > 0 && (waitpid(-*pid, NULL, 0) > 0 || errno == EINTR))
		;
	*pid = 0;
}

void network_end(struct network *n)
{
	if (n->pidfd >= 0) {
		(void)proc_reap(n->pidfd);
		(void)close(n->pidfd);
	}
	n->pidfd = -1;
	reap(&n->slirp_pid);
	reap(&n->relay_pid);
	if (n->rundir_fd >= 0) {
		(void)unlinkat(n->rundir_fd, n->api_name, 0);
		(void)close(n->rundir_fd);
	}
	n->rundir_fd = -1;
}

void network_done(struct network *n)
{
	netmode_done(&n->mode);
	portmap_done(&n->ports);
	free(n->forwards);
	network_init(n);
}
