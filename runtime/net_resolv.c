/* SPDX-License-Identifier: Apache-2.0 */
/* The host's resolv.conf for a process that has no files (the contract is in the header). */
#include "runtime/net_resolv.h"

#include "runtime/net_sandbox.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char resolv_path[] = "/etc/resolv.conf";

int net_resolv_read(char *text)
{
	auto_fd fd = open(resolv_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	do {
		n = read(fd, text + len, LIMIT_RESOLV_BYTES - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0 && len < LIMIT_RESOLV_BYTES);
	return (int)len;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static _Noreturn void watch(int sock)
{
	static char text[LIMIT_RESOLV_BYTES];
	struct stat seen = { 0 }, now;
	char ask;
	int len;

	for (;;) {
		ssize_t n = recv(sock, &ask, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		if (stat(resolv_path, &now) < 0 || same_file(&seen, &now))
			continue;
		len = net_resolv_read(text);
		if (len <= 0)
			continue; /* half written, perhaps: the next question finds it new again */
		seen = now;
		(void)send(sock, text, (size_t)len, MSG_NOSIGNAL);
	}
}

/* Nothing of the parent's stays open but its stdio and the socket: a tap would outlive its
 * container. */
static void close_others(int keep)
{
	if (keep > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
	(void)close_range((unsigned)keep + 1, ~0U, 0);
}

int net_resolv_start(int *ret_sock, struct err *err)
{
	auto_fd ours = -1, theirs = -1;
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	ours = sv[0];
	theirs = sv[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0) {
		close_others(theirs);
		(void)prctl(PR_SET_NAME, "lamina-resolv", 0, 0, 0);
		if (net_sandbox_seal(SECCOMP_NET_FILES, 0, NULL) < 0)
			_exit(1);
		watch(theirs);
	}
	*ret_sock = fd_take(&ours);
	return 0;
}

void net_resolv_ask(int sock)
{
	(void)send(sock, "?", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int net_resolv_receive(int sock, char *text)
{
	ssize_t n = recv(sock, text, LIMIT_RESOLV_BYTES, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return n == 0 ? -EPIPE : (int)n;
}
