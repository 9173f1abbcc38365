/* SPDX-License-Identifier: Apache-2.0 */
/* Advisory file locks between processes. */
#include "base/lock.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>

/* Where flock(2) is missing, record locks of the whole file do, if they belong to the open file. */
static int lock_record(int fd, enum lock_mode mode, enum lock_flags flags)
{
	struct flock whole = { .l_type = mode == LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET };

	while (fcntl(fd, flags & LOCK_TRY ? F_OFD_SETLK : F_OFD_SETLKW, &whole) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return -EAGAIN;
		if (errno != EINTR)
			return -ENOLCK;
	}
	return 0;
}

static bool is_missing(int code)
{
	return code == ENOLCK || code == ENOSYS || code == EOPNOTSUPP || code == EINVAL;
}

int lock_fd(int fd, enum lock_mode mode, enum lock_flags flags)
{
	int op = mode == LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH;

	if (flags & LOCK_TRY)
		op |= LOCK_NB;
	while (flock(fd, op) < 0) {
		if (is_missing(errno))
			return lock_record(fd, mode, flags);
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	}
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
	struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (flock(fd, LOCK_UN) < 0)
		(void)fcntl(fd, F_OFD_SETLK, &whole);
}
