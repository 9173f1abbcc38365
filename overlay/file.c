/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data of files
 *
 * A file is found by its node at every request: opens are never announced.  Reads of what is still
 * the lower's hand out places in the mapping; the first write copies the file up.
 */
#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/locate.h"
#include "overlay/ops.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#define ZEROS_BYTES (1 << 20)

/* Zeros for holes: never written, so it costs address space only. */
static const char zeros[ZEROS_BYTES];

static int read_fd(int fd, off_t off, size_t len, void *buf, struct iovec *iov)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, off + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	iov[0] = (struct iovec){ buf, done };
	return done > 0;
}

/* One piece of the lower into one element; the bytes covered, or an error. */
static ssize_t read_piece(const struct lower_piece *p, size_t len, void *buf, struct iovec *ret)
{
	int r;

	if (len > p->len)
		len = (size_t)p->len;
	if (p->mem) {
		*ret = (struct iovec){ (void *)p->mem, len };
	} else if (p->fd >= 0) {
		r = read_fd(p->fd, (off_t)p->pos, len, buf, ret);
		if (r <= 0)
			return r < 0 ? r : -EIO;
		len = ret->iov_len;
	} else {
		if (len > ZEROS_BYTES)
			len = ZEROS_BYTES;
		*ret = (struct iovec){ (void *)zeros, len };
	}
	return (ssize_t)len;
}

static int read_lower(
	struct ovl_fs *fs, uint64_t handle, off_t off, size_t len, void *buf, struct iovec *iov)
{
	size_t done = 0;
	int n = 0;

	while (done < len && n < OVL_READ_IOV) {
		struct lower_piece p;
		ssize_t got;
		int r = fs->lower->ops->map(fs->lower, handle, (uint64_t)off + done, &p);

		if (r == -ENXIO)
			break;
		if (r < 0)
			return r;
		got = read_piece(&p, len - done, (char *)buf + done, &iov[n]);
		if (got < 0)
			return (int)got;
		done += (size_t)got;
		n++;
	}
	if (done == len || n < OVL_READ_IOV)
		return n;
	return -E2BIG; /* more pieces than fit: the caller asks for less */
}

/* Copy a badly fragmented range together, a few pieces at a time, without touching mappings. */
static int read_fragments(
	struct ovl_fs *fs, uint64_t handle, off_t off, size_t len, void *buf, struct iovec *iov)
{
	size_t done = 0;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	auto_fd rd = pair[0], wr = pair[1];

	while (done < len) {
		struct lower_piece p;
		struct iovec one;
		ssize_t n;
		int r = fs->lower->ops->map(fs->lower, handle, (uint64_t)off + done, &p);

		if (r == -ENXIO)
			break;
		if (r < 0)
			return r;
		n = read_piece(&p, len - done, (char *)buf + done, &one);
		if (n < 0)
			return (int)n;
		/* A pipe takes 4096 bytes without blocking while it is empty. */
		n = write(wr, one.iov_base, one.iov_len < 4096 ? one.iov_len : 4096);
		if (n <= 0)
			return n < 0 && errno != EFAULT ? -errno : -EIO;
		if (read(rd, (char *)buf + done, (size_t)n) != n)
			return -EIO;
		done += (size_t)n;
	}
	iov[0] = (struct iovec){ buf, done };
	return done > 0;
}

int ovl_read(struct ovl_fs *fs, uint64_t id, off_t off, size_t len, void *buf, struct iovec *iov)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	uint64_t handle = n ? n->handle : node_id_handle(fs->nodes, id);
	struct fd_ref ref;
	int r;

	if (node_is_upper(n)) {
		bool from_lower;

		pthread_mutex_lock(&n->lock);
		from_lower = n->flags & NODE_META_ONLY;
		r = from_lower ? 0 : locate_data_fd(fs, n, &ref);
		pthread_mutex_unlock(&n->lock);
		if (!from_lower) {
			if (r == 0) {
				r = read_fd(ref.fd, off, len, buf, iov);
				fdc_release(fs->fds, &ref);
			}
			goto out;
		}
	}
	if (handle == NODE_NO_HANDLE) {
		r = -ESTALE;
		goto out;
	}
	r = read_lower(fs, handle, off, len, buf, iov);
	if (r == -E2BIG)
		r = read_fragments(fs, handle, off, len, buf, iov);
out:
	node_put(fs->nodes, n);
	return r;
}
