/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between libfuse's low-level calls and overlay/ops.h: arguments in, one call, exactly one reply
 *
 * The daemon is the only one who changes what it serves, so the kernel may keep entries (absent
 * ones too) and attributes for ever.
 */
#include "overlay/fuse_adapter.h"

#include "base/cleanup.h"
#include "overlay/ops.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <string.h>

#define FOREVER_S	1e9
#define MAX_IO_BYTES	(1U << 20)
#define MAX_XATTR_BYTES (1U << 17)

void fuse_adapter_write_flags(uint32_t flags)
{
}

static struct ovl_fs *fs_of(fuse_req_t req)
{
	return ((struct fuse_adapter *)fuse_req_userdata(req))->fs;
}

/* Clients know no damaged layers, only devices that cannot be read. */
static void reply_err(fuse_req_t req, int r)
{
	(void)fuse_reply_err(req, r == -EBADMSG ? EIO : -r);
}

static void reply_entry(fuse_req_t req, int r, const struct ovl_entry *e)
{
	struct ovl_fs *fs = fs_of(req);
	struct fuse_entry_param p = { .entry_timeout = FOREVER_S, .attr_timeout = FOREVER_S };

	if (r < 0) {
		reply_err(req, r);
		return;
	}
	p.ino = e->id;
	p.attr = e->st;
	if (fuse_reply_entry(req, &p) == -ENOENT)
		ovl_forget(fs, e->id, 1); /* interrupted: the kernel will never forget it */
}

static void reply_attr(fuse_req_t req, int r, const struct stat *st)
{
	if (r < 0)
		reply_err(req, r);
	else
		(void)fuse_reply_attr(req, st, FOREVER_S);
}

/* ---- names and attributes ---- */

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fuse_entry_param absent = { .entry_timeout = FOREVER_S };
	struct ovl_entry e;
	int r = ovl_lookup(fs_of(req), parent, name, &e);

	if (r == -ENOENT)
		(void)fuse_reply_entry(req, &absent);
	else
		reply_entry(req, r, &e);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	ovl_forget(fs_of(req), ino, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *v)
{
	for (size_t i = 0; i < count; i++)
		ovl_forget(fs_of(req), v[i].ino, v[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int r = ovl_getattr(fs_of(req), ino, &st);

	reply_attr(req, r, &st);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	auto_free char *target = NULL;
	int r = ovl_readlink(fs_of(req), ino, &target);

	if (r < 0)
		reply_err(req, r);
	else
		(void)fuse_reply_readlink(req, target);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int r = ovl_statfs(fs_of(req), &st);

	if (r < 0)
		reply_err(req, r);
	else
		(void)fuse_reply_statfs(req, &st);
}

/* ---- opening: never announced, if the kernel can do without ---- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fuse_adapter *a = fuse_req_userdata(req);

	if (a->no_open) {
		reply_err(req, -ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	(void)fuse_reply_open(req, fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fuse_adapter *a = fuse_req_userdata(req);

	if (a->no_open) {
		reply_err(req, -ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fi->cache_readdir = 1;
	(void)fuse_reply_open(req, fi);
}

/* ---- directories ---- */

struct dir_buf {
	fuse_req_t req;
	char *data;
	size_t len, room;
	bool plus;
};

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static bool emit(void *ctx, const struct ovl_dirent *de)
{
	struct dir_buf *b = ctx;
	struct fuse_entry_param p = { .ino = is_dot(de->name) ? 0 : de->id,
		.attr = de->st,
		.entry_timeout = FOREVER_S,
		.attr_timeout = FOREVER_S };
	char *at = b->data + b->len;
	size_t left = b->room - b->len, n;

	if (b->plus)
		n = fuse_add_direntry_plus(b->req, at, left, de->name, &p, (off_t)de->off);
	else
		n = fuse_add_direntry(b->req, at, left, de->name, &de->st, (off_t)de->off);
	if (n > left)
		return false;
	b->len += n;
	return true;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	auto_free char *data = malloc(size ? size : 1);
	struct dir_buf b = { .req = req, .data = data, .room = size, .plus = plus };
	int r = data ? 0 : -ENOMEM;

	if (r == 0)
		r = ovl_readdir(
			fs_of(req), ino, (uint64_t)off, plus ? OVL_READDIR_PLUS : 0, emit, &b);
	/* An error after some entries comes back at the next call. */
	if (r < 0 && b.len == 0)
		reply_err(req, r);
	else
		(void)fuse_reply_buf(req, b.data, b.len);
}

static void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, false);
}

static void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, true);
}

/* ---- data ---- */

static pthread_key_t io_key;
static pthread_once_t io_once = PTHREAD_ONCE_INIT;

static void make_io_key(void)
{
	(void)pthread_key_create(&io_key, free);
}

/* A buffer for each thread, kept: serving a READ shall not wait for memory. */
static void *io_buffer(void)
{
	void *p;

	pthread_once(&io_once, make_io_key);
	p = pthread_getspecific(io_key);
	if (!p) {
		p = malloc(MAX_IO_BYTES);
		if (p && pthread_setspecific(io_key, p) != 0) {
			free(p);
			p = NULL;
		}
	}
	return p;
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct iovec iov[OVL_READ_IOV];
	void *buf = io_buffer();
	int r = -ENOMEM;

	if (size > MAX_IO_BYTES)
		size = MAX_IO_BYTES;
	if (buf)
		r = ovl_read(fs_of(req), ino, off, size, buf, iov);
	if (r < 0)
		reply_err(req, r);
	else if (r == 0)
		(void)fuse_reply_buf(req, NULL, 0);
	else
		(void)fuse_reply_iov(req, iov, r);
}

/* ---- INIT ---- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct fuse_adapter *a = userdata;
	unsigned int want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
			    FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_IOCTL_DIR;

	/*
	 * Left out on purpose: ATOMIC_O_TRUNC (with opens that are not announced nobody would hear
	 * of the truncation), READDIRPLUS_AUTO (scans would look up 0.8 times per file),
	 * AUTO_INVAL_DATA (the kernel's pages are right), HANDLE_KILLPRIV (version 2 is asked for
	 * by the session).
	 */
	if (!a->read_only)
		want |= FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK;
	conn->want = want & conn->capable;
	conn->max_write = MAX_IO_BYTES;
	conn->max_read = 0;
	conn->max_readahead = MAX_IO_BYTES;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
}

const struct fuse_lowlevel_ops *fuse_adapter_ops(void)
{
	/* Not here, answered ENOSYS by libfuse: flush, access, create (the kernel makes a node and
	 * opens it, which needs no RELEASE), locks (the kernel keeps them). */
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init,
		.lookup = op_lookup,
		.forget = op_forget,
		.forget_multi = op_forget_multi,
		.getattr = op_getattr,
		.readlink = op_readlink,
		.open = op_open,
		.opendir = op_opendir,
		.read = op_read,
		.readdir = op_readdir,
		.readdirplus = op_readdirplus,
		.statfs = op_statfs,
	};

	return &ops;
}
