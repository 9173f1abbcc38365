/* SPDX-License-Identifier: Apache-2.0 */
/* Moves bytes of a lower file into a descriptor. */
#include "overlay/copydata.h"

#include "base/cleanup.h"

#include <fcntl.h>

#define CHUNK_BYTES   (UINT64_C(8) << 20)
#define BUFFER_BYTES  (256U << 10)
#define FD_COPY_BYTES (UINT64_C(256) << 10)

static int write_mapped(const char *mem, uint64_t len, int fd, uint64_t to)
{
	while (len > 0) {
		/* The kernel reads the mapping; what a truncated tar lost is EFAULT, not SIGBUS. */
		ssize_t n = pwrite(fd, mem, len < CHUNK_BYTES ? len : CHUNK_BYTES, (off_t)to);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno != EFAULT ? -errno : -EIO;
		mem += n;
		to += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int copy_by_hand(int in, uint64_t off, uint64_t len, int out, uint64_t to, uint64_t *done)
{
	auto_free char *buf = malloc(BUFFER_BYTES);

	if (!buf)
		return -ENOMEM;
	while (*done < len) {
		uint64_t left = len - *done;
		ssize_t n = pread(
			in, buf, left < BUFFER_BYTES ? left : BUFFER_BYTES, (off_t)(off + *done));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = write_mapped(buf, (uint64_t)n, out, to + *done);
		if (r < 0)
			return r;
		*done += (uint64_t)n;
	}
	return 0;
}

int copy_fd_range(int in, uint64_t off, uint64_t len, int out, uint64_t to, uint64_t *ret_done)
{
	uint64_t done = 0;
	int r = 0;

	while (done < len) {
		off_t from = (off_t)(off + done), at = (off_t)(to + done);
		uint64_t left = len - done;
		ssize_t n = copy_file_range(
			in, &from, out, &at, left < CHUNK_BYTES * 16 ? left : CHUNK_BYTES * 16, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && done == 0 &&
			(errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS ||
				errno == EINVAL)) {
			r = copy_by_hand(in, off, len, out, to, &done);
			break;
		}
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		done += (uint64_t)n;
	}
	*ret_done = done;
	return done > 0 ? 0 : r;
}

/* Copy a piece as far as it goes, at most @len; the bytes, or an error. */
static int64_t copy_piece(const struct lower_piece *p, uint64_t len, int fd, uint64_t to)
{
	uint64_t done = p->len < len ? p->len : len;
	int r = 0;

	/* Many pages are copied faster from file to file than through a mapping that must be filled. */
	if (p->mem && (p->fd < 0 || done < FD_COPY_BYTES))
		r = write_mapped(p->mem, done, fd, to);
	else if (p->fd >= 0)
		r = copy_fd_range(p->fd, p->pos, done, fd, to, &done);
	if (r == 0 && done == 0)
		r = -EIO; /* somebody made the lower file shorter */
	return r < 0 ? r : (int64_t)done;
}

int copy_from_lower(struct lower *l, uint64_t handle, uint64_t off, uint64_t len, int fd,
	uint64_t to, uint64_t *ret_done)
{
	uint64_t done = 0;

	while (done < len) {
		struct lower_piece p;
		int64_t n;
		int r = l->ops->map(l, handle, off + done, &p);

		if (r == -ENXIO)
			break;
		if (r < 0)
			return r;
		n = copy_piece(&p, len - done, fd, to + done);
		lower_unmap(l, &p);
		if (n < 0)
			return (int)n;
		done += (uint64_t)n;
	}
	*ret_done = done;
	return 0;
}
