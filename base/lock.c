/* SPDX-License-Identifier: Apache-2.0 */
/* Advisory file locks between processes. */
#include "base/lock.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/file.h>

int lock_fd(int fd, enum lock_mode mode, enum lock_flags flags)
{
	int op = mode == LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH;

	if (flags & LOCK_TRY)
		op |= LOCK_NB;
	while (flock(fd, op) < 0)
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return 0;
}

int lock_open(int dirfd, const char *name, enum lock_mode mode, enum lock_flags flags)
{
	auto_fd fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = lock_fd(fd, mode, flags);
	return r < 0 ? r : fd_take(&fd);
}

void lock_release(int fd)
{
	(void)flock(fd, LOCK_UN);
}
