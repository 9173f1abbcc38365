/* SPDX-License-Identifier: Apache-2.0 */
/* A call inside another network namespace (the contract is in the header). */
#include "runtime/nsrun.h"

#include "base/cleanup.h"
#include "base/sock.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

struct result {
	int code;
	struct err err;
};

static int enter(int netns_fd, struct err *err)
{
	if (netns_fd < 0 && unshare(CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot make a network namespace");
	if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot enter the network namespace");
	return 0;
}

static _Noreturn void child_main(int sock, int netns_fd, nsrun_fn fn, void *ctx)
{
	struct result result = { 0 };
	auto_fd self = -1;

	result.code = enter(netns_fd, &result.err);
	if (result.code >= 0)
		result.code = fn(ctx, &result.err);
	if (result.code >= 0)
		self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	(void)sock_send(sock, &result, sizeof(result), self);
	_exit(0);
}

int nsrun(int netns_fd, nsrun_fn fn, void *ctx, int *ret_netns_fd, struct err *err)
{
	auto_fd ours = -1, theirs = -1, made = -1;
	struct result result = { 0 };
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
		child_main(theirs, netns_fd, fn, ctx);
	(void)close(fd_take(&theirs));
	n = sock_recv(ours, &result, sizeof(result), &made);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(result))
		return err_set(
			err, n < 0 ? (int)n : -EPIPE, "the helper inside the namespace failed");
	if (result.code < 0) {
		if (err)
			*err = result.err;
		return result.code;
	}
	if (ret_netns_fd && made < 0)
		return err_set(err, -EMFILE, "cannot hold the network namespace");
	if (ret_netns_fd)
		*ret_netns_fd = fd_take(&made);
	return result.code;
}
