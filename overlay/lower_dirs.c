/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lower of plain directories: its operations (how it works is said in dirs_internal.h)
 *
 * System calls per entry that is met for the first time: in a listing one fstatat(2); for a lookup
 * in a directory that was not listed one, and two for each layer above that does not have it.
 */
#include "overlay/lower_dirs.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "overlay/dirs_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define LIMIT_TARGET_BYTES 4096
#define PROBES_BEFORE_LIST 32 /* system calls for names of a merged directory, at most */

static int check_handle(const struct lower_dirs *d, uint64_t handle)
{
	return handle < __atomic_load_n(&d->n_recs, __ATOMIC_ACQUIRE) ? 0 : -EBADMSG;
}

static bool is_fresh(const struct lower_dirs *d)
{
	return d->flags & LOWER_DIRS_FRESH;
}

static void fill_entry(
	const struct lower_dirs *d, const struct dirs_name *n, struct lower_entry *ret)
{
	*ret = (struct lower_entry){ .name = n->name,
		.len = n->len,
		.handle = n->handle,
		.off = n->off,
		.type = IFTODT(dirs_rec(d, n->handle)->attr.mode) };
}

/* The record of an entry that stands in the @i-th part of a directory. */
static int enter_at(struct lower_dirs *d, uint32_t handle, const struct dirs_dir *dir,
	const struct dirs_entry *e, const char *name, const struct dirs_name **ret)
{
	const struct dirs_elem *elem = &dir->v[e->elem];
	struct dirs_found f;
	struct fd_ref ref;
	bool whiteout;
	int r = dirs_open_elem(d, handle, e->elem, &ref);

	if (r < 0)
		return r;
	r = dirs_stat(d, elem->layer, ref.fd, name, elem->marks, &f, &whiteout);
	fdc_release(d->fds, &ref);
	if (r == 0 && whiteout)
		r = -ENOENT; /* the layer changed */
	if (r < 0)
		return r;
	f.only = !(e->flags & DIRS_ENTRY_MORE);
	return dirs_enter(d, handle, e->off, name, e->len, &f, ret);
}

/* Look a name up in one layer after the other. */
static int probe(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir, uint64_t off,
	const char *name, size_t len, const struct dirs_name **ret)
{
	for (uint32_t i = 0; i < dir->n; i++) {
		struct dirs_found f;
		struct fd_ref ref;
		bool whiteout;
		int r = dirs_open_elem(d, handle, i, &ref);

		if (r < 0)
			return r;
		r = dirs_stat(d, dir->v[i].layer, ref.fd, name, dir->v[i].marks, &f, &whiteout);
		if (r == -ENOENT && i + 1 < dir->n) {
			int hidden = dirs_is_hidden(ref.fd, name, len);

			fdc_release(d->fds, &ref);
			if (hidden != 0)
				return hidden < 0 ? hidden : -ENOENT;
			(void)__atomic_add_fetch(&dir->n_probes, 2, __ATOMIC_RELAXED);
			continue;
		}
		fdc_release(d->fds, &ref);
		if (r < 0)
			return r;
		if (whiteout)
			return -ENOENT;
		f.only = i + 1 == dir->n;
		return dirs_enter(d, handle, off, name, len, &f, ret);
	}
	return -ENOENT;
}

/* The entry of a listing with this name; collisions stand one behind the other. */
static const struct dirs_entry *find_listed(
	const struct dirs_listing *list, uint64_t off, const char *name, size_t len)
{
	const struct dirs_entry *e = dirs_listing_find(list, off), *end = list->v + list->n;

	for (; e && e < end && e->off == off; e++, off++)
		if (e->len == len && memcmp(list->names + e->name_at, name, len) == 0)
			return e;
	return NULL;
}

/* Names that begin so are how deletions are spelled. */
static bool is_reserved(const char *name, size_t len)
{
	return len >= 4 && memcmp(name, ".wh.", 4) == 0;
}

static int dirs_lookup(
	struct lower *l, uint64_t dir_handle, const char *name, size_t len, struct lower_entry *ret)
{
	struct lower_dirs *d = dirs_of(l);
	uint32_t handle = (uint32_t)dir_handle;
	uint64_t off = dirs_off(d, name, len);
	const struct dirs_listing *list;
	const struct dirs_name *n = NULL;
	struct dirs_dir *dir;
	int r = check_handle(d, dir_handle);

	if (r == 0 && (len > NAME_MAX || is_reserved(name, len)))
		r = -ENOENT;
	if (r == 0 && !is_fresh(d))
		n = dirs_known(d, handle, off, name, len);
	if (r == 0 && !n) {
		r = dirs_look_into(d, handle, &dir);
		if (r < 0)
			return r;
		list = __atomic_load_n(&dir->list, __ATOMIC_ACQUIRE);
		if (!list && !is_fresh(d) && dir->n > 1 &&
			__atomic_load_n(&dir->n_probes, __ATOMIC_RELAXED) > PROBES_BEFORE_LIST)
			r = dirs_list(d, handle, dir, &list);
		if (r == 0 && list && !is_fresh(d)) {
			const struct dirs_entry *e = find_listed(list, off, name, len);

			r = e ? enter_at(d, handle, dir, e, list->names + e->name_at, &n) : -ENOENT;
		} else if (r == 0) {
			char copy[NAME_MAX + 1];

			memcpy(copy, name, len);
			copy[len] = '\0';
			r = probe(d, handle, dir, off, copy, len, &n);
		}
	}
	if (r == 0)
		fill_entry(d, n, ret);
	return r;
}

static int list_from(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir, uint64_t ordinal,
	const struct dirs_name **ret)
{
	const struct dirs_listing *list;
	const struct dirs_entry *e, *end;
	int r;

	if (is_fresh(d) && ordinal == 0)
		r = dirs_list_again(d, handle, dir, &list);
	else
		r = dirs_list(d, handle, dir, &list);
	if (r < 0)
		return r;
	end = list->v + list->n;
	for (e = dirs_listing_find(list, ordinal); e && e < end; e++) {
		const char *name = list->names + e->name_at;

		*ret = is_fresh(d) ? NULL : dirs_known(d, handle, e->off, name, e->len);
		if (*ret)
			return 0;
		r = enter_at(d, handle, dir, e, name, ret);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static int dirs_list_op(
	struct lower *l, uint64_t dir_handle, uint64_t ordinal, struct lower_entry *ret)
{
	struct lower_dirs *d = dirs_of(l);
	uint32_t handle = (uint32_t)dir_handle;
	const struct dirs_name *n;
	struct dirs_dir *dir;
	int r = check_handle(d, dir_handle);

	if (r < 0)
		return r;
	/* A place that is known needs no listing. */
	n = dirs_known(d, handle, ordinal, NULL, 0);
	if (!n) {
		r = dirs_look_into(d, handle, &dir);
		if (r == 0)
			r = list_from(d, handle, dir, ordinal, &n);
		if (r < 0)
			return r;
	}
	fill_entry(d, n, ret);
	return 0;
}

/* In layers that somebody changes: look again, by a name that still leads to the same inode. */
static void refresh(struct lower_dirs *d, uint32_t handle)
{
	struct dirs_rec *rec = dirs_rec(d, handle);
	const struct dirs_name *name = __atomic_load_n(&rec->names, __ATOMIC_ACQUIRE);

	for (; name; name = name->next) {
		struct dirs_found f;
		struct fd_ref home;
		bool whiteout;
		int r = dirs_open_home(d, rec, name, &home);

		if (r < 0)
			continue;
		r = dirs_stat(d, rec->layer, home.fd, name->name, 0, &f, &whiteout);
		fdc_release(d->fds, &home);
		if (r < 0 || f.fs != rec->fs || f.fs_ino != rec->fs_ino ||
			((f.attr.mode ^ rec->attr.mode) & S_IFMT))
			continue;
		pthread_mutex_lock(&d->lock);
		rec->attr = f.attr;
		pthread_mutex_unlock(&d->lock);
		return;
	}
}

/* Links of a merged directory: 1, as kernel overlayfs says, or what its listing tells. */
static uint32_t count_links(struct lower_dirs *d, uint32_t handle, uint32_t nlink)
{
	const struct dirs_listing *list;
	struct dirs_dir *dir;
	int r;

	if (!(d->flags & LOWER_DIRS_COUNT))
		return d->n_layers > 1 ? 1 : nlink;
	r = dirs_look_into(d, handle, &dir);
	if (r == 0 && is_fresh(d))
		r = dirs_list_again(d, handle, dir, &list);
	else if (r == 0)
		r = dirs_list(d, handle, dir, &list);
	return r < 0 ? 1 : 2 + list->n_dirs;
}

static int dirs_attr_op(struct lower *l, uint64_t handle, struct lower_attr *ret)
{
	struct lower_dirs *d = dirs_of(l);
	const struct dirs_rec *rec;
	struct dirs_attr a;
	int r = check_handle(d, handle);

	if (r < 0)
		return r;
	rec = dirs_rec(d, (uint32_t)handle);
	if (is_fresh(d) && handle != 0)
		refresh(d, (uint32_t)handle);
	pthread_mutex_lock(&d->lock);
	a = rec->attr;
	pthread_mutex_unlock(&d->lock);
	if (S_ISDIR(a.mode))
		a.nlink = count_links(d, (uint32_t)handle, a.nlink);
	*ret = (struct lower_attr){ .ino = rec->ino,
		.size = a.size,
		.n_bytes = a.blocks * 512,
		.mtime_sec = a.mtime_sec,
		.mtime_nsec = a.mtime_nsec,
		.mode = a.mode,
		.uid = a.uid,
		.gid = a.gid,
		.nlink = a.nlink,
		.rdev_major = a.major,
		.rdev_minor = a.minor };
	return 0;
}

/* ---- what is behind a name ---- */

static int read_target(struct lower_dirs *d, const struct dirs_rec *rec, char *text)
{
	struct fd_ref home;
	ssize_t len;
	int fd, r = dirs_open_home(d, rec, rec->names, &home);

	if (r < 0)
		return r;
	len = readlinkat(home.fd, rec->names->name, text, LIMIT_TARGET_BYTES);
	r = len < 0 ? -errno : 0;
	/* A regular file may stand for a symlink: its override says so. */
	if (r == -EINVAL) {
		fd = at_open_here(home.fd, rec->names->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		len = fd < 0 ? -1 : pread(fd, text, LIMIT_TARGET_BYTES, 0);
		r = fd < 0 ? fd : len < 0 ? -errno : 0;
		if (fd >= 0)
			(void)close(fd);
	}
	fdc_release(d->fds, &home);
	if (r == 0)
		text[len] = '\0';
	return r;
}

static int dirs_readlink(struct lower *l, uint64_t handle, const char **ret, size_t *ret_len)
{
	struct lower_dirs *d = dirs_of(l);
	char text[LIMIT_TARGET_BYTES + 1], *none = NULL, *copy;
	struct dirs_rec *rec;
	int r = check_handle(d, handle);

	if (r < 0)
		return r;
	rec = dirs_rec(d, (uint32_t)handle);
	if (!S_ISLNK(rec->attr.mode))
		return -EINVAL;
	copy = __atomic_load_n(&rec->target, __ATOMIC_ACQUIRE);
	if (!copy) {
		r = read_target(d, rec, text);
		if (r < 0)
			return r;
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
		if (!__atomic_compare_exchange_n(
			    &rec->target, &none, copy, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			free(copy);
			copy = none;
		}
	}
	*ret = copy;
	*ret_len = strlen(copy);
	return 0;
}

/* In a sparse file, where the data or the hole at @off ends. */
static int bound_piece(int fd, uint64_t off, struct lower_piece *p)
{
	off_t data = lseek(fd, (off_t)off, SEEK_DATA), end;

	if (data < 0 && errno == ENXIO) {
		p->fd = -1; /* nothing but a hole up to the end */
		return 0;
	}
	if (data > (off_t)off) {
		p->fd = -1;
		p->len = (uint64_t)data - off;
	} else if (data == (off_t)off) {
		end = lseek(fd, (off_t)off, SEEK_HOLE);
		if (end > (off_t)off && (uint64_t)end - off < p->len)
			p->len = (uint64_t)end - off;
	}
	return 0;
}

static int dirs_map(struct lower *l, uint64_t handle, uint64_t off, struct lower_piece *ret)
{
	struct lower_dirs *d = dirs_of(l);
	struct dirs_rec *rec;
	struct fd_ref ref;
	struct stat st;
	int fd, r = check_handle(d, handle);

	if (r < 0)
		return r;
	rec = dirs_rec(d, (uint32_t)handle);
	if (!S_ISREG(rec->attr.mode))
		return -EINVAL;
	if (!fdc_get_at(d->fds, &rec->slot, &ref)) {
		fd = dirs_open_data(d, (uint32_t)handle);
		if (fd < 0)
			return fd;
		r = fdc_put_take_fd_at(d->fds, &rec->slot, fd, &ref);
		if (r < 0)
			return r;
	}
	if (fstat(ref.fd, &st) < 0)
		r = -errno;
	else if (off >= (uint64_t)st.st_size)
		r = -ENXIO;
	if (r == 0) {
		*ret = (struct lower_piece){
			.fd = ref.fd, .pos = off, .len = (uint64_t)st.st_size - off
		};
		if (st.st_blocks * 512 < st.st_size)
			r = bound_piece(ref.fd, off, ret);
	}
	if (r < 0)
		fdc_release(d->fds, &ref);
	else
		ret->pin = ref.slot;
	return r;
}

static void dirs_unmap(struct lower *l, struct lower_piece *p)
{
	struct fd_ref ref = { p->fd, p->pin };

	fdc_release(dirs_of(l)->fds, &ref);
	p->pin = NULL;
}

/* ---- extended attributes ---- */

/* A descriptor for attributes: of files and directories open, of others only located. */
static int open_for_xattrs(struct lower_dirs *d, uint64_t handle, bool *ret_located)
{
	const struct dirs_rec *rec = dirs_rec(d, (uint32_t)handle);
	struct fd_ref home;
	int fd = -EACCES, r;

	*ret_located = false;
	if (handle == 0)
		return fcntl(d->layers[0].fd, F_DUPFD_CLOEXEC, 3);
	r = dirs_open_home(d, rec, rec->names, &home);
	if (r < 0)
		return r;
	if (S_ISREG(rec->attr.mode) || S_ISDIR(rec->attr.mode))
		fd = at_open_here(home.fd, rec->names->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -EACCES) {
		*ret_located = true;
		fd = at_open_here(home.fd, rec->names->name, O_PATH | O_NOFOLLOW);
	}
	fdc_release(d->fds, &home);
	return fd;
}

/* Programs ask for ACLs and labels of each file, which most files have not. */
static bool has_no_xattrs(struct lower_dirs *d, uint64_t handle, int fd)
{
	struct dirs_rec *rec = dirs_rec(d, (uint32_t)handle);

	if (flistxattr(fd, NULL, 0) != 0)
		return false;
	__atomic_store_n(&rec->no_xattrs, true, __ATOMIC_RELAXED);
	return true;
}

static ssize_t dirs_getxattr(
	struct lower *l, uint64_t handle, const char *name, void *buf, size_t size)
{
	struct lower_dirs *d = dirs_of(l);
	bool located = false;
	char path[64];
	ssize_t n;
	int r = check_handle(d, handle);

	if (r < 0)
		return r;
	if (!is_fresh(d) &&
		__atomic_load_n(&dirs_rec(d, (uint32_t)handle)->no_xattrs, __ATOMIC_RELAXED))
		return -ENODATA;
	auto_fd fd = open_for_xattrs(d, handle, &located);
	if (fd < 0)
		return fd;
	if (!located && !is_fresh(d) && has_no_xattrs(d, handle, fd))
		return -ENODATA;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = located ? getxattr(path, name, buf, size) : fgetxattr(fd, name, buf, size);
	if (n >= 0)
		return n;
	return errno == ENOENT || errno == EOPNOTSUPP ? -ENODATA : -errno;
}

static ssize_t dirs_listxattr(struct lower *l, uint64_t handle, char *buf, size_t size)
{
	struct lower_dirs *d = dirs_of(l);
	bool located = false;
	char path[64];
	ssize_t n;
	int r = check_handle(d, handle);

	if (r < 0)
		return r;
	auto_fd fd = open_for_xattrs(d, handle, &located);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = located ? listxattr(path, buf, size) : flistxattr(fd, buf, size);
	if (n >= 0)
		return n;
	return errno == ENOENT || errno == EOPNOTSUPP ? 0 : -errno;
}

/* ---- numbers and names ---- */

static int dirs_by_ino_op(struct lower *l, uint64_t ino, uint64_t *ret_handle)
{
	return dirs_by_ino(dirs_of(l), ino, ret_handle);
}

static int dirs_name_of(struct lower *l, uint64_t handle, uint32_t i, struct lower_name *ret)
{
	struct lower_dirs *d = dirs_of(l);
	const struct dirs_name *n;
	int r = check_handle(d, handle);

	if (r < 0)
		return r;
	n = __atomic_load_n(&dirs_rec(d, (uint32_t)handle)->names, __ATOMIC_ACQUIRE);
	while (n && i-- > 0)
		n = n->next;
	if (!n)
		return -ENOENT;
	*ret = (struct lower_name){ n->dir, n->off };
	return 0;
}

static int dirs_statfs(struct lower *l, struct statvfs *ret)
{
	return fstatvfs(dirs_of(l)->layers[0].fd, ret) < 0 ? -errno : 0;
}

/* ---- opening and closing ---- */

static void dirs_close(struct lower *l)
{
	struct lower_dirs *d = dirs_of(l);

	if (!d)
		return;
	if (d->chunks)
		dirs_table_done(d);
	fdc_free(d->fds);
	for (size_t i = 0; i < d->n_layers; i++)
		(void)close(d->layers[i].fd);
	for (size_t i = 0; i < DIRS_STRIPES; i++)
		pthread_mutex_destroy(&d->stripes[i]);
	pthread_mutex_destroy(&d->lock);
	free(d->layers);
	free(d);
}

static const struct lower_ops dirs_ops = {
	.close = dirs_close,
	.lookup = dirs_lookup,
	.list = dirs_list_op,
	.attr = dirs_attr_op,
	.readlink = dirs_readlink,
	.map = dirs_map,
	.getxattr = dirs_getxattr,
	.listxattr = dirs_listxattr,
	.by_ino = dirs_by_ino_op,
	.name_of = dirs_name_of,
	.unmap = dirs_unmap,
	.statfs = dirs_statfs,
	.release = dirs_release,
	.wants_reclaim = dirs_wants_reclaim,
	.reclaim = dirs_reclaim,
};

static struct lower_dirs *new_dirs(const struct lower_dirs_opts *o)
{
	struct lower_dirs *d = calloc(1, sizeof(*d));

	if (d)
		d->layers = calloc(o->n_layers + 1, sizeof(*d->layers));
	if (!d || !d->layers) {
		free(d);
		return NULL;
	}
	d->base.ops = &dirs_ops;
	d->base.n_handles = DIRS_MAX_HANDLES;
	d->base.flags = LOWER_NAMES_PARTIAL | LOWER_KEPT_XATTRS;
	if (o->flags & LOWER_DIRS_FRESH)
		d->base.flags |= LOWER_CHANGES;
	d->flags = o->flags;
	d->n_layers = o->n_layers;
	for (size_t i = 0; i < o->n_layers; i++)
		d->layers[i].fd = o->layer_fds[i];
	for (size_t i = 0; i < DIRS_STRIPES; i++)
		pthread_mutex_init(&d->stripes[i], NULL);
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

/* From the lowest, so that a filesystem keeps its ordinal when layers are put on top. */
static int look_at_layers(struct lower_dirs *d, struct dirs_dir *root, struct err *err)
{
	for (size_t i = d->n_layers; i-- > 0;) {
		struct dirs_found f;
		bool whiteout;
		int r;

		root->v[i].marks =
			(uint8_t)dirs_read_root(d->layers[i].fd, &d->layers[i].overrides);
		root->v[i].layer = (uint16_t)i;
		r = dirs_stat(d, (uint16_t)i, d->layers[i].fd, ".", 0, &f, &whiteout);
		if (r == 0 && !S_ISDIR(f.attr.mode))
			r = -ENOTDIR;
		if (r < 0)
			return err_set(err, r, "layer %zu", i + 1);
		if (i == 0)
			dirs_rec(d, 0)->attr = f.attr;
	}
	return 0;
}

static int make_root(struct lower_dirs *d, struct err *err)
{
	struct dirs_dir *root = calloc(1, sizeof(*root));

	if (root)
		root->v = calloc(d->n_layers, sizeof(*root->v));
	if (!root || !root->v) {
		free(root);
		return err_set(err, -ENOMEM, "cannot open the layers");
	}
	root->n = (uint32_t)d->n_layers;
	dirs_rec(d, 0)->dir = root;
	return look_at_layers(d, root, err);
}

int lower_dirs_new(struct lower **ret, const struct lower_dirs_opts *o, struct err *err)
{
	struct lower_dirs *d = o->n_layers <= LIMIT_DIRS_LAYERS ? new_dirs(o) : NULL;
	int r;

	if (!d) {
		for (size_t i = 0; i < o->n_layers; i++)
			(void)close(o->layer_fds[i]);
		return err_set(err, o->n_layers > LIMIT_DIRS_LAYERS ? -E2BIG : -ENOMEM,
			"cannot open %zu layers", o->n_layers);
	}
	r = o->n_layers > 0 ? fdc_new(&d->fds, o->max_fds) : -EINVAL;
	if (r == 0)
		r = dirs_table_init(d);
	if (r < 0)
		err_set(err, r, "cannot open the layers");
	else
		r = make_root(d, err);
	if (r < 0)
		dirs_close(&d->base);
	else
		*ret = &d->base;
	return r;
}
