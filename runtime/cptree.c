/* SPDX-License-Identifier: Apache-2.0 */
/* Trees copied by fds (the contract is in the header); tars are in runtime/cptree_tar.c. */
#include "runtime/cptree.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "overlay/copydata.h"
#include "runtime/cptree_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>

/* ---- walking, as runtime/cptree_tar.c does it, too ---- */

int cptree_failed(struct cptree *c, int code, const char *what, struct err *err)
{
	auto_free char *shown = str_quote(c->path.data ? c->path.data : "", c->path.len);

	return err_set(err, code, "%s '%s'", what, shown ? shown : "");
}

struct put_meta cptree_meta(const struct cptree *c, const struct stat *st)
{
	return (struct put_meta){ .mode = st->st_mode,
		.uid = c->give ? c->uid : st->st_uid,
		.gid = c->give ? c->gid : st->st_gid,
		.mtime = st->st_mtim };
}

static bool is_made_by_kernel(int fd)
{
	static const unsigned long kinds[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
		SECURITYFS_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((unsigned long)fs.f_type == kinds[i])
			return true;
	return false;
}

struct each {
	struct cptree *c;
	int (*fn)(struct cptree *c, int from, const char *name, void *arg, struct err *err);
	void *arg;
	struct err *err;
	size_t len; /* of the directory's path */
};

static int each_entry(void *ctx, int dirfd, const struct dirent *de)
{
	struct each *e = ctx;
	struct buf *path = &e->c->path;
	int r;

	if (buf_printf(path, "/%s", de->d_name) < 0)
		return err_set(e->err, -ENOMEM, "cannot copy");
	r = e->fn(e->c, dirfd, de->d_name, e->arg, e->err);
	path->len = e->len;
	path->data[e->len] = '\0';
	return r;
}

int cptree_each(struct cptree *c, int from,
	int (*fn)(struct cptree *c, int from, const char *name, void *arg, struct err *err),
	void *arg, struct err *err)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct err why = ERR_INIT;
	struct each e = { c, fn, arg, &why, c->path.len };

	if (fd < 0)
		return cptree_failed(c, -errno, "cannot list", err);
	if (++c->depth > LIMIT_CPTREE_DEPTH) {
		(void)close(fd);
		r = cptree_failed(c, -ELOOP, "directories are nested too deep:", &why);
	} else {
		r = at_list_take_fd(fd, each_entry, &e);
	}
	c->depth--;
	if (r < 0 && !why.text[0])
		cptree_failed(c, r, "cannot list", &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

int cptree_open_dir(struct cptree *c, int from, const char *name, struct err *err)
{
	int fd = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return cptree_failed(c, -errno, "cannot open", err);
	if (is_made_by_kernel(fd)) {
		(void)close(fd);
		return -EXDEV;
	}
	return fd;
}

int cptree_open_file(int from, const char *name, struct stat *st)
{
	auto_fd fd = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode) ? fd_take(&fd) : -EINVAL;
}

/* ---- data ---- */

/* Files of the kernel have no size and content all the same. */
static int copy_stream(int from, int to)
{
	char data[65536];
	ssize_t n;
	int r = 0;

	while (r >= 0 && (n = read(from, data, sizeof(data))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : fd_write_all(to, data, (size_t)n);
	}
	return r;
}

static int copy_data(int from, int to, uint64_t size)
{
	uint64_t off = 0, done;

	while (off < size) {
		off_t data = lseek(from, (off_t)off, SEEK_DATA), end;
		int r;

		if (data < 0 && errno == ENXIO)
			break;
		end = data < 0 ? (off_t)size : lseek(from, data, SEEK_HOLE);
		data = data < 0 ? (off_t)off : data;
		if (end < 0 || (uint64_t)end > size)
			end = (off_t)size;
		if (data >= end)
			break;
		r = copy_fd_range(
			from, (uint64_t)data, (uint64_t)(end - data), to, (uint64_t)data, &done);
		if (r < 0)
			return r;
		off = (uint64_t)data + done;
		/* It became shorter meanwhile. */
		if (off < (uint64_t)end)
			return 0;
	}
	return ftruncate(to, (off_t)size) < 0 ? -errno : 0;
}

int cptree_copy_file(struct cptree *c, int from, int to, struct err *err)
{
	struct put_meta meta;
	struct stat st;
	int r;

	if (fstat(from, &st) < 0)
		return cptree_failed(c, -errno, "cannot read", err);
	r = st.st_size == 0 ? copy_stream(from, to) : copy_data(from, to, (uint64_t)st.st_size);
	meta = cptree_meta(c, &st);
	if (r >= 0)
		r = put_finish(&c->put, to, &meta);
	return r < 0 ? cptree_failed(c, r, "cannot copy", err) : 0;
}

/* ---- entries ---- */

static int replace_failed(struct cptree *c, int code, struct err *err)
{
	cptree_failed(c, code, "cannot make", err);
	return code == -EISDIR || code == -ENOTDIR
		       ? err_hint(err, code,
				 "--overwrite lets a directory and a file replace each other")
		       : code;
}

static int copy_regular(struct cptree *c, int from, const char *from_name, int to,
	const char *to_name, struct err *err)
{
	struct stat st;
	auto_fd in = cptree_open_file(from, from_name, &st), out = -1;

	if (in < 0)
		return cptree_failed(c, in, "cannot read", err);
	out = put_file(&c->put, to, to_name);
	return out < 0 ? replace_failed(c, out, err) : cptree_copy_file(c, in, out, err);
}

static int copy_link(struct cptree *c, int from, const char *from_name, int to, const char *to_name,
	const struct stat *st, struct err *err)
{
	const struct put_meta meta = cptree_meta(c, st);
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, from_name, target, sizeof(target) - 1);
	int r;

	if (n < 0)
		return cptree_failed(c, -errno, "cannot read", err);
	target[n] = '\0';
	r = put_symlink(&c->put, to, to_name, target, &meta);
	return r < 0 ? replace_failed(c, r, err) : 0;
}

static int copy_into(struct cptree *c, int from, const char *name, void *to, struct err *err)
{
	return cptree_copy(c, from, name, *(int *)to, name, err);
}

int cptree_copy_contents(struct cptree *c, int from, int to, struct err *err)
{
	return cptree_each(c, from, copy_into, &to, err);
}

int cptree_copy_dir(struct cptree *c, int from, const struct stat *st, int to, const char *to_name,
	struct err *err)
{
	const struct put_meta meta = cptree_meta(c, st);
	bool is_new = false;
	auto_fd out = put_dir(&c->put, to, to_name, &is_new);
	int r;

	if (out < 0)
		return replace_failed(c, out, err);
	r = from < 0 ? 0 : cptree_copy_contents(c, from, out, err);
	if (r < 0 || !is_new)
		return r;
	r = put_finish(&c->put, out, &meta);
	return r < 0 ? cptree_failed(c, r, "cannot complete", err) : 0;
}

static int copy_subdir(struct cptree *c, int from, const char *from_name, int to,
	const char *to_name, const struct stat *st, struct err *err)
{
	auto_fd in = cptree_open_dir(c, from, from_name, err);

	return in < 0 && in != -EXDEV ? in : cptree_copy_dir(c, in, st, to, to_name, err);
}

int cptree_copy(struct cptree *c, int from, const char *from_name, int to, const char *to_name,
	struct err *err)
{
	struct put_meta meta;
	struct stat st;
	int r;

	if (fstatat(from, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cptree_failed(c, -errno, "cannot read", err);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_regular(c, from, from_name, to, to_name, err);
	case S_IFDIR:
		return copy_subdir(c, from, from_name, to, to_name, &st, err);
	case S_IFLNK:
		return copy_link(c, from, from_name, to, to_name, &st, err);
	case S_IFIFO:
		meta = cptree_meta(c, &st);
		r = put_fifo(&c->put, to, to_name, &meta);
		return r < 0 ? replace_failed(c, r, err) : 0;
	default:
		c->n_left_out++;
		return 0;
	}
}
