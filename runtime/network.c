/* SPDX-License-Identifier: Apache-2.0 */
/* The network of one container (the contract is in the header). */
#include "runtime/network.h"

#include "runtime/net_clash.h"
#include "runtime/net_slirp.h"
#include "runtime/netlinkage.h"
#include "runtime/netstore.h"
#include "runtime/record.h"
#include "runtime/relay.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "base/proc.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define LIMIT_ETC_BYTES (1 << 20)

void network_init(struct network *n)
{
	memset(n, 0, sizeof(*n));
	n->pidfd = n->rundir_fd = n->store_fd = n->etc_fd = -1;
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
	if (r >= 0 && n->ports.n > 0 &&
		(n->mode.kind == NETMODE_HOST || n->mode.kind == NETMODE_NS ||
			n->mode.kind == NETMODE_CONTAINER))
		r = err_say(err, -EINVAL, "a container in a network of others publishes no ports");
	if (r >= 0)
		r = plan_addresses(n, err);
	return r < 0 ? r : plan_forwards(n, err);
}

/* ---- before the container is ---- */

static int prepare_link(struct network *n, size_t i, const char *name, struct err *err)
{
	const struct netmode_link *link = &n->mode.links[i];
	struct net_wish wish = { .id = n->id,
		.name = name,
		.ip = link->ip,
		.mac = link->mac,
		.is_alive = netstore_is_alive };
	auto_netstore store = NETSTORE_INIT;
	const struct net_lease *lease;
	auto_netdef def = { 0 };
	int r;

	r = proc_id_of(getpid(), &wish.holder);
	if (r < 0)
		return err_set(err, r, "cannot see this process");
	r = netstore_open(&store, n->store_fd, err);
	if (r >= 0)
		r = netstore_read(&store, link->name, &def, err);
	if (r >= 0)
		r = ipam_lease(&def, &wish, &lease, err);
	if (r >= 0)
		r = netstore_write(&store, &def, err);
	if (r >= 0)
		r = netdef_plan(&def, &n->link_plans[i], err);
	if (r < 0)
		return r;
	netdef_set_guest(&n->link_plans[i], lease->ip);
	memcpy(n->link_macs[i], lease->mac, sizeof(lease->mac));
	n->link_names[i] = netlinkage_names(&n->link_plans[i], n->id, name, link);
	return n->link_names[i] ? 0 : err_set(err, -ENOMEM, "names");
}

static int prepare_links(struct network *n, const char *name, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n->mode.n_links; i++)
		r = prepare_link(n, i, name, err);
	if (r < 0)
		return r;
	n->plan = n->link_plans[0];
	n->plan.any_family = true;
	return 0;
}

/* Its own namespace if it has one, else the one that it has joined: the same fd tells. */
static int prepare_container(struct network *n, struct err *err)
{
	char id[CTR_ID_LEN + 1];
	auto_free char *path = NULL;
	struct record rec;
	int r;

	r = record_find(n->store_fd, n->mode.target, id, err);
	if (r >= 0)
		r = record_read(n->store_fd, id, &rec, err);
	if (r < 0)
		return r;
	if (rec.state != CTR_RUNNING && rec.state != CTR_CREATED)
		r = err_say(err, -ESRCH, "container '%s' is not running", n->mode.target);
	else
		n->ns_path = str_format("/proc/%d/ns/net", (int)rec.init.pid);
	record_done(&rec);
	if (r >= 0 && !n->ns_path)
		r = err_set(err, -ENOMEM, "network");
	if (r < 0)
		return r;
	path = str_format("containers/%s", id);
	n->etc_fd = path ? at_open(n->store_fd, path, O_RDONLY | O_DIRECTORY, 0) : -ENOMEM;
	return n->etc_fd < 0 ? err_set(err, n->etc_fd, "container '%s'", n->mode.target) : 0;
}

int network_prepare(
	struct network *n, int store_fd, const char *id, const char *name, struct err *err)
{
	snprintf(n->id, sizeof(n->id), "%s", id);
	n->store_fd = fcntl(store_fd, F_DUPFD_CLOEXEC, 0);
	if (n->store_fd < 0)
		return err_set(err, -errno, "cannot hold the store");
	if (n->mode.kind == NETMODE_NAMED)
		return prepare_links(n, name, err);
	if (n->mode.kind == NETMODE_CONTAINER)
		return prepare_container(n, err);
	if (n->mode.kind == NETMODE_NS) {
		/* As it is: the links below /proc cannot be read by everybody who may follow them. */
		if (n->mode.target[0] != '/')
			return err_say(err, -EINVAL, "network namespace '%s': not an absolute path",
				n->mode.target);
		n->ns_path = strdup(n->mode.target);
		if (!n->ns_path)
			return err_set(err, -ENOMEM, "network");
	}
	return 0;
}

static void fill_etcfiles(struct network *n, struct etcfiles *e)
{
	static const enum etc_network kinds[] = { [NETMODE_NONE] = ETC_NET_NONE,
		[NETMODE_HOST] = ETC_NET_HOST,
		[NETMODE_SLIRP] = ETC_NET_SLIRP,
		[NETMODE_NAMED] = ETC_NET_SLIRP,
		[NETMODE_NS] = ETC_NET_NONE,
		[NETMODE_CONTAINER] = ETC_NET_NONE };
	bool slirp = n->mode.kind == NETMODE_SLIRP;
	bool outside = slirp || (n->mode.kind == NETMODE_NAMED && !n->plan.internal);

	_Static_assert(ARRAY_SIZE(kinds) == NETMODE_MAX_, "each network has one");
	if (n->mode.kind == NETMODE_HOST)
		snprintf(n->host_addr, sizeof(n->host_addr), "127.0.0.1");
	else if (slirp && n->mode.slirp.allow_host_loopback)
		snprintf(n->host_addr, sizeof(n->host_addr), "%s", n->plan.gateway_text);
	else if (!outside || etcfiles_host_addr(n->host_addr) < 0)
		n->host_addr[0] = '\0';
	e->network = kinds[n->mode.kind];
	e->no_dns_server = slirp && n->mode.slirp.disable_dns;
	e->host_loopback_closed = slirp && !n->mode.slirp.allow_host_loopback;
	e->plan = kinds[n->mode.kind] == ETC_NET_SLIRP ? &n->plan : NULL;
	e->host_addr = n->host_addr[0] ? n->host_addr : NULL;
}

/* In a network of another container, its names and servers are meant, too. */
static int copy_etc(int from, int to, struct err *err)
{
	static const char *const names[] = { "hosts", "resolv.conf" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *text = NULL;
		size_t len;
		int r = at_read_file(from, names[i], LIMIT_ETC_BYTES, &text, &len);

		if (r >= 0)
			r = at_replace_file(to, names[i], text, len, 0644, 0);
		if (r < 0)
			return err_set(err, r, "cannot copy '%s' of the other container", names[i]);
	}
	return 0;
}

int network_write_etc(struct network *n, int dirfd, struct etcfiles *e, struct err *err)
{
	int r;

	fill_etcfiles(n, e);
	r = etcfiles_write(dirfd, e, err);
	return r < 0 || n->etc_fd < 0 ? r : copy_etc(n->etc_fd, dirfd, err);
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

static int api_listen(const struct network_place *place, struct err *err)
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
	return fd_take(&sock);
}

/* The socket goes with the container, whoever made it. */
static void api_remember(struct network *n, const struct network_place *place)
{
	if (place->rundir_fd < 0)
		return;
	n->rundir_fd = fcntl(place->rundir_fd, F_DUPFD_CLOEXEC, 0);
	snprintf(n->api_name, sizeof(n->api_name), "ports/%s", place->id);
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

static int start_links(struct network *n, const struct network_place *place, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n->mode.n_links; i++) {
		const struct netlinkage l = { .network = n->mode.links[i].name,
			.ifname = n->mode.links[i].ifname,
			.names = n->link_names[i],
			.id = n->id,
			.plan = &n->link_plans[i],
			.mac = n->link_macs[i],
			.pid = place->pid,
			.pidfd = place->watch_fd,
			.netns_fd = place->netns_fd };

		r = netlinkage_start(&l, n->store_fd, place->rundir_fd, err);
	}
	return r;
}

int network_start(struct network *n, const struct network_place *place, struct err *err)
{
	auto_fd api_fd = -1;
	int r = 0;

	if (n->mode.kind == NETMODE_HOST || n->ns_path)
		return 0;
	api_remember(n, place);
	if (n->ports.n > 0 && place->rundir_fd >= 0) {
		api_fd = api_listen(place, err);
		if (api_fd < 0)
			return api_fd;
	}
	if (n->mode.kind == NETMODE_SLIRP)
		r = start_slirp(n, place, api_fd, err);
	else if (n->mode.kind == NETMODE_NAMED)
		r = start_links(n, place, err);
	if (r >= 0 && n->ports.n > 0 && n->mode.ports == NETMODE_PORTS_SPLICE)
		r = start_relay(n, place, api_fd, err);
	return r;
}

/* ---- ports of a container that runs ---- */

/* The addresses that it was given, not those that would be free for it now */
static int plan_running_slirp(struct network *n, pid_t pid, struct err *err)
{
	char cidr[INET_ADDRSTRLEN + 3];
	int r = net_clash_own(pid, cidr, sizeof(cidr));

	if (r < 0)
		return err_set(err, r, "cannot see the container's network");
	n->mode.slirp.cidr = cidr;
	r = net_plan_make(&n->mode.slirp, &n->plan, err);
	n->mode.slirp.cidr = NULL;
	return r;
}

static int plan_running_link(struct network *n, int store_fd, const char *id, struct err *err)
{
	auto_netstore store = NETSTORE_INIT;
	const struct net_lease *lease;
	auto_netdef def = { 0 };
	int r;

	r = netstore_open(&store, store_fd, err);
	if (r >= 0)
		r = netstore_read(&store, n->mode.links[0].name, &def, err);
	if (r >= 0)
		r = netdef_plan(&def, &n->plan, err);
	if (r < 0)
		return r;
	lease = ipam_find(&def, id);
	if (!lease)
		return err_say(err, -ENOENT, "it is not in network '%s' any more", def.name);
	netdef_set_guest(&n->plan, lease->ip);
	return 0;
}

static int publish(struct network *n, const char *text, int store_fd,
	const struct network_place *place, struct err *err)
{
	const struct strv no_ports = { 0 };
	auto_fd api_fd = -1;
	int r = network_parse(n, text, &no_ports, err);

	if (r < 0)
		return r;
	if (n->mode.kind == NETMODE_SLIRP)
		r = plan_running_slirp(n, place->pid, err);
	else if (n->mode.kind == NETMODE_NAMED)
		r = plan_running_link(n, store_fd, place->id, err);
	else if (n->mode.kind != NETMODE_NONE)
		r = err_say(err, -EINVAL, "a container in a network of others publishes no ports");
	if (r < 0)
		return r;
	n->plan.any_family = true;
	api_fd = api_listen(place, err);
	return api_fd < 0 ? api_fd : start_relay(n, place, api_fd, err);
}

int network_publish(
	const char *text, int store_fd, const struct network_place *place, struct err *err)
{
	auto_fd dirfd = ports_dir(place->rundir_fd), sock = -1;
	struct network n;
	int r;

	/* One at a time: the second finds what the first has started. */
	r = dirfd < 0 ? dirfd : lock_fd(dirfd, LOCK_EXCLUSIVE, LOCK_WAIT);
	if (r < 0)
		return err_set(err, r, "cannot lock the ports");
	sock = network_api_connect(place->rundir_fd, place->id, err);
	if (sock != -ENOENT)
		return sock < 0 ? sock : 0;
	network_init(&n);
	r = publish(&n, text, store_fd, place, err);
	network_done(&n);
	return r;
}

/* ---- networks of a container that runs ---- */

int network_attach(struct network *n, int store_fd, const char *name,
	const struct network_place *place, struct err *err)
{
	const char *network = n->mode.links[0].name;
	int r;

	if (n->mode.kind != NETMODE_NAMED || n->mode.n_links != 1)
		return err_say(err, -EINVAL, "one named network at a time");
	r = netlinkage_exists(store_fd, network, place->id);
	if (r != 0)
		return r < 0 ? err_set(err, r, "cannot look into network '%s'", network)
			     : err_say(err, -EEXIST, "it is in network '%s' already", network);
	r = network_prepare(n, store_fd, place->id, name, err);
	if (r >= 0)
		r = start_links(n, place, err);
	if (r < 0)
		netlinkage_release(store_fd, network, place->id);
	cleanup_fd(&n->store_fd);
	n->store_fd = -1;
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
	for (size_t i = 0; n->store_fd >= 0 && i < n->mode.n_links; i++)
		netlinkage_release(n->store_fd, n->mode.links[i].name, n->id);
	cleanup_fd(&n->store_fd);
	cleanup_fd(&n->etc_fd);
	n->store_fd = n->etc_fd = -1;
}

void network_done(struct network *n)
{
	netmode_done(&n->mode);
	portmap_done(&n->ports);
	free(n->forwards);
	free(n->ns_path);
	for (size_t i = 0; i < LIMIT_NETMODE_LINKS; i++)
		free(n->link_names[i]);
	network_init(n);
}
