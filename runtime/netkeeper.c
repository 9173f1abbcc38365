/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a named network (the contract is in the header)
 *
 *      RUNDIR/networks/NAME.sock   where it listens
 *      RUNDIR/networks/NAME.lock   held by who joins or leaves, and by the keeper when it ends
 *
 * Invariants: - a keeper ends only while it holds the lock, and removes its socket before: nobody
 *               joins one that is about to end
 *             - a member is dropped once its process has ended
 * Failure:    a network process that dies is started again, a few times
 */
#include "runtime/netkeeper.h"

#include "runtime/bridge.h"
#include "runtime/net_slirp.h"
#include "runtime/netproc.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/sock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum { LIMIT_MEMBERS = LIMIT_NET_LEASES, RESTARTS = 5, CLIENT_WAIT_S = 5 };

enum op { OP_JOIN, OP_LEAVE };

struct request {
	enum op op;
	char id[65];
	char names[LIMIT_NET_MEMBER_NAMES];
};

/* ---- where keepers are found ---- */

static int networks_dir(int rundir_fd)
{
	if (mkdirat(rundir_fd, "networks", 0700) < 0 && errno != EEXIST)
		return -errno;
	return at_open(rundir_fd, "networks", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int keeper_socket(int dirfd, const char *network, struct sockaddr_un *ret)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* A long name fits: the path begins at an fd. */
	(void)snprintf(
		ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s.sock", dirfd, network);
	return fd < 0 ? -errno : fd;
}

static int keeper_lock(int dirfd, const char *network, enum lock_flags flags)
{
	char name[LIMIT_NET_NAME + sizeof(".lock")];

	snprintf(name, sizeof(name), "%s.lock", network);
	return lock_open(dirfd, name, LOCK_EXCLUSIVE, flags);
}

static int keeper_connect(int dirfd, const char *network)
{
	struct sockaddr_un addr;
	auto_fd sock = keeper_socket(dirfd, network, &addr);

	if (sock < 0)
		return sock;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ECONNREFUSED ? -ENOENT : -errno;
	return fd_take(&sock);
}

/* ---- the keeper ---- */

struct member {
	char id[65];
	char *names;
	int pidfd;
};

struct keeper {
	const struct net_def *def;
	int dirfd, listen_fd, netns_fd;
	int self_fd; /* pidfd: the slirp process ends with us */
	int slirp_fd; /* pidfd; -1: none */
	int names_fd; /* to the slirp process */
	int restarts;
	struct member members[LIMIT_MEMBERS];
	size_t n;
};

static int start_slirp(struct keeper *k, struct err *err)
{
	const char *dns[LIMIT_NET_DNS];
	struct net_slirp_opts opts;
	auto_fd ours = -1, theirs = -1;
	const int room = LIMIT_NET_NAMES_BYTES;
	pid_t pid;
	int sv[2], r;

	r = sock_pair(sv);
	if (r < 0)
		return err_set(err, r, "cannot make a socket pair");
	ours = sv[0];
	theirs = sv[1];
	(void)setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	netdef_opts(k->def, &opts, dns);
	opts.tapname = BRIDGE_UPLINK;
	opts.no_configure = true;
	opts.names_fd = theirs;
	r = net_slirp_start(&opts, -1, k->netns_fd, k->self_fd, &pid, err);
	if (r < 0)
		return r;
	k->slirp_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	cleanup_fd(&k->names_fd);
	k->names_fd = fd_take(&ours);
	return bridge_attach_uplink(k->netns_fd, err);
}

static void tell_names(const struct keeper *k)
{
	auto_buf text = { 0 };

	for (size_t i = 0; i < k->n; i++)
		if (text.len + strlen(k->members[i].names) < LIMIT_NET_NAMES_BYTES)
			(void)buf_add_str(&text, k->members[i].names);
	/* An empty message would look like the end: a comment says "none". */
	if (text.len == 0)
		(void)buf_add_str(&text, "#\n");
	if (text.data && send(k->names_fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warning("network", "no-names network=%s errno=%d", k->def->name, errno);
}

static void drop_member(struct keeper *k, size_t i)
{
	free(k->members[i].names);
	(void)close(k->members[i].pidfd);
	k->members[i] = k->members[--k->n];
}

static void drop_id(struct keeper *k, const char *id)
{
	for (size_t i = k->n; i > 0; i--)
		if (str_eq(k->members[i - 1].id, id))
			drop_member(k, i - 1);
}

static int add_member(struct keeper *k, const struct request *rq, int pidfd)
{
	auto_fd kept = pidfd < 0 ? -1 : fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	char *names;

	if (kept < 0)
		return -EBADMSG;
	drop_id(k, rq->id);
	if (k->n == LIMIT_MEMBERS)
		return -ENOSPC;
	names = strndup(rq->names, sizeof(rq->names));
	if (!names)
		return -ENOMEM;
	k->members[k->n] = (struct member){ .names = names, .pidfd = fd_take(&kept) };
	memcpy(k->members[k->n++].id, rq->id, sizeof(rq->id));
	return 0;
}

static void serve_client(struct keeper *k)
{
	auto_fd client = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC), pidfd = -1;
	const struct timeval wait = { .tv_sec = CLIENT_WAIT_S };
	struct request rq = { 0 };
	int code = 0;

	if (client < 0)
		return;
	(void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (sock_recv(client, &rq, sizeof(rq), &pidfd) != (ssize_t)sizeof(rq))
		return;
	rq.id[sizeof(rq.id) - 1] = '\0';
	if (rq.op == OP_JOIN)
		code = add_member(k, &rq, pidfd);
	else
		drop_id(k, rq.id);
	tell_names(k);
	(void)sock_send(client, &code, sizeof(code), code < 0 ? -1 : k->netns_fd);
}

static void drop_ended(struct keeper *k, const struct pollfd *p)
{
	bool changed = false;

	for (size_t i = k->n; i > 0; i--)
		if (p[i - 1].revents) {
			drop_member(k, i - 1);
			changed = true;
		}
	if (changed)
		tell_names(k);
}

static void restart_slirp(struct keeper *k)
{
	struct err err = ERR_INIT;

	(void)proc_reap(k->slirp_fd);
	cleanup_fd(&k->slirp_fd);
	k->slirp_fd = -1;
	log_warning("network", "slirp-ended network=%s", k->def->name);
	if (k->restarts++ >= RESTARTS)
		return;
	if (start_slirp(k, &err) < 0)
		log_warning("network", "no-uplink network=%s reason='%s'", k->def->name, err.text);
	else
		tell_names(k);
}

/* True if the lock could be had: nobody is about to join. */
static bool may_end(const struct keeper *k)
{
	auto_fd lock = keeper_lock(k->dirfd, k->def->name, LOCK_TRY);
	char name[LIMIT_NET_NAME + sizeof(".sock")];

	if (lock < 0)
		return false;
	snprintf(name, sizeof(name), "%s.sock", k->def->name);
	(void)unlinkat(k->dirfd, name, 0);
	return true;
}

static void keeper_run(struct keeper *k)
{
	enum { LISTEN, SLIRP, MEMBERS };
	static struct pollfd p[MEMBERS + LIMIT_MEMBERS];
	/* Whoever started us joins next; nothing else makes an empty network wait. */
	bool joined = false;

	while (k->n > 0 || !joined || !may_end(k)) {
		size_t n = k->n;

		p[LISTEN] = (struct pollfd){ .fd = k->listen_fd, .events = POLLIN };
		p[SLIRP] = (struct pollfd){ .fd = k->slirp_fd, .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			p[MEMBERS + i] =
				(struct pollfd){ .fd = k->members[i].pidfd, .events = POLLIN };
		/* Empty: ends by itself, unless the one who holds the lock joins. */
		if (poll(p, MEMBERS + n, n ? -1 : CLIENT_WAIT_S * 1000) == 0)
			joined = true;
		drop_ended(k, &p[MEMBERS]);
		if (p[SLIRP].revents)
			restart_slirp(k);
		if (p[LISTEN].revents)
			serve_client(k);
		joined = joined || k->n > 0;
	}
}

struct start {
	const struct net_def *def;
	int dirfd, listen_fd;
};

static int keeper_main(void *ctx, int *report_fd, struct err *err)
{
	const struct start *s = ctx;
	struct keeper *k = calloc(1, sizeof(*k));
	struct net_plan plan;
	int r;

	if (!k)
		return err_set(err, -ENOMEM, "cannot start the network");
	(void)signal(SIGPIPE, SIG_IGN);
	k->def = s->def;
	k->dirfd = s->dirfd;
	k->listen_fd = s->listen_fd;
	k->slirp_fd = k->names_fd = -1;
	k->self_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	r = netdef_plan(s->def, &plan, err);
	if (r >= 0)
		r = k->netns_fd = bridge_make(&plan, err);
	if (r >= 0)
		r = start_slirp(k, err);
	if (r >= 0) {
		(void)netproc_report(report_fd, NULL, 0);
		keeper_run(k);
	}
	free(k);
	return r < 0 ? r : 0;
}

/* ---- members ---- */

static int keeper_start(int dirfd, const struct net_def *def, struct err *err)
{
	struct sockaddr_un addr;
	auto_fd sock = keeper_socket(dirfd, def->name, &addr);
	struct start start = { def, dirfd, sock };
	int keep[] = { dirfd, sock, -1 };
	const struct netproc p = { .name = "lamina-net",
		.main = keeper_main,
		.ctx = &start,
		.keep = keep,
		.n_keep = ARRAY_SIZE(keep) - 1 };
	char name[LIMIT_NET_NAME + sizeof(".sock")];
	pid_t pid;

	if (sock < 0)
		return err_set(err, sock, "cannot start the network");
	snprintf(name, sizeof(name), "%s.sock", def->name);
	(void)unlinkat(dirfd, name, 0); /* of a keeper that died */
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(sock, 64) < 0)
		return err_set(err, -errno, "cannot make the network's socket");
	return netproc_start(&p, NULL, 0, &pid, err);
}

static int ask(int sock, const struct request *rq, int pidfd, int *ret_netns_fd, struct err *err)
{
	int code = 0, r;
	ssize_t n;

	r = sock_send(sock, rq, sizeof(*rq), pidfd);
	if (r < 0)
		return err_set(err, r, "cannot speak with the network's keeper");
	*ret_netns_fd = -1;
	n = sock_recv(sock, &code, sizeof(code), ret_netns_fd);
	if (n != (ssize_t)sizeof(code) || (code >= 0 && *ret_netns_fd < 0))
		return err_set(err, -EPIPE, "the network's keeper does not answer");
	return code < 0 ? err_set(err, code, "cannot join the network") : 0;
}

int netkeeper_join(int rundir_fd, const struct net_def *def, const struct netkeeper_member *member,
	int *ret_netns_fd, struct err *err)
{
	auto_fd dirfd = networks_dir(rundir_fd), lock = -1, sock = -1;
	struct request rq = { .op = OP_JOIN };
	int r;

	if (dirfd < 0)
		return err_set(err, dirfd, "cannot open the directory of running networks");
	if (strlen(member->names) >= sizeof(rq.names) || strlen(member->id) >= sizeof(rq.id))
		return err_say(err, -E2BIG, "the names in the network are too long");
	lock = keeper_lock(dirfd, def->name, LOCK_WAIT);
	if (lock < 0)
		return err_set(err, lock, "cannot lock the network");
	sock = keeper_connect(dirfd, def->name);
	if (sock == -ENOENT) {
		r = keeper_start(dirfd, def, err);
		if (r < 0)
			return r;
		sock = keeper_connect(dirfd, def->name);
	}
	if (sock < 0)
		return err_set(err, sock, "cannot reach the network's keeper");
	snprintf(rq.id, sizeof(rq.id), "%s", member->id);
	snprintf(rq.names, sizeof(rq.names), "%s", member->names);
	return ask(sock, &rq, member->pidfd, ret_netns_fd, err);
}

int netkeeper_leave(
	int rundir_fd, const char *network, const char *id, int *ret_netns_fd, struct err *err)
{
	auto_fd dirfd = networks_dir(rundir_fd), lock = -1, sock = -1;
	struct request rq = { .op = OP_LEAVE };

	if (dirfd < 0)
		return err_set(err, dirfd, "cannot open the directory of running networks");
	lock = keeper_lock(dirfd, network, LOCK_WAIT);
	sock = lock < 0 ? lock : keeper_connect(dirfd, network);
	if (sock < 0)
		return err_set(err, sock, "cannot reach the network's keeper");
	snprintf(rq.id, sizeof(rq.id), "%s", id);
	return ask(sock, &rq, -1, ret_netns_fd, err);
}

bool netkeeper_is_up(int rundir_fd, const char *network)
{
	auto_fd dirfd = networks_dir(rundir_fd);
	auto_fd sock = dirfd < 0 ? -1 : keeper_connect(dirfd, network);

	return sock >= 0;
}
