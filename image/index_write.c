/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of layers: each member of the tar becomes a row, or is refused, or is skipped
 *
 *      tarstream ─▶ name: entry, whiteout, opaque mark, bookkeeping ─▶ row ─▶ idx_build ─▶ file
 *
 * Invariants: - layer.tar holds the bytes of the source, all of them, in order
 *             - a row's extents lie within the tar, since the tar was read up to their end
 *             - on an error no file is left behind
 *             - the same tar gives the same index
 * Spec:       doc/on-disk.md, "layer.idx: MEMBERS" and "What a writer refuses"
 */
#include "image/layer_write.h"

#include "base/fd.h"
#include "base/str.h"
#include "image/layer_name.h"
#include "image/tarnum.h"
#include "image/tarstream.h"
#include "image/tee_source.h"
#include "overlay/index_build.h"
#include "overlay/xattrs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct writer {
	struct idx_build *build;
	struct layer_stats *stats;
	uint32_t max_members;
	struct buf path, link; /* cleaned; of the member at hand */
	struct idx_xattr *xattrs; /* scratch */
	size_t xattrs_room;
};

static void cleanup_tee(struct tee **t)
{
	tee_free(*t);
}

static void cleanup_tarstream(struct tarstream **ts)
{
	tarstream_free(*ts);
}

static void writer_done(struct writer *w)
{
	idx_build_free(w->build);
	buf_done(&w->path);
	buf_done(&w->link);
	free(w->xattrs);
}

static int refuse(const struct tarhead *h, const char *why, struct err *err)
{
	auto_free char *name = layer_name_quote(h->path.data ? h->path.data : "", h->path.len);

	return err_say(err, -EBADMSG, "'%s': %s", name ? name : "?", why);
}

static int no_room(int r, struct err *err)
{
	return err_set(err, r, "cannot index the layer");
}

/* ---- attributes ---- */

/* The name that a program without privileges keeps owners under; it means nothing in an image. */
static bool is_stripped(const char *name, size_t len)
{
	static const char rootless[] = "user.rootlesscontainers";

	return xattr_is_private(name, len) ||
	       (len == sizeof(rootless) - 1 && memcmp(name, rootless, len) == 0);
}

static int cmp_names(const struct idx_xattr *a, const struct idx_xattr *b)
{
	size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int c = memcmp(a->name, b->name, n);

	return c ? c : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* By name, and the later record first: names lie in one buffer in the order of the records. */
static int cmp_records(const void *va, const void *vb)
{
	const struct idx_xattr *a = va, *b = vb;
	int c = cmp_names(a, b);

	return c ? c : (a->name < b->name) - (a->name > b->name);
}

/* The last record of each name, without what overlay filesystems would act upon. */
static int collect_xattrs(struct writer *w, const struct tarpax *x, size_t *ret_n, struct err *err)
{
	size_t n = 0, kept = 0;

	if (x->n_xattrs > w->xattrs_room) {
		struct idx_xattr *v = reallocarray(w->xattrs, x->n_xattrs, sizeof(*v));

		if (!v)
			return no_room(-ENOMEM, err);
		w->xattrs = v;
		w->xattrs_room = x->n_xattrs;
	}
	for (size_t i = 0; i < x->n_xattrs; i++) {
		const struct tarpax_xattr *a = &x->xattrs[i];
		const char *name = x->bytes.data + a->name;

		if (is_stripped(name, a->name_len)) {
			w->stats->n_stripped_xattrs++;
			continue;
		}
		if (a->name_len > LIMIT_IDX_XATTR_NAME || a->value_len > LIMIT_IDX_XATTR_VALUE)
			return -E2BIG;
		w->xattrs[n++] = (struct idx_xattr){ .name = name,
			.name_len = (uint16_t)a->name_len,
			.value = x->bytes.data + a->value,
			.value_len = (uint32_t)a->value_len };
	}
	if (n > 1)
		qsort(w->xattrs, n, sizeof(*w->xattrs), cmp_records);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || cmp_names(&w->xattrs[i - 1], &w->xattrs[i]) != 0)
			w->xattrs[kept++] = w->xattrs[i];
	*ret_n = kept;
	return 0;
}

static int add_xattrs(struct writer *w, const struct tarhead *h, uint32_t *ret, struct err *err)
{
	size_t n = 0;
	int r;

	if (h->pax.n_xattrs == 0)
		return 0;
	r = collect_xattrs(w, &h->pax, &n, err);
	if (r == 0)
		r = idx_build_xattrs(w->build, w->xattrs, n, ret);
	if (r == -E2BIG)
		return refuse(h, "extended attributes above the limits", err);
	if (r == -EINVAL)
		return refuse(h, "extended attribute with a malformed name", err);
	return r < 0 ? no_room(r, err) : 0;
}

/* ---- content ---- */

static int add_content(
	struct writer *w, const struct tar_member *tm, struct idx_member *m, struct err *err)
{
	const struct tarmap *map = &tm->head->map;
	uint64_t off = 0;

	m->size = tm->head->size;
	if (m->size > LIMIT_IDX_FILE_SIZE)
		return refuse(tm->head, "file that is too large", err);
	/* One piece that is the whole file is no sparse file. */
	if (!tm->head->is_sparse || (map->n == 1 && map->v[0].len == m->size)) {
		m->data = m->size ? tm->data_off : 0;
		return 0;
	}
	for (size_t i = 0; i < map->n; i++) {
		struct idx_extent e = map->v[i];
		uint64_t at;
		int r;

		e.tar_off += tm->data_off;
		r = idx_build_add(w->build, IDX_SEC_EXTENTS, &e, sizeof(e), &at);
		if (r < 0)
			return no_room(r, err);
		if (i == 0)
			off = at / sizeof(e);
	}
	m->data = off;
	m->n_extents = (uint32_t)map->n;
	return 0;
}

/* ---- rows ---- */

static int add_string(struct writer *w, const struct buf *s, uint32_t *ret_off, uint32_t *ret_len,
	struct err *err)
{
	uint64_t off;
	int r = idx_build_add(w->build, IDX_SEC_STRINGS, s->data, s->len, &off);

	if (r < 0)
		return no_room(r, err);
	*ret_off = (uint32_t)off;
	*ret_len = (uint32_t)s->len;
	return 0;
}

static void set_time(const struct tarhead *h, struct idx_member *m)
{
	m->mtime_sec = h->mtime_sec;
	m->mtime_nsec = h->mtime_nsec;
	if (h->mtime_sec >= LIMIT_IDX_TIME || h->mtime_sec < -LIMIT_IDX_TIME) {
		m->mtime_sec = h->mtime_sec < 0 ? -LIMIT_IDX_TIME : LIMIT_IDX_TIME;
		m->mtime_nsec = 0;
	}
}

static int set_owner(const struct tarhead *h, struct idx_member *m, struct err *err)
{
	if (h->uid > LIMIT_IDX_ID || h->gid > LIMIT_IDX_ID)
		return refuse(h, "owner above 2147483647", err);
	m->uid = (uint32_t)h->uid;
	m->gid = (uint32_t)h->gid;
	return 0;
}

static int set_hard_link(
	struct writer *w, const struct tarhead *h, struct idx_member *m, struct err *err)
{
	const char *why = NULL;
	int r = layer_path_clean(h->link.data ? h->link.data : "", h->link.len, &w->link, &why);

	if (r == -EBADMSG)
		return refuse(h, "hard link to a name that cannot be", err);
	if (r < 0)
		return no_room(r, err);
	if (w->link.len == 0 || w->path.len == 0)
		return refuse(h, "hard link to the root", err);
	m->kind = IDX_MEMBER_HARDLINK;
	return add_string(w, &w->link, &m->link, &m->link_len, err);
}

static int set_symlink(
	struct writer *w, const struct tarhead *h, struct idx_member *m, struct err *err)
{
	if (h->link.len == 0 || h->link.len > LIMIT_IDX_LINK_BYTES)
		return refuse(h, "symlink whose target is empty or too long", err);
	return add_string(w, &h->link, &m->link, &m->link_len, err);
}

static int set_entry(
	struct writer *w, const struct tar_member *tm, struct idx_member *m, struct err *err)
{
	static const uint32_t types[] = { ['0'] = S_IFREG,
		['2'] = S_IFLNK,
		['3'] = S_IFCHR,
		['4'] = S_IFBLK,
		['5'] = S_IFDIR,
		['6'] = S_IFIFO };
	const struct tarhead *h = tm->head;
	int r;

	if (h->type == '1')
		return set_hard_link(w, h, m, err);
	m->mode = types[(unsigned char)h->type] | h->mode;
	if (w->path.len == 0 && !S_ISDIR(m->mode))
		return refuse(h, "root that is not a directory", err);
	r = set_owner(h, m, err);
	if (r == 0)
		r = add_xattrs(w, h, &m->xattrs, err);
	if (r < 0)
		return r;
	if (S_ISREG(m->mode))
		return add_content(w, tm, m, err);
	if (S_ISLNK(m->mode))
		return set_symlink(w, h, m, err);
	if (S_ISCHR(m->mode) || S_ISBLK(m->mode))
		m->data = h->dev_major << 32 | h->dev_minor;
	return 0;
}

static int add_member(struct writer *w, const struct tar_member *tm, struct err *err)
{
	const struct tarhead *h = tm->head;
	struct idx_member m = { .kind = IDX_MEMBER_ENTRY, .hdr_off = tm->hdr_off };
	const char *why = NULL;
	int kind = layer_name_read(h->path.data ? h->path.data : "", h->path.len, &w->path, &why);
	int r = 0;

	if (kind == -EBADMSG)
		return refuse(h, why, err);
	if (kind < 0)
		return no_room(kind, err);
	if (kind == WH_META)
		return 0;
	if (w->stats->n_members >= w->max_members)
		return err_say(err, -EFBIG, "more than %u members", w->max_members);
	set_time(h, &m);
	if (kind == WH_DELETED)
		m.kind = IDX_MEMBER_WHITEOUT;
	else if (kind == WH_OPAQUE)
		m.kind = IDX_MEMBER_OPAQUE;
	else
		r = set_entry(w, tm, &m, err);
	if (r == 0)
		r = add_string(w, &w->path, &m.path, &m.path_len, err);
	if (r < 0)
		return r;
	r = idx_build_add(w->build, IDX_SEC_MEMBERS, &m, sizeof(m), NULL);
	if (r < 0)
		return no_room(r, err);
	w->stats->n_members++;
	return 0;
}

static int add_members(struct writer *w, struct source *src, struct err *err)
{
	__attribute__((cleanup(cleanup_tarstream))) struct tarstream *ts = NULL;
	struct tar_member tm;
	int r = tarstream_new(&ts, src);

	if (r < 0)
		return no_room(r, err);
	while ((r = tarstream_next(ts, &tm, err)) == 1) {
		r = add_member(w, &tm, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- files ---- */

/* Both ways in: the bytes go through the tee, the rows into the empty file @idx_fd. */
static int index_stream(struct source *src, const struct tee_opts *opts, uint32_t max_members,
	int idx_fd, struct layer_stats *ret, struct err *err)
{
	__attribute__((cleanup(cleanup_tee))) struct tee *tee = NULL;
	__attribute__((cleanup(writer_done))) struct writer w = { .max_members = max_members };
	struct layer_stats stats = { 0 };
	int r;

	w.stats = &stats;
	r = idx_build_new(&w.build, IDX_KIND_LAYER);
	if (r < 0)
		return no_room(r, err);
	r = tee_new(&tee, src, opts, err);
	if (r < 0)
		return r;
	r = add_members(&w, tee_source(tee), err);
	if (r < 0)
		return r;
	r = tee_finish(tee, &stats.diff_id, &stats.tar_bytes, err);
	if (r < 0)
		return r;
	r = idx_build_write(w.build, &stats.diff_id, stats.tar_bytes, idx_fd, err);
	if (r == 0)
		*ret = stats;
	return r;
}

static int make_file(int dirfd, const char *name, struct err *err)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? err_set(err, -errno, "cannot make '%s'", name) : fd;
}

int layer_write(struct source *src, int dirfd, const struct layer_limits *limits,
	struct layer_stats *ret, struct err *err)
{
	static const struct layer_limits none;
	const struct layer_limits *l = limits ? limits : &none;
	struct tee_opts opts = { .alg = l->alg ? l->alg : IDX_SHA256,
		.max_bytes = l->max_tar_bytes ? l->max_tar_bytes : LIMIT_LAYER_TAR_BYTES };
	auto_fd tar_fd = make_file(dirfd, "layer.tar", err), idx_fd = -1;
	int r;

	if (tar_fd < 0)
		return tar_fd;
	opts.fd = tar_fd;
	r = idx_fd = make_file(dirfd, "layer.idx", err);
	if (r >= 0) {
		r = index_stream(src, &opts, l->max_members ? l->max_members : LIMIT_LAYER_MEMBERS,
			idx_fd, ret, err);
		if (r < 0)
			(void)unlinkat(dirfd, "layer.idx", 0);
	}
	if (r < 0)
		(void)unlinkat(dirfd, "layer.tar", 0);
	return r;
}

/* ---- a tar that is there already ---- */

#define READ_BYTES (256 * 1024)

struct file_source {
	struct source base;
	int fd;
	off_t at;
	uint8_t data[READ_BYTES];
};

static int file_next(struct source *s, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	struct file_source *f = (struct file_source *)s;
	ssize_t n;

	do
		n = pread(f->fd, f->data, sizeof(f->data), f->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, -errno, "cannot read 'layer.tar'");
	if (n == 0)
		return 0;
	f->at += n;
	*ret_data = f->data;
	*ret_len = (size_t)n;
	return 1;
}

int layer_index(int tar_fd, int idx_fd, uint16_t alg, struct layer_stats *ret, struct err *err)
{
	auto_free struct file_source *f = calloc(1, sizeof(*f));
	struct tee_opts opts = { .alg = alg, .max_bytes = LIMIT_LAYER_TAR_BYTES, .fd = -1 };

	if (!f)
		return no_room(-ENOMEM, err);
	f->base.next = file_next;
	f->fd = tar_fd;
	return index_stream(&f->base, &opts, LIMIT_LAYER_MEMBERS, idx_fd, ret, err);
}

int layer_reindex(int tar_fd, int dirfd, uint16_t alg, struct layer_stats *ret, struct err *err)
{
	auto_fd fd = make_file(dirfd, "layer.idx.new", err);
	int r;

	if (fd < 0)
		return fd;
	r = layer_index(tar_fd, fd, alg, ret, err);
	if (r < 0)
		(void)unlinkat(dirfd, "layer.idx.new", 0);
	return r;
}
