/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between libfuse's low-level calls and overlay/ops.h: arguments in, one call, exactly one reply
 *
 * The daemon is the only one who changes what it serves, so the kernel may keep entries (absent
 * ones too) and attributes for ever, unless the mount was told otherwise.
 */
#include "overlay/fuse_adapter.h"

#include "base/cleanup.h"
#include "overlay/fuse_seek.h"
#include "overlay/ops.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <string.h>

#define MAX_IO_BYTES	(1U << 20)
#define MAX_XATTR_BYTES (1U << 17)

static __thread uint32_t write_flags;

void fuse_adapter_write_flags(uint32_t flags)
{
	write_flags = flags;
}

static const struct fuse_adapter *adapter_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct ovl_fs *fs_of(fuse_req_t req)
{
	return adapter_of(req)->fs;
}

/* For programs that cannot read longer numbers: those of one filesystem stay apart. */
static void shorten_ino(fuse_req_t req, struct stat *st)
{
	if (adapter_of(req)->ino32)
		st->st_ino = (uint32_t)(st->st_ino ^ (st->st_ino << 1 >> 33));
}

static struct ovl_cred cred_of(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct ovl_cred){ ctx->uid, ctx->gid, ctx->umask };
}

/* Clients know no damaged layers, only devices that cannot be read. */
static void reply_err(fuse_req_t req, int r)
{
	(void)fuse_reply_err(req, r == -EBADMSG ? EIO : -r);
}

static void reply_entry(fuse_req_t req, int r, const struct ovl_entry *e)
{
	struct ovl_fs *fs = fs_of(req);
	const double timeout = adapter_of(req)->timeout_s;
	struct fuse_entry_param p = { .entry_timeout = timeout, .attr_timeout = timeout };

	if (r < 0) {
		reply_err(req, r);
		return;
	}
	p.ino = e->id;
	p.attr = e->st;
	shorten_ino(req, &p.attr);
	if (fuse_reply_entry(req, &p) == -ENOENT)
		ovl_forget(fs, e->id, 1); /* interrupted: the kernel will never forget it */
}

static void reply_attr(fuse_req_t req, int r, struct stat *st)
{
	if (r < 0) {
		reply_err(req, r);
		return;
	}
	shorten_ino(req, st);
	(void)fuse_reply_attr(req, st, adapter_of(req)->timeout_s);
}

/* ---- names and attributes ---- */

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fuse_entry_param absent = { .entry_timeout = adapter_of(req)->timeout_s };
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

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	static const struct {
		int from;
		enum ovl_set to;
	} bits[] = {
		{ FUSE_SET_ATTR_MODE, OVL_SET_MODE },
		{ FUSE_SET_ATTR_UID, OVL_SET_UID },
		{ FUSE_SET_ATTR_GID, OVL_SET_GID },
		{ FUSE_SET_ATTR_SIZE, OVL_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME, OVL_SET_ATIME },
		{ FUSE_SET_ATTR_ATIME_NOW, OVL_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, OVL_SET_MTIME },
		{ FUSE_SET_ATTR_MTIME_NOW, OVL_SET_MTIME },
		{ FUSE_SET_ATTR_KILL_SUID, OVL_SET_KILL_SUIDGID },
	};
	struct ovl_attr a = { .mode = attr->st_mode,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.size = attr->st_size,
		.atime = attr->st_atim,
		.mtime = attr->st_mtim };
	struct stat st;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (to_set & bits[i].from)
			a.set |= bits[i].to;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		a.atime.tv_nsec = UTIME_NOW;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		a.mtime.tv_nsec = UTIME_NOW;
	r = ovl_setattr(fs_of(req), ino, &a, &st);
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

/* ---- changes of names ---- */

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, const struct ovl_new *what)
{
	const struct ovl_cred cred = cred_of(req);
	struct ovl_entry e;
	int r = ovl_make(fs_of(req), parent, name, what, &cred, &e);

	reply_entry(req, r, &e);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	const struct ovl_new what = { .mode = mode, .rdev = rdev };

	make(req, parent, name, &what);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct ovl_new what = { .mode = S_IFDIR | (mode & 07777) };

	make(req, parent, name, &what);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	const struct ovl_new what = { .mode = S_IFLNK | 0777, .target = link };

	make(req, parent, name, &what);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_err(req, ovl_unlink(fs_of(req), parent, name));
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_err(req, ovl_rmdir(fs_of(req), parent, name));
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	const char *newname, unsigned int flags)
{
	const struct ovl_rename what = { parent, newparent, name, newname, flags };

	reply_err(req, ovl_rename(fs_of(req), &what));
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct ovl_entry e;
	int r = ovl_link(fs_of(req), ino, newparent, newname, &e);

	reply_entry(req, r, &e);
}

/* ---- opening: never announced, if the kernel can do without ---- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fuse_adapter *a = adapter_of(req);

	if (a->no_open) {
		reply_err(req, -ENOSYS);
		return;
	}
	fi->keep_cache = !a->expires;
	(void)fuse_reply_open(req, fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fuse_adapter *a = adapter_of(req);

	if (a->no_open) {
		reply_err(req, -ENOSYS);
		return;
	}
	fi->keep_cache = !a->expires;
	fi->cache_readdir = !a->expires;
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
	const double timeout = adapter_of(b->req)->timeout_s;
	struct fuse_entry_param p = { .ino = is_dot(de->name) ? 0 : de->id,
		.attr = de->st,
		.entry_timeout = timeout,
		.attr_timeout = timeout };
	char *at = b->data + b->len;
	size_t left = b->room - b->len, n;

	shorten_ino(b->req, &p.attr);
	if (b->plus)
		n = fuse_add_direntry_plus(b->req, at, left, de->name, &p, (off_t)de->off);
	else
		n = fuse_add_direntry(b->req, at, left, de->name, &p.attr, (off_t)de->off);
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

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	reply_err(req, ovl_fsyncdir(fs_of(req), ino));
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

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	const struct fuse_adapter *a = fuse_req_userdata(req);
	struct ovl_write w = { .buf = buf,
		.len = size,
		.off = off,
		.cached = write_flags & FUSE_WRITE_CACHE,
		.kill_suidgid = write_flags & FUSE_WRITE_KILL_SUIDGID };
	ssize_t n = ovl_write(a->fs, ino, &w);

	/* Asked to clear the bits, the kernel does not know whether there were any. */
	if (w.mode_changed)
		(void)fuse_lowlevel_notify_inval_inode(a->se, ino, -1, 0);
	if (n < 0)
		reply_err(req, (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	reply_err(req, ovl_fsync(fs_of(req), ino, datasync));
}

static void op_fallocate(
	fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	reply_err(req, ovl_fallocate(fs_of(req), ino, mode, off, len));
}

static void op_lseek(
	fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t r;

	if (adapter_of(req)->seek) {
		fuse_seek_request(adapter_of(req)->seek, req, ino, off, whence);
		return;
	}
	r = ovl_lseek(fs_of(req), ino, off, whence);
	if (r < 0)
		reply_err(req, (int)r);
	else
		(void)fuse_reply_lseek(req, r);
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out,
	size_t len, int flags)
{
	const struct ovl_copy c = { in, out, off_in, off_out, len };
	ssize_t n = ovl_copy_file_range(fs_of(req), &c);

	if (n < 0)
		reply_err(req, (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n);
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_len,
	size_t out_len)
{
	uint64_t word = 0;
	int attrs = 0, r;

	/* FS_IOC_GETFLAGS says long and means int. */
	if (cmd != (unsigned int)FS_IOC_GETFLAGS) {
		reply_err(req, -ENOTTY);
		return;
	}
	r = ovl_get_flags(fs_of(req), ino, &attrs);
	word = (unsigned int)attrs;
	if (r < 0)
		reply_err(req, r);
	else
		(void)fuse_reply_ioctl(
			req, 0, &word, out_len < sizeof(word) ? out_len : sizeof(word));
}

/* ---- extended attributes ---- */

static void reply_xattr(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
	if (n < 0)
		reply_err(req, (int)n);
	else if (size == 0)
		(void)fuse_reply_xattr(req, (size_t)n);
	else
		(void)fuse_reply_buf(req, buf, (size_t)n);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	auto_free char *buf = NULL;
	ssize_t n = -ENOMEM;

	if (size > MAX_XATTR_BYTES)
		size = MAX_XATTR_BYTES;
	if (adapter_of(req)->no_xattrs)
		n = -ENOSYS;
	else
		buf = malloc(size ? size : 1);
	if (buf)
		n = ovl_getxattr(fs_of(req), ino, name, buf, size);
	reply_xattr(req, n, buf, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	auto_free char *buf = NULL;
	ssize_t n = -ENOMEM;

	if (size > MAX_XATTR_BYTES)
		size = MAX_XATTR_BYTES;
	if (adapter_of(req)->no_xattrs)
		n = -ENOSYS;
	else
		buf = malloc(size ? size : 1);
	if (buf)
		n = ovl_listxattr(fs_of(req), ino, buf, size);
	reply_xattr(req, n, buf, size);
}

static void op_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	reply_err(req, adapter_of(req)->no_xattrs
			       ? -ENOSYS
			       : ovl_setxattr(fs_of(req), ino, name, value, size, flags));
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_err(
		req, adapter_of(req)->no_xattrs ? -ENOSYS : ovl_removexattr(fs_of(req), ino, name));
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
	if (a->no_writeback)
		want &= ~(unsigned int)FUSE_CAP_WRITEBACK_CACHE;
	if (a->no_acl || a->no_xattrs)
		want &= ~(unsigned int)FUSE_CAP_POSIX_ACL;
	if (a->expires) {
		want &= ~(unsigned int)FUSE_CAP_CACHE_SYMLINKS;
		want |= FUSE_CAP_AUTO_INVAL_DATA;
	}
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
		.setattr = op_setattr,
		.readlink = op_readlink,
		.mknod = op_mknod,
		.mkdir = op_mkdir,
		.unlink = op_unlink,
		.rmdir = op_rmdir,
		.symlink = op_symlink,
		.rename = op_rename,
		.link = op_link,
		.open = op_open,
		.opendir = op_opendir,
		.read = op_read,
		.write = op_write,
		.fsync = op_fsync,
		.readdir = op_readdir,
		.readdirplus = op_readdirplus,
		.fsyncdir = op_fsyncdir,
		.statfs = op_statfs,
		.setxattr = op_setxattr,
		.getxattr = op_getxattr,
		.listxattr = op_listxattr,
		.removexattr = op_removexattr,
		.ioctl = op_ioctl,
		.fallocate = op_fallocate,
		.copy_file_range = op_copy_file_range,
		.lseek = op_lseek,
	};

	return &ops;
}
