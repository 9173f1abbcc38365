/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data of files
 *
 * A file is found by its node at every request: opens are never announced.  Reads of what is still
 * the lower's hand out places in the mapping; the first write copies the file up.
 */
#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/copydata.h"
#include "overlay/copyup.h"
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
		lower_unmap(fs->lower, &p);
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
		lower_unmap(fs->lower, &p);
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

static size_t cut_len(const struct node *n, off_t off, size_t len)
{
	uint64_t left = (uint64_t)off < n->cut ? n->cut - (uint64_t)off : 0;

	return left < len ? (size_t)left : len;
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
		if (from_lower)
			len = cut_len(n, off, len);
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

/* In the upper: 1, or 0 if the lower has the bytes. */
static int source_in_upper(struct ovl_fs *fs, off_t off, struct ovl_source *src)
{
	struct node *n = src->node;
	struct stat st;
	int r = 0;

	if (!node_is_upper(n))
		return 0;
	pthread_mutex_lock(&n->lock);
	if (!(n->flags & NODE_META_ONLY))
		r = S_ISREG(n->fmt) ? locate_data_fd(fs, n, &src->ref) : -EINVAL;
	else
		r = -ENXIO; /* what counts may have been cut */
	pthread_mutex_unlock(&n->lock);
	if (r == 0 && fstat(src->ref.fd, &st) < 0)
		r = -errno;
	if (r == 0 && off >= st.st_size)
		r = -ENXIO;
	if (r < 0)
		return r;
	src->fd = src->ref.fd;
	src->pos = off;
	if ((uint64_t)(st.st_size - off) < src->len)
		src->len = (size_t)(st.st_size - off);
	return 1;
}

static int source_in_lower(struct ovl_fs *fs, uint64_t id, off_t off, struct ovl_source *src)
{
	const uint64_t handle = src->node ? src->node->handle : node_id_handle(fs->nodes, id);
	struct lower_attr a;
	int r;

	if (handle == NODE_NO_HANDLE)
		return -ESTALE;
	r = fs->lower->ops->map(fs->lower, handle, (uint64_t)off, &src->piece);
	if (r < 0)
		return r;
	src->fd = src->piece.fd;
	src->pos = (off_t)src->piece.pos;
	if (src->fd < 0 || src->piece.len >= src->len)
		return src->fd >= 0;
	/* It ends with the file, or with a piece of it. */
	src->len = (size_t)src->piece.len;
	r = fs->lower->ops->attr(fs->lower, handle, &a);
	return r < 0 ? r : (uint64_t)off + src->len == a.size;
}

int ovl_source(struct ovl_fs *fs, uint64_t id, off_t off, size_t len, struct ovl_source *ret)
{
	int r;

	*ret = (struct ovl_source){ .len = len, .node = fs->up ? node_find(fs->nodes, id) : NULL };
	r = source_in_upper(fs, off, ret);
	if (r == 0)
		r = source_in_lower(fs, id, off, ret);
	if (r <= 0)
		ovl_source_done(fs, ret);
	return r;
}

void ovl_source_done(struct ovl_fs *fs, struct ovl_source *src)
{
	lower_unmap(fs->lower, &src->piece);
	fdc_release(fs->fds, &src->ref);
	node_put(fs->nodes, src->node);
}

/* ---- writing ---- */

/* A descriptor of a file whose data is in the upper, copied up if it was not. */
static int open_for_change(struct ovl_fs *fs, uint64_t id, struct node **ret_n, struct fd_ref *ret)
{
	int r = copyup_file(fs, id, COPYUP_ALL, ret_n);

	if (r < 0)
		return r;
	pthread_mutex_lock(&(*ret_n)->lock);
	r = S_ISREG((*ret_n)->fmt) ? locate_writable_fd(fs, *ret_n, ret) : -EINVAL;
	pthread_mutex_unlock(&(*ret_n)->lock);
	if (r < 0)
		node_put(fs->nodes, *ret_n);
	return r;
}

static void close_changed(struct ovl_fs *fs, struct node *n, struct fd_ref *ref)
{
	fdc_release(fs->fds, ref);
	node_put(fs->nodes, n);
}

/* Return 1 if there were bits to clear. */
static int kill_suidgid(struct ovl_fs *fs, struct node *n, uint64_t id)
{
	const struct ovl_attr a = { .set = OVL_SET_KILL_SUIDGID };
	struct stat st;
	int r = node_stat(fs, n, &st);

	if (r < 0 || !(st.st_mode & (S_ISUID | S_ISGID)))
		return r;
	r = ovl_setattr(fs, id, &a, &st);
	return r < 0 ? r : 1;
}

/* What a write from the page cache must leave as it is. */
struct kept {
	mode_t mode;
	uint32_t n_attr_changes;
};

/*
 * With the writeback cache the kernel keeps the modification time of files.  It may set it before
 * we come to the last of the writes that it belongs to, so these must not move it: each restores
 * what was set last.  Any other change makes the file's own time the right one.
 *
 * The same writes come from mappings, which do not clear set-id bits; ours do, unless the daemon is
 * the machine's root.
 */
static int begin_write(struct node *n, int fd, bool cached, struct kept *ret)
{
	struct stat st;
	int r = 0;

	pthread_mutex_lock(&n->lock);
	if (!cached) {
		n->mtime_kept = false;
	} else if (n->mtime_kept && (n->flags & NODE_SIMPLE)) {
		*ret = (struct kept){ 0, n->n_attr_changes };
	} else {
		r = fstat(fd, &st) < 0 ? -errno : 0;
		if (r == 0 && !n->mtime_kept) {
			n->mtime = st.st_mtim;
			n->mtime_kept = true;
		}
		*ret = (struct kept){ r == 0 ? st.st_mode : 0, n->n_attr_changes };
	}
	pthread_mutex_unlock(&n->lock);
	return r;
}

static void end_write(struct node *n, int fd, const struct kept *k)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };

	pthread_mutex_lock(&n->lock);
	if (n->mtime_kept) {
		ts[1] = n->mtime;
		(void)futimens(fd, ts);
	}
	if ((k->mode & (S_ISUID | S_ISGID)) && k->n_attr_changes == n->n_attr_changes)
		(void)fchmod(fd, k->mode & 07777);
	pthread_mutex_unlock(&n->lock);
}

static ssize_t write_all(int fd, const struct ovl_write *w)
{
	size_t done = 0;

	while (done < w->len) {
		ssize_t n = pwrite(
			fd, (const char *)w->buf + done, w->len - done, w->off + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && done == 0)
			return n < 0 ? -errno : -EIO;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t ovl_write(struct ovl_fs *fs, uint64_t id, struct ovl_write *w)
{
	struct kept kept = { 0 };
	struct fd_ref ref;
	struct node *n;
	ssize_t done;
	int r = open_for_change(fs, id, &n, &ref);

	if (r < 0)
		return r;
	if (w->kill_suidgid) {
		r = kill_suidgid(fs, n, id);
		w->mode_changed = r > 0;
	}
	if (r >= 0)
		r = begin_write(n, ref.fd, w->cached, &kept);
	done = r < 0 ? r : write_all(ref.fd, w);
	if (w->cached)
		end_write(n, ref.fd, &kept);
	close_changed(fs, n, &ref);
	return done;
}

int ovl_fallocate(struct ovl_fs *fs, uint64_t id, int mode, off_t off, off_t len)
{
	struct fd_ref ref;
	struct node *n;
	int r = open_for_change(fs, id, &n, &ref);

	if (r < 0)
		return r;
	r = begin_write(n, ref.fd, false, NULL);
	if (r == 0 && fallocate(ref.fd, mode, off, len) < 0)
		r = -errno;
	close_changed(fs, n, &ref);
	return r;
}

/* The bytes of @c->in go to @fd, wherever they are. */
static int copy_into(struct ovl_fs *fs, const struct ovl_copy *c, int fd, uint64_t *done)
{
	struct node *in = node_find(fs->nodes, c->in);
	uint64_t handle = in ? in->handle : node_id_handle(fs->nodes, c->in);
	struct fd_ref ref = { -1, NULL };
	int r = 0;

	if (node_is_upper(in)) {
		pthread_mutex_lock(&in->lock);
		if (!(in->flags & NODE_META_ONLY))
			r = locate_data_fd(fs, in, &ref);
		pthread_mutex_unlock(&in->lock);
	}
	if (r == 0 && ref.fd >= 0) {
		r = copy_fd_range(
			ref.fd, (uint64_t)c->off_in, c->len, fd, (uint64_t)c->off_out, done);
		fdc_release(fs->fds, &ref);
	} else if (r == 0 && handle == NODE_NO_HANDLE) {
		r = -ESTALE;
	} else if (r == 0) {
		/* Into the middle of a file: holes have to arrive as zeros. */
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, c->off_out,
			    (off_t)c->len) < 0)
			r = -errno;
		if (r == 0)
			r = copy_from_lower(fs->lower, handle, (uint64_t)c->off_in, c->len, fd,
				(uint64_t)c->off_out, done);
	}
	node_put(fs->nodes, in);
	return r;
}

/* A hole at the end of what was copied does not make the file longer by itself. */
static int reach(int fd, off_t end)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size < end && ftruncate(fd, end) < 0 ? -errno : 0;
}

ssize_t ovl_copy_file_range(struct ovl_fs *fs, const struct ovl_copy *c)
{
	struct ovl_copy some = *c;
	struct fd_ref ref;
	struct node *n;
	uint64_t done = 0;
	struct stat st;
	int r;

	if (!fs->up)
		return -EROFS;
	r = ovl_getattr(fs, c->in, &st);
	if (r < 0)
		return r;
	if (c->off_in >= st.st_size)
		return 0;
	if ((off_t)some.len > st.st_size - c->off_in)
		some.len = (size_t)(st.st_size - c->off_in);
	r = open_for_change(fs, c->out, &n, &ref);
	if (r < 0)
		return r;
	r = begin_write(n, ref.fd, false, NULL);
	if (r == 0)
		r = copy_into(fs, &some, ref.fd, &done);
	if (r == 0)
		r = reach(ref.fd, c->off_out + (off_t)done);
	close_changed(fs, n, &ref);
	return r < 0 ? r : (ssize_t)done;
}

/* ---- syncing ---- */

static int sync_node(struct ovl_fs *fs, uint64_t id, bool datasync)
{
	struct node *n;
	struct fd_ref ref;
	int r = 0;

	if (!fs->up || (fs->flags & OVL_VOLATILE))
		return 0;
	n = node_find(fs->nodes, id);
	if (node_is_upper(n) && (S_ISREG(n->fmt) || S_ISDIR(n->fmt))) {
		pthread_mutex_lock(&n->lock);
		r = S_ISDIR(n->fmt) ? locate_dir_fd(fs, n, &ref) : locate_data_fd(fs, n, &ref);
		pthread_mutex_unlock(&n->lock);
		if (r == 0) {
			if ((datasync ? fdatasync(ref.fd) : fsync(ref.fd)) < 0)
				r = -errno;
			fdc_release(fs->fds, &ref);
		}
	}
	node_put(fs->nodes, n);
	return r;
}

int ovl_fsync(struct ovl_fs *fs, uint64_t id, bool datasync)
{
	return sync_node(fs, id, datasync);
}

int ovl_fsyncdir(struct ovl_fs *fs, uint64_t id)
{
	return sync_node(fs, id, false);
}

int ovl_syncfs(struct ovl_fs *fs)
{
	if (!fs->up || (fs->flags & OVL_VOLATILE))
		return 0;
	return syncfs(fs->up->tree_fd) < 0 ? -errno : 0;
}

/* ---- asking ---- */

static off_t seek_lower(struct ovl_fs *fs, uint64_t handle, off_t off, int whence)
{
	for (;;) {
		struct lower_piece p;
		int r = fs->lower->ops->map(fs->lower, handle, (uint64_t)off, &p);
		bool hole = r == 0 && !p.mem && p.fd < 0;

		/* The end of the file is a hole. */
		if (r == -ENXIO)
			return whence == SEEK_HOLE ? off : -ENXIO;
		if (r < 0)
			return r;
		lower_unmap(fs->lower, &p);
		if (hole == (whence == SEEK_HOLE))
			return off;
		off += (off_t)p.len;
	}
}

off_t ovl_lseek(struct ovl_fs *fs, uint64_t id, off_t off, int whence)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	uint64_t handle = n ? n->handle : node_id_handle(fs->nodes, id);
	struct fd_ref ref = { -1, NULL };
	struct stat st;
	off_t r = 0;

	if (node_is_upper(n)) {
		pthread_mutex_lock(&n->lock);
		if (!(n->flags & NODE_META_ONLY))
			r = locate_data_fd(fs, n, &ref);
		pthread_mutex_unlock(&n->lock);
	}
	if (r == 0 && ref.fd >= 0) {
		r = lseek(ref.fd, off, whence);
		if (r < 0)
			r = -errno;
		fdc_release(fs->fds, &ref);
	} else if (r == 0) {
		r = ovl_getattr(fs, id, &st);
		if (r == 0 && handle == NODE_NO_HANDLE)
			r = -ESTALE;
		if (r == 0)
			r = off < 0 || off >= st.st_size ? -ENXIO
							 : seek_lower(fs, handle, off, whence);
	}
	node_put(fs->nodes, n);
	return r;
}

int ovl_get_flags(struct ovl_fs *fs, uint64_t id, int *ret)
{
	struct node *n = fs->up ? node_find(fs->nodes, id) : NULL;
	struct fd_ref ref;
	int r = 0;

	*ret = 0;
	if (node_is_upper(n) && (S_ISREG(n->fmt) || S_ISDIR(n->fmt))) {
		pthread_mutex_lock(&n->lock);
		r = S_ISDIR(n->fmt) ? locate_dir_fd(fs, n, &ref) : locate_data_fd(fs, n, &ref);
		pthread_mutex_unlock(&n->lock);
		if (r == 0) {
			if (ioctl(ref.fd, FS_IOC_GETFLAGS, ret) < 0)
				r = -errno;
			fdc_release(fs->fds, &ref);
		}
	}
	node_put(fs->nodes, n);
	return r;
}
