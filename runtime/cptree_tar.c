/* SPDX-License-Identifier: Apache-2.0 */
/* Trees as tars (the contract is in runtime/cptree.h). */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/tarstream.h"
#include "image/tarwrite.h"
#include "runtime/cptree_walk.h"
#include "runtime/inroot.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#define READ_BYTES (256 * 1024)

/* ---- out ---- */

struct out {
	struct tarwrite tar;
	size_t skip; /* of c->path, which names stand behind */
	char *data; /* READ_BYTES */
};

static uint32_t id_in(const struct idmap *map, uint32_t id)
{
	uint32_t inside = id;

	return map && map->n && !idmap_in(map, id, &inside) ? 65534 : inside;
}

static void fill_member(const struct cptree *c, const struct out *o, const struct stat *st,
	struct tarwrite_member *ret)
{
	*ret = (struct tarwrite_member){ .path = c->path.data + o->skip,
		.mode = st->st_mode,
		.uid = id_in(c->uids, st->st_uid),
		.gid = id_in(c->gids, st->st_gid),
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec };
}

static int put_data(struct cptree *c, struct out *o, int in, uint64_t size, struct err *err)
{
	int r = 0;

	while (r >= 0 && size > 0) {
		ssize_t n = read(in, o->data, size < READ_BYTES ? size : READ_BYTES);
		struct iovec iov = { o->data, n > 0 ? (size_t)n : 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cptree_failed(c, n < 0 ? -errno : -EBUSY,
				n < 0 ? "cannot read" : "it became shorter while it was read:",
				err);
		r = tarwrite_data(&o->tar, &iov, 1, err);
		size -= (uint64_t)n;
	}
	return r < 0 ? r : tarwrite_pad(&o->tar, err);
}

static int out_entry(struct cptree *c, int from, const char *name, void *arg, struct err *err);

static int out_file(struct cptree *c, struct out *o, int in, const struct stat *st, struct err *err)
{
	struct tarwrite_member m;
	int r;

	fill_member(c, o, st, &m);
	m.size = (uint64_t)st->st_size;
	r = tarwrite_member(&o->tar, &m, err);
	return r < 0 ? r : put_data(c, o, in, m.size, err);
}

static int out_dir(struct cptree *c, struct out *o, int in, const struct stat *st, struct err *err)
{
	struct tarwrite_member m;
	int r;

	fill_member(c, o, st, &m);
	r = tarwrite_member(&o->tar, &m, err);
	return r < 0 || in < 0 ? r : cptree_each(c, in, out_entry, o, err);
}

static int out_link(struct cptree *c, struct out *o, int from, const char *name,
	const struct stat *st, struct err *err)
{
	struct tarwrite_member m;
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return cptree_failed(c, -errno, "cannot read", err);
	target[n] = '\0';
	fill_member(c, o, st, &m);
	m.link = target;
	return tarwrite_member(&o->tar, &m, err);
}

static int out_entry(struct cptree *c, int from, const char *name, void *arg, struct err *err)
{
	struct out *o = arg;
	struct tarwrite_member m;
	struct stat st;
	auto_fd in = -1;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cptree_failed(c, -errno, "cannot read", err);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		in = cptree_open_file(from, name, &st);
		return in < 0 ? cptree_failed(c, in, "cannot read", err)
			      : out_file(c, o, in, &st, err);
	case S_IFDIR:
		in = cptree_open_dir(c, from, name, err);
		return in < 0 && in != -EXDEV ? in : out_dir(c, o, in, &st, err);
	case S_IFLNK:
		return out_link(c, o, from, name, &st, err);
	case S_IFIFO:
		fill_member(c, o, &st, &m);
		return tarwrite_member(&o->tar, &m, err);
	default:
		c->n_left_out++;
		return 0;
	}
}

int cptree_to_tar(struct cptree *c, int from, const char *name, int fd, struct err *err)
{
	struct out o = { .tar = { .fd = fd }, .data = malloc(READ_BYTES) };
	struct stat st;
	int r;

	buf_done(&c->path);
	if (!o.data || buf_add_str(&c->path, name) < 0)
		r = err_set(err, -ENOMEM, "cannot copy");
	else if (fstat(from, &st) < 0)
		r = cptree_failed(c, -errno, "cannot read", err);
	else
		r = S_ISDIR(st.st_mode) ? out_dir(c, &o, from, &st, err)
					: out_file(c, &o, from, &st, err);
	if (r >= 0)
		r = tarwrite_end(&o.tar, err);
	tarwrite_done(&o.tar);
	free(o.data);
	return r;
}

/* ---- in ---- */

/* Sparse files are written piece by piece; between them nothing is written. */
static int take_data(struct tarstream *ts, const struct tarhead *h, int out, struct err *err)
{
	uint64_t pos = 0, left = h->is_sparse && h->map.n ? h->map.v[0].len : UINT64_MAX;
	const uint8_t *data;
	size_t i = 0, len;
	int r;

	if (h->is_sparse && h->map.n)
		pos = h->map.v[0].file_off;
	while ((r = tarstream_data(ts, &data, &len, err)) == 1)
		while (len > 0) {
			size_t n = len < left ? len : (size_t)left;
			ssize_t put = pwrite(out, data, n, (off_t)pos);

			if (put < 0)
				return err_set(err, -errno, "cannot write");
			data += put;
			len -= (size_t)put;
			pos += (uint64_t)put;
			left -= (uint64_t)put;
			if (left == 0 && ++i < h->map.n) {
				pos = h->map.v[i].file_off;
				left = h->map.v[i].len;
			}
			if (left == 0 && i >= h->map.n && len > 0)
				return err_say(err, -EBADMSG, "its map of data does not add up");
		}
	if (r == 0 && ftruncate(out, (off_t)h->size) < 0)
		return err_set(err, -errno, "cannot write");
	return r;
}

static uint32_t id_out(const struct idmap *map, uint64_t id)
{
	uint32_t outside = id > UINT32_MAX - 1 ? 65534 : (uint32_t)id;

	/* What the container cannot have belongs to nobody there. */
	if (map && map->n && !idmap_out(map, outside, &outside) && !idmap_out(map, 65534, &outside))
		(void)idmap_out(map, 0, &outside);
	return outside;
}

static struct put_meta meta_of(const struct cptree *c, const struct tarhead *h)
{
	return (struct put_meta){ .mode = h->mode,
		.uid = c->give ? c->uid : id_out(c->uids, h->uid),
		.gid = c->give ? c->gid : id_out(c->gids, h->gid),
		.mtime = { .tv_sec = h->mtime_sec, .tv_nsec = h->mtime_nsec } };
}

/* A member's name, without what stands for the directory itself; -EINVAL if it leads upwards. */
static int clean_name(const struct buf *raw, struct buf *ret)
{
	const char *s = raw->data ? raw->data : "";

	for (size_t n; *s; s += n + strspn(s + n, "/")) {
		n = strcspn(s, "/");
		if (n == 0 || (n == 1 && s[0] == '.'))
			continue;
		if ((n == 2 && memcmp(s, "..", 2) == 0) || n > NAME_MAX)
			return -EINVAL;
		if (buf_printf(ret, "%s%.*s", ret->len ? "/" : "", (int)n, s) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int link_member(const struct tarhead *h, int root, const char *dir, int to, const char *name)
{
	auto_buf target = { 0 };
	auto_free char *path = NULL;
	auto_fd from = -1;
	char proc[32];
	int r = clean_name(&h->link, &target);

	if (r < 0)
		return r;
	path = str_format("%s/%s", dir, target.data ? target.data : "");
	from = path ? inroot_open(root, path, O_PATH | O_NOFOLLOW) : -ENOMEM;
	if (from < 0)
		return from;
	if (unlinkat(to, name, 0) < 0 && errno != ENOENT)
		return -errno;
	/* AT_EMPTY_PATH is for the machine's root. */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", from);
	return linkat(AT_FDCWD, proc, to, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int dir_member(struct cptree *c, const struct tarhead *h, int to, const char *name)
{
	const struct put_meta meta = meta_of(c, h);
	bool is_new;
	auto_fd fd = put_dir(&c->put, to, name, &is_new);

	if (fd < 0)
		return fd;
	return is_new ? put_finish(&c->put, fd, &meta) : 0;
}

static int file_member(struct cptree *c, struct tarstream *ts, const struct tarhead *h, int to,
	const char *name, struct err *err)
{
	const struct put_meta meta = meta_of(c, h);
	auto_fd fd = put_file(&c->put, to, name);
	int r = fd < 0 ? fd : take_data(ts, h, fd, err);

	return r < 0 ? r : put_finish(&c->put, fd, &meta);
}

static int make_member(struct cptree *c, struct tarstream *ts, const struct tarhead *h, int root,
	const char *dir, struct err *err)
{
	const struct put_meta meta = meta_of(c, h);
	const char *slash = c->path.data ? strrchr(c->path.data, '/') : NULL;
	const char *name = slash ? slash + 1 : c->path.data;
	auto_free char *parent = str_format("%s/%.*s", dir, slash ? (int)(slash - c->path.data) : 0,
		c->path.data ? c->path.data : "");
	auto_fd to = parent ? inroot_open_dir(root, parent) : -ENOMEM;

	if (to < 0)
		return to;
	/* The directory itself. */
	if (!name)
		return 0;
	switch (h->type) {
	case '0':
		return file_member(c, ts, h, to, name, err);
	case '1':
		return link_member(h, root, dir, to, name);
	case '2':
		return put_symlink(&c->put, to, name, h->link.data ? h->link.data : "", &meta);
	case '5':
		return dir_member(c, h, to, name);
	case '6':
		return put_fifo(&c->put, to, name, &meta);
	default:
		c->n_left_out++;
		return 0;
	}
}

int cptree_from_tar(
	struct cptree *c, struct source *src, int root, const char *dir, struct err *err)
{
	struct tarstream *ts = NULL;
	struct tar_member m;
	int r = tarstream_new(&ts, src);

	if (r < 0)
		return err_set(err, r, "cannot read the tar");
	while ((r = tarstream_next(ts, &m, err)) == 1) {
		struct err why = ERR_INIT;

		buf_done(&c->path);
		r = clean_name(&m.head->path, &c->path);
		if (r >= 0)
			r = make_member(c, ts, m.head, root, dir, &why);
		if (r < 0 && why.text[0]) {
			err_say(err, r, "%s", why.text);
			break;
		}
		if (r < 0) {
			cptree_failed(c, r, "cannot make", err);
			break;
		}
	}
	tarstream_free(ts);
	return r;
}
