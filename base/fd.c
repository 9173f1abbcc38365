/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes on file descriptors. */
#include "base/fd.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

int fd_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_pread_all(int fd, void *buf, size_t len, off_t off)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

/* @hint: how long it may be; files of /proc say 0, so read until the end */
static int read_until_end(int fd, size_t hint, size_t max_len, char **ret_data, size_t *ret_len)
{
	auto_free char *data = NULL;
	size_t len = 0, room = hint > 0 ? hint + 1 : 4096;

	data = malloc(room + 1);
	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n;

		if (len == room) {
			char *bigger = realloc(data, room * 2 + 1);

			if (!bigger)
				return -ENOMEM;
			data = bigger;
			room *= 2;
		}
		n = read(fd, data + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max_len)
			return -EFBIG;
	}
	data[len] = '\0';
	*ret_data = ptr_take(&data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fd_read_file(int fd, size_t max_len, char **ret_data, size_t *ret_len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max_len)
		return -EFBIG;
	return read_until_end(fd, (size_t)st.st_size, max_len, ret_data, ret_len);
}

int fd_read_named(const char *path, size_t max_len, char **ret_data, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = read_until_end(fd, 0, max_len, ret_data, ret_len);
	(void)close(fd);
	return r;
}

int fd_cloexec(int fd, int on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	flags = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
	return fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}

int fd_fill_standard(void)
{
	int fd;

	/* Not O_CLOEXEC: they are as good as inherited. */
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	(void)close(fd);
	return 0;
}

uint64_t fd_raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 1024;
	if (rl.rlim_cur < rl.rlim_max) {
		rlim_t soft = rl.rlim_cur;

		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
			rl.rlim_cur = soft;
	}
	return rl.rlim_cur;
}

void fd_close_inherited(int from)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		uint64_t fd;
		int flags;

		if (str_to_u64(e->d_name, INT32_MAX, &fd) < 0 || (int)fd < from)
			continue;
		flags = fcntl((int)fd, F_GETFD);
		if (flags >= 0 && !(flags & FD_CLOEXEC))
			(void)close((int)fd);
	}
	if (dir)
		(void)closedir(dir);
}
