/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's socket (the contract is in the header)
 *
 * Its path may be longer than a socket address holds, so it is reached through the fd of its
 * directory.
 */
#include "runtime/attach.h"

#include "base/at.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BACKLOG 16

static int open_dir(int rundir_fd)
{
	auto_fd fd = at_mkdir_p(rundir_fd, "attach", 0700);

	return fd_take(&fd);
}

static void fill_address(struct sockaddr_un *sa, int dirfd, const char *id)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dirfd, id);
}

int attach_listen(int rundir_fd, const char *id, struct err *err)
{
	auto_fd dirfd = open_dir(rundir_fd);
	auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa;

	if (dirfd < 0 || fd < 0)
		return err_set(err, dirfd < 0 ? dirfd : -errno, "cannot make the monitor's socket");
	/* The lock of the container is ours, so a socket that is there is a dead monitor's. */
	(void)unlinkat(dirfd, id, 0);
	fill_address(&sa, dirfd, id);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0)
		return err_set(err, -errno, "cannot make the monitor's socket");
	return fd_take(&fd);
}

int attach_connect(int rundir_fd, const char *id)
{
	auto_fd dirfd = open_dir(rundir_fd);
	auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	if (dirfd < 0 || fd < 0)
		return dirfd < 0 ? dirfd : -errno;
	fill_address(&sa, dirfd, id);
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		if (errno != EINTR)
			return -errno;
	return fd_take(&fd);
}

void attach_unlink(int rundir_fd, const char *id)
{
	auto_fd dirfd = rundir_fd < 0 ? -1 : open_dir(rundir_fd);

	if (dirfd >= 0)
		(void)unlinkat(dirfd, id, 0);
}

int attach_send(int sock, const struct attach_msg *m, size_t len, enum attach_flags flags)
{
	size_t size = offsetof(struct attach_msg, data) + len;
	int how = MSG_NOSIGNAL | (flags & ATTACH_TRY ? MSG_DONTWAIT : 0);

	while (send(sock, m, size, how) < 0) {
		if (errno == EINTR)
			continue;
		return errno == ECONNRESET ? -EPIPE : -errno;
	}
	return 0;
}

int attach_send_kind(int sock, enum attach_kind kind)
{
	struct attach_msg m = { .kind = kind };

	return attach_send(sock, &m, 0, ATTACH_WAIT);
}

int attach_send_number(int sock, enum attach_kind kind, int number)
{
	struct attach_msg m = { .kind = kind, .number = number };

	return attach_send(sock, &m, sizeof(m.number), ATTACH_WAIT);
}

int attach_recv(int sock, struct attach_msg *ret, size_t *ret_len)
{
	bool was_reset = false;
	ssize_t n;

	/*
	 * When the other end closes with something of ours unread, the kernel says so once, ahead of
	 * what is still to be read here.
	 */
	while ((n = recv(sock, ret, sizeof(*ret), 0)) < 0) {
		if (errno == ECONNRESET && was_reset)
			return 0;
		was_reset |= errno == ECONNRESET;
		if (errno != EINTR && errno != ECONNRESET)
			return -errno;
	}
	if (n == 0)
		return 0;
	if ((size_t)n < offsetof(struct attach_msg, data))
		return -EBADMSG;
	*ret_len = (size_t)n - offsetof(struct attach_msg, data);
	return 1;
}
