/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay's hand inside a network namespace (the contract is in the header)
 *
 *      rule 7100: mark M                    → table 7100: everything is local
 *      rule 7101: UDP from a published port → table 7101: each client of this moment is local
 *
 * Invariants: - what another relay of the same namespace has set up stays: all is added as if it
 *               were not there, nothing but clients and ports is removed
 *             - the relay alone talks to it, one request at a time
 */
#include "runtime/relay_inside.h"

#include "runtime/net_sandbox.h"
#include "runtime/netproc.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sock.h"
#include "base/str.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { MARK = 0x4c616d69, TABLE_MARKED = 7100, TABLE_UDP = 7101 };

enum op { OP_SOCKETS, OP_CLIENT, OP_PORT };

struct request {
	enum op op;
	int family;
	enum net_proto proto;
	enum nl_change change;
	uint16_t port;
	struct in6_addr client, guest; /* an IPv4 address lies in the first four bytes */
};

struct reply {
	int code;
	struct err err; /* of the start */
};

/* ---- inside ---- */

static int add_tables(int nl, int family)
{
	const struct nl_rule marked = {
		.family = family, .priority = TABLE_MARKED, .table = TABLE_MARKED, .mark = MARK
	};
	int r;

	r = nl_local_route(nl, NL_ADD, family, NULL, NULL, TABLE_MARKED);
	return r < 0 ? r : nl_rule(nl, NL_ADD, &marked);
}

static int set_up(int nl, struct err *err)
{
	int r;

	r = nl_link_up(nl, NL_LO_INDEX);
	if (r >= 0)
		r = net_sysctl_write("ipv4/tcp_fwmark_accept", "1");
	if (r >= 0)
		r = add_tables(nl, AF_INET);
	if (r < 0)
		return err_set(err, r, "cannot route published ports inside the container");
	/* Without it a closed port would hang: the refusal has to find the way, too. */
	(void)net_sysctl_write("ipv4/fwmark_reflect", "1");
	(void)net_sysctl_write("ipv4/tcp_tw_reuse", "1");
	if (add_tables(nl, AF_INET6) >= 0)
		(void)net_sysctl_write("ipv6/fwmark_reflect", "1");
	return 0;
}

static int make_socket(int family, enum net_proto proto)
{
	auto_fd fd = socket(family,
		(proto == NET_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1, mark = MARK;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		    family == AF_INET ? IP_TRANSPARENT : IPV6_TRANSPARENT, &one, sizeof(one)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	if (proto == NET_TCP)
		(void)setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd_take(&fd);
}

union fds_control {
	struct cmsghdr hdr;
	char room[CMSG_SPACE(RELAY_SOCKETS * sizeof(int))];
};

static void answer_sockets(int sock, const struct request *rq)
{
	union fds_control control = { 0 };
	int code = 0, fds[RELAY_SOCKETS], n = 0;
	struct iovec iov = { &code, sizeof(code) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (n < RELAY_SOCKETS && code >= 0) {
		code = make_socket(rq->family, rq->proto);
		if (code >= 0)
			fds[n++] = code;
	}
	if (n > 0) {
		code = n;
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.hdr), fds, (size_t)n * sizeof(int));
	}
	(void)sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n > 0)
		(void)close(fds[--n]);
}

static int apply(int nl, const struct request *rq)
{
	const struct nl_rule from_port = { .family = rq->family,
		.priority = TABLE_UDP,
		.table = TABLE_UDP,
		.ipproto = IPPROTO_UDP,
		.sport = rq->port };

	if (rq->op == OP_PORT)
		return nl_rule(nl, rq->change, &from_port);
	return nl_local_route(nl, rq->change, rq->family, &rq->client, &rq->guest, TABLE_UDP);
}

static void serve(int sock, int nl)
{
	struct request rq;

	while (sock_recv(sock, &rq, sizeof(rq), NULL) == (ssize_t)sizeof(rq)) {
		if (rq.family != AF_INET && rq.family != AF_INET6)
			continue;
		if (rq.op == OP_SOCKETS) {
			answer_sockets(sock, &rq);
		} else {
			int code = apply(nl, &rq);

			(void)sock_send(sock, &code, sizeof(code), -1);
		}
	}
}

static bool is_own_userns(int fd)
{
	struct stat own, other;

	return fstat(fd, &other) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
	       own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

static int enter(int userns_fd, int netns_fd, struct err *err)
{
	if (userns_fd >= 0 && !is_own_userns(userns_fd) && setns(userns_fd, CLONE_NEWUSER) < 0)
		return err_set(err, -errno, "cannot enter the user namespace");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot enter the network namespace");
	return 0;
}

static int inside_begin(int userns_fd, int netns_fd, int *ret_nl, struct err *err)
{
	auto_fd nl = -1;
	int r;

	r = enter(userns_fd, netns_fd, err);
	if (r < 0)
		return r;
	nl = nl_open();
	if (nl < 0)
		return err_set(err, nl, "cannot open a netlink socket");
	r = set_up(nl, err);
	if (r >= 0)
		r = net_sandbox_seal(SECCOMP_NET_INSIDE, NET_SANDBOX_ADMIN, err);
	if (r < 0)
		return r;
	*ret_nl = fd_take(&nl);
	return 0;
}

static _Noreturn void inside_main(int sock, int userns_fd, int netns_fd)
{
	struct reply reply = { 0 };
	int keep[] = { sock, userns_fd, netns_fd };
	int nl = -1;

	netproc_close_others(keep, ARRAY_SIZE(keep));
	(void)prctl(PR_SET_NAME, "lamina-inside", 0, 0, 0);
	(void)fd_raise_limit();
	reply.code = inside_begin(userns_fd, netns_fd, &nl, &reply.err);
	(void)sock_send(sock, &reply, sizeof(reply), -1);
	if (reply.code >= 0)
		serve(sock, nl);
	_exit(0);
}

/* ---- outside ---- */

int relay_inside_start(struct relay_inside *ret, int userns_fd, int netns_fd, struct err *err)
{
	auto_fd ours = -1, theirs = -1;
	struct reply reply;
	int sv[2], r;
	ssize_t n;
	pid_t pid;

	r = sock_pair(sv);
	if (r < 0)
		return err_set(err, r, "cannot make a socket pair");
	ours = sv[0];
	theirs = sv[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0)
		inside_main(theirs, userns_fd, netns_fd);
	(void)close(fd_take(&theirs));
	n = sock_recv(ours, &reply, sizeof(reply), NULL);
	if (n != (ssize_t)sizeof(reply))
		return err_set(
			err, n < 0 ? (int)n : -EPIPE, "the helper inside the namespace failed");
	if (reply.code < 0) {
		if (err)
			*err = reply.err;
		return reply.code;
	}
	ret->sock = fd_take(&ours);
	return 0;
}

int relay_inside_sockets(struct relay_inside *in, int family, enum net_proto proto, int *fds)
{
	const struct request rq = { .op = OP_SOCKETS, .family = family, .proto = proto };
	union fds_control control = { 0 };
	int code = 0, r;
	struct iovec iov = { &code, sizeof(code) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	r = sock_send(in->sock, &rq, sizeof(rq), -1);
	if (r < 0)
		return r;
	do
		n = recvmsg(in->sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(code))
		return n < 0 ? -errno : -EPIPE;
	if (code <= 0)
		return code < 0 ? code : -EPIPE;
	/* Those beyond the limit of fds are gone: fewer have come, or none. */
	if (msg.msg_controllen < CMSG_LEN(sizeof(int)) || control.hdr.cmsg_type != SCM_RIGHTS)
		return -EMFILE;
	n = (ssize_t)((control.hdr.cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(&control.hdr), (size_t)n * sizeof(int));
	return n > 0 ? (int)n : -EMFILE;
}

static int ask(struct relay_inside *in, const struct request *rq)
{
	int code = 0, r;
	ssize_t n;

	r = sock_send(in->sock, rq, sizeof(*rq), -1);
	if (r < 0)
		return r;
	n = sock_recv(in->sock, &code, sizeof(code), NULL);
	if (n != (ssize_t)sizeof(code))
		return n < 0 ? (int)n : -EPIPE;
	return code;
}

static void copy_address(struct in6_addr *to, const struct net_endpoint *e)
{
	if (e->sa.sa_family == AF_INET)
		memcpy(to, &e->in.sin_addr, sizeof(e->in.sin_addr));
	else
		*to = e->in6.sin6_addr;
}

int relay_inside_client(struct relay_inside *in, enum nl_change change,
	const struct net_endpoint *client, const struct net_endpoint *guest)
{
	struct request rq = { .op = OP_CLIENT, .change = change, .family = client->sa.sa_family };

	copy_address(&rq.client, client);
	copy_address(&rq.guest, guest);
	return ask(in, &rq);
}

int relay_inside_port(struct relay_inside *in, enum nl_change change, int family, uint16_t port)
{
	const struct request rq = {
		.op = OP_PORT, .change = change, .family = family, .port = port
	};

	return ask(in, &rq);
}
