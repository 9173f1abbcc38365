/* SPDX-License-Identifier: Apache-2.0 */
/* Changes as the members of a tar (the contract is in the header). */
#include "image/layer_diff.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "image/tarwrite.h"

#include <search.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define GRANULE_BYTES	 65536 /* what is wholly zero of these is a hole */
#define MIN_HOLE_BYTES	 (UINT64_C(1) << 20) /* of a file together, before it is stored as sparse */
#define READ_BYTES	 (1 << 20)
#define WHITEOUT_PREFIX	 ".wh."
#define OPAQUE_NAME	 ".wh..wh..opq"
#define LIMIT_NAME_BYTES 255

/* The first name of an inode that has several. */
struct first_name {
	uint64_t id;
	char path[];
};

struct layer {
	struct ovl_fs *fs;
	const struct upper_view *view;
	const struct layer_diff_options *opts;
	struct tarwrite tar;
	void *links; /* tsearch(3) tree of struct first_name */
	char *data; /* READ_BYTES */
	struct layer_diff_stats stats;
};

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = ((const struct first_name *)a)->id, y = ((const struct first_name *)b)->id;

	return x < y ? -1 : x > y;
}

/* ---- data ---- */

static int read_error(int code, struct err *err)
{
	return err_set(err, code, "cannot read it");
}

/* @len bytes from @off on. */
static int put_data(struct layer *l, uint64_t id, uint64_t off, uint64_t len, struct err *err)
{
	struct iovec iov[OVL_READ_IOV];
	int r = 0;

	while (r == 0 && len > 0) {
		size_t want = len < READ_BYTES ? len : READ_BYTES, got = 0;
		int n = ovl_read(l->fs, id, (off_t)off, want, l->data, iov);

		if (n < 0)
			return read_error(n, err);
		for (int i = 0; i < n; i++)
			got += iov[i].iov_len;
		if (got == 0)
			return err_say(err, -EBUSY, "it became shorter while it was read");
		r = tarwrite_data(&l->tar, iov, n, err);
		off += got;
		len -= got;
	}
	return r;
}

static bool is_zero(const char *p, size_t len)
{
	return len == 0 || (*p == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/*
 * Is a granule all zero?  Bytes of the upper are looked at; those of a layer may not be touched,
 * and the layer says itself where its holes are.
 */
static int granule_is_hole(struct layer *l, uint64_t id, uint64_t off, size_t len)
{
	struct iovec iov[OVL_READ_IOV];
	int n = ovl_read(l->fs, id, (off_t)off, len, l->data, iov);

	for (int i = 0; i < n; i++) {
		const char *p = iov[i].iov_base;

		if (p < l->data || p >= l->data + READ_BYTES || !is_zero(p, iov[i].iov_len))
			return 0;
	}
	return n < 0 ? n : 1;
}

struct map {
	struct idx_extent *v;
	size_t n, room;
	uint64_t n_hole; /* bytes */
};

static int map_add(struct map *m, uint64_t off, uint64_t len)
{
	struct idx_extent *last = m->n ? &m->v[m->n - 1] : NULL;

	if (last && last->file_off + last->len == off) {
		last->len += len;
		return 0;
	}
	if (m->n == m->room) {
		size_t room = m->room ? m->room * 2 : 16;
		struct idx_extent *v = reallocarray(m->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		m->v = v;
		m->room = room;
	}
	m->v[m->n++] = (struct idx_extent){ .file_off = off, .len = len };
	return 0;
}

/* Where a big file has data, in whole granules. */
static int find_map(struct layer *l, uint64_t id, uint64_t size, struct map *ret)
{
	int r = 0;

	for (uint64_t off = 0, len; r >= 0 && off < size; off += len) {
		off_t data = ovl_lseek(l->fs, id, (off_t)off, SEEK_DATA);

		len = size - off < GRANULE_BYTES ? size - off : GRANULE_BYTES;
		if (data == -ENXIO)
			data = (off_t)size;
		if (data < 0)
			return (int)data;
		if ((uint64_t)data >= off + len) {
			/* On to the granule that the data is in. */
			len = (uint64_t)data >= size
				      ? size - off
				      : (uint64_t)data / GRANULE_BYTES * GRANULE_BYTES - off;
			ret->n_hole += len;
			continue;
		}
		r = granule_is_hole(l, id, off, len);
		if (r > 0)
			ret->n_hole += len;
		else if (r == 0)
			r = map_add(ret, off, len);
	}
	return r < 0 ? r : 0;
}

static int put_file(struct layer *l, struct tarwrite_member *m, uint64_t id, struct err *err)
{
	struct map map = { 0 };
	int r = 0;

	if (m->size >= MIN_HOLE_BYTES) {
		r = find_map(l, id, m->size, &map);
		if (r < 0) {
			free(map.v);
			return read_error(r, err);
		}
	}
	if (map.n_hole < MIN_HOLE_BYTES || map.n > LIMIT_IDX_EXTENTS_FILE) {
		r = tarwrite_member(&l->tar, m, err);
		if (r == 0)
			r = put_data(l, id, 0, m->size, err);
	} else {
		m->is_sparse = true;
		m->map = map.v;
		m->n_map = map.n;
		r = tarwrite_member(&l->tar, m, err);
		for (size_t i = 0; r == 0 && i < map.n; i++)
			r = put_data(l, id, map.v[i].file_off, map.v[i].len, err);
	}
	free(map.v);
	return r == 0 ? tarwrite_pad(&l->tar, err) : r;
}

/* ---- members ---- */

struct xattrs {
	char *names;
	struct tarwrite_xattr *v;
	size_t n;
};

static void xattrs_done(struct xattrs *x)
{
	for (size_t i = 0; i < x->n; i++)
		free((void *)(uintptr_t)x->v[i].value);
	free(x->v);
	free(x->names);
}

static int read_xattrs(struct layer *l, uint64_t id, struct xattrs *ret)
{
	ssize_t len = ovl_listxattr(l->fs, id, NULL, 0);

	if (len <= 0)
		return len == -EOPNOTSUPP ? 0 : (int)len;
	ret->names = malloc((size_t)len);
	ret->v = calloc((size_t)len, sizeof(*ret->v));
	if (!ret->names || !ret->v)
		return -ENOMEM;
	len = ovl_listxattr(l->fs, id, ret->names, (size_t)len);
	if (len < 0)
		return (int)len;
	for (const char *n = ret->names; n < ret->names + len; n += strlen(n) + 1) {
		ssize_t size = ovl_getxattr(l->fs, id, n, NULL, 0);
		char *value = size < 0 ? NULL : malloc((size_t)size + 1);

		if (!value)
			return size < 0 ? (int)size : -ENOMEM;
		ret->v[ret->n] = (struct tarwrite_xattr){ n, value, 0 };
		size = ovl_getxattr(l->fs, id, n, value, (size_t)size);
		ret->v[ret->n++].len = size < 0 ? 0 : (size_t)size;
		if (size < 0)
			return (int)size;
	}
	return 0;
}

static void fill_member(
	const struct layer *l, const struct tree_change *c, struct tarwrite_member *ret)
{
	const struct layer_diff_options *o = l->opts;

	*ret = (struct tarwrite_member){
		.path = *c->path ? c->path : ".",
		.mode = c->st.st_mode,
		.uid = c->st.st_uid,
		.gid = c->st.st_gid,
		.mtime_sec = c->st.st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)c->st.st_mtim.tv_nsec,
		.dev_major = major(c->st.st_rdev),
		.dev_minor = minor(c->st.st_rdev),
		.size = S_ISREG(c->st.st_mode) ? (uint64_t)c->st.st_size : 0,
	};
	if (l->view->own_is_root && ret->uid == l->view->uid)
		ret->uid = 0;
	if (l->view->own_is_root && ret->gid == l->view->gid)
		ret->gid = 0;
	if (o->has_epoch && ret->mtime_sec >= o->epoch) {
		ret->mtime_sec = o->epoch;
		ret->mtime_nsec = 0;
	}
}

/* Return: the first name if the tar has the inode already; NULL if this is the first one. */
static int first_name(
	struct layer *l, const struct tree_change *c, const char **ret, struct err *err)
{
	struct first_name *f, **there;
	size_t len = strlen(c->path) + 1;

	*ret = NULL;
	if (S_ISDIR(c->st.st_mode) || c->st.st_nlink < 2)
		return 0;
	f = malloc(sizeof(*f) + len);
	if (!f)
		return err_set(err, -ENOMEM, "cannot make the layer");
	f->id = c->id;
	memcpy(f->path, c->path, len);
	there = tsearch(f, &l->links, compare_ids);
	if (!there || *there != f) {
		free(f);
		if (!there)
			return err_set(err, -ENOMEM, "cannot make the layer");
		*ret = (*there)->path;
	}
	return 0;
}

static int put_present(struct layer *l, const struct tree_change *c, struct err *err)
{
	auto_free char *target = NULL;
	struct tarwrite_member m;
	struct xattrs x = { 0 };
	const char *first;
	int r = first_name(l, c, &first, err);

	if (r < 0)
		return r;
	fill_member(l, c, &m);
	m.link = first;
	m.is_hardlink = first;
	if (first)
		return tarwrite_member(&l->tar, &m, err);
	if (S_ISLNK(m.mode)) {
		r = ovl_readlink(l->fs, c->id, &target);
		m.link = target;
	}
	if (r == 0)
		r = read_xattrs(l, c->id, &x);
	if (r < 0) {
		r = read_error(r, err);
	} else {
		m.xattrs = x.v;
		m.n_xattrs = x.n;
		r = S_ISREG(m.mode) ? put_file(l, &m, c->id, err)
				    : tarwrite_member(&l->tar, &m, err);
	}
	xattrs_done(&x);
	return r;
}

/* An empty file whose name says what is hidden; the same bytes whoever deleted it, and when. */
static int put_mark(struct layer *l, const char *path, size_t dir_len, const char *prefix,
	const char *name, struct err *err)
{
	auto_free char *full =
		str_format("%.*s%s%s%s", (int)dir_len, path, dir_len ? "/" : "", prefix, name);
	const struct tarwrite_member m = { .path = full, .mode = S_IFREG };

	if (!full)
		return err_set(err, -ENOMEM, "cannot make the layer");
	if (strlen(prefix) + strlen(name) > LIMIT_NAME_BYTES)
		return err_say(err, -EINVAL,
			"a layer cannot say that it is deleted: its name is too long");
	l->stats.n_members++;
	return tarwrite_member(&l->tar, &m, err);
}

static int put_change(struct layer *l, const struct tree_change *c, struct err *err)
{
	const char *slash = strrchr(c->path, '/'), *name = slash ? slash + 1 : c->path;
	int r;

	if (c->kind == TREE_DELETED)
		return put_mark(l, c->path, slash ? (size_t)(slash - c->path) : 0, WHITEOUT_PREFIX,
			name, err);
	if (str_starts(name, WHITEOUT_PREFIX))
		return err_say(
			err, -EINVAL, "a layer cannot hold it: such a name means a deletion");
	if (S_ISSOCK(c->st.st_mode)) {
		l->stats.n_sockets++;
		return 0;
	}
	l->stats.n_members++;
	r = put_present(l, c, err);
	if (r == 0 && c->kind == TREE_REPLACED)
		r = put_mark(l, c->path, strlen(c->path), "", OPAQUE_NAME, err);
	return r;
}

static int on_change(void *ctx, const struct tree_change *c, struct err *err)
{
	int r = put_change(ctx, c, err);
	auto_free char *shown = r < 0 ? str_quote(c->path, strlen(c->path)) : NULL;

	return r < 0 ? err_wrap(err, r, "'/%s'", shown ? shown : c->path) : 0;
}

static int layer_init(struct layer *l, const struct upper_view *v, int fd,
	const struct layer_diff_options *opts, struct err *err)
{
	*l = (struct layer){ .fs = v->fs, .view = v, .opts = opts, .tar = { .fd = fd } };
	l->data = malloc(READ_BYTES);
	return l->data ? 0 : err_set(err, -ENOMEM, "cannot make the layer");
}

static int layer_end(struct layer *l, int r, struct layer_diff_stats *ret, struct err *err)
{
	if (r == 0)
		r = tarwrite_end(&l->tar, err);
	if (r == 0)
		*ret = l->stats;
	tarwrite_done(&l->tar);
	tdestroy(l->links, free);
	free(l->data);
	return r;
}

int layer_diff_write(const struct upper_view *v, int fd, const struct layer_diff_options *opts,
	struct layer_diff_stats *ret, struct err *err)
{
	struct layer l;
	int r = layer_init(&l, v, fd, opts, err);

	if (r == 0)
		r = tree_diff(v->fs, v->lower, on_change, &l, err);
	return layer_end(&l, r, ret, err);
}

int layer_export_write(const struct upper_view *v, int fd, const struct layer_diff_options *opts,
	struct layer_diff_stats *ret, struct err *err)
{
	struct layer l;
	int r = layer_init(&l, v, fd, opts, err);

	if (r == 0)
		r = tree_list(v->fs, on_change, &l, err);
	return layer_end(&l, r, ret, err);
}
