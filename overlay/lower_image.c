/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lower of an image
 *
 *      handle = row of the merged index ──▶ attributes, names, xattrs: from the index
 *                                      └──▶ data: (layer, offset) in the mapping of that layer.tar
 *
 * The mappings of tars are handed to system calls and never read here, so a tar that somebody
 * truncates gives EFAULT and no signal.  Two tables are derived from the index when they are first
 * asked for, and only writable mounts ask: rows sorted by permanent number, and the names of inodes
 * that have several.
 *
 * Locking: tables_lock guards the making of the tables; they are constant afterwards.
 */
#include "overlay/lower_image.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

struct tar {
	int fd; /* may be somebody's lease on the layer: kept as long as the lower */
	const uint8_t *mem; /* NULL: an empty file */
	uint64_t size;
};

struct ino_row {
	uint64_t ino;
	uint32_t row;
};

struct row_name {
	uint32_t row;
	uint32_t dir;
	uint32_t ordinal;
};

struct lower_image {
	struct lower base;
	struct idx *x;
	struct tar *tars;
	size_t n_tars;
	pthread_mutex_t tables_lock;
	struct ino_row *by_ino; /* tables_lock; n_handles rows, sorted; NULL: not made yet */
	struct row_name *names; /* tables_lock; sorted by row, dir, ordinal; NULL: not made yet */
	size_t n_names;
};

static struct lower_image *image_of(struct lower *l)
{
	return (struct lower_image *)l;
}

static void image_close(struct lower *l)
{
	struct lower_image *im = image_of(l);

	if (!im)
		return;
	for (size_t i = 0; i < im->n_tars; i++) {
		if (im->tars[i].mem)
			(void)munmap((void *)im->tars[i].mem, im->tars[i].size);
		(void)close(im->tars[i].fd);
	}
	pthread_mutex_destroy(&im->tables_lock);
	free(im->by_ino);
	free(im->names);
	free(im->tars);
	idx_close(im->x);
	free(im);
}

static int get_inode(struct lower_image *im, uint64_t handle, struct idx_inode *ret)
{
	if (handle >= im->base.n_handles)
		return -EBADMSG;
	return idx_inode(im->x, (uint32_t)handle, ret);
}

static int check_handle(const struct lower_image *im, uint64_t handle)
{
	return handle < im->base.n_handles ? 0 : -EBADMSG;
}

static void fill_entry(const struct idx_dirent *de, struct lower_entry *ret)
{
	ret->name = de->name;
	ret->len = de->len;
	ret->handle = de->inode;
	ret->off = de->ordinal;
	ret->type = de->type;
}

static int image_lookup(
	struct lower *l, uint64_t dir, const char *name, size_t len, struct lower_entry *ret)
{
	struct lower_image *im = image_of(l);
	struct idx_dirent de;
	int r = check_handle(im, dir);

	if (r == 0)
		r = idx_lookup(im->x, (uint32_t)dir, name, len, &de);
	if (r < 0)
		return r;
	fill_entry(&de, ret);
	return 0;
}

static int image_list(struct lower *l, uint64_t dir, uint64_t ordinal, struct lower_entry *ret)
{
	struct lower_image *im = image_of(l);
	struct idx_dirent de;
	int r = check_handle(im, dir);

	if (r == 0 && ordinal > UINT32_MAX)
		r = -ENOENT;
	if (r == 0)
		r = idx_entry(im->x, (uint32_t)dir, (uint32_t)ordinal, &de);
	if (r < 0)
		return r;
	fill_entry(&de, ret);
	return 0;
}

static int data_bytes(struct lower_image *im, const struct idx_inode *ino, uint64_t *ret)
{
	struct idx_extent e;
	int r;

	*ret = 0;
	if (!S_ISREG(ino->mode))
		return 0;
	if (ino->count == 0)
		*ret = ino->data ? ino->size : 0;
	for (uint32_t i = 0; i < ino->count; i++) {
		r = idx_extent(im->x, ino->data + i, &e);
		if (r < 0)
			return r;
		*ret += e.len;
	}
	return 0;
}

static int image_attr(struct lower *l, uint64_t handle, struct lower_attr *ret)
{
	struct lower_image *im = image_of(l);
	struct idx_inode ino;
	int r = get_inode(im, handle, &ino);

	if (r < 0)
		return r;
	*ret = (struct lower_attr){
		.ino = ino.ino,
		.size = ino.size,
		.mtime_sec = ino.mtime_sec,
		.mtime_nsec = ino.mtime_nsec,
		.mode = ino.mode,
		.uid = ino.uid,
		.gid = ino.gid,
		.nlink = ino.nlink,
	};
	if (S_ISCHR(ino.mode) || S_ISBLK(ino.mode)) {
		ret->rdev_major = (uint32_t)(ino.data >> 32);
		ret->rdev_minor = (uint32_t)ino.data;
	}
	return data_bytes(im, &ino, &ret->n_bytes);
}

static int image_readlink(struct lower *l, uint64_t handle, const char **ret, size_t *ret_len)
{
	struct lower_image *im = image_of(l);
	struct idx_inode ino;
	int r = get_inode(im, handle, &ino);

	if (r < 0)
		return r;
	if (!S_ISLNK(ino.mode))
		return -EINVAL;
	if (ino.data > UINT32_MAX || ino.size > LIMIT_IDX_LINK_BYTES)
		return -EBADMSG;
	*ret_len = (size_t)ino.size;
	return idx_string(im->x, (uint32_t)ino.data, (uint32_t)ino.size, ret);
}

static int image_map(struct lower *l, uint64_t handle, uint64_t off, struct lower_piece *ret)
{
	struct lower_image *im = image_of(l);
	struct idx_content content;
	struct idx_inode ino;
	uint64_t pos, len;
	int r = get_inode(im, handle, &ino);

	if (r == 0)
		r = idx_inode_content(im->x, &ino, &content);
	if (r == 0)
		r = idx_map(im->x, &content, off, &pos, &len);
	if (r < 0)
		return r;
	*ret = (struct lower_piece){ .fd = -1, .len = len };
	if (r > 0) {
		/* The size of each mapping was checked against the index's table. */
		ret->mem = im->tars[content.layer].mem + pos;
		ret->fd = im->tars[content.layer].fd;
		ret->pos = pos;
	}
	return 0;
}

static ssize_t image_getxattr(
	struct lower *l, uint64_t handle, const char *name, void *buf, size_t size)
{
	struct lower_image *im = image_of(l);
	size_t name_len = strlen(name);
	struct idx_inode ino;
	struct idx_xattr xa;
	uint64_t cursor = 0;
	int r = get_inode(im, handle, &ino);

	if (r < 0)
		return r;
	if (ino.xattrs == 0)
		return -ENODATA;
	while ((r = idx_xattr_next(im->x, ino.xattrs, &cursor, &xa)) > 0) {
		if (xa.name_len != name_len || memcmp(xa.name, name, name_len) != 0)
			continue;
		if (size == 0)
			return (ssize_t)xa.value_len;
		if (size < xa.value_len)
			return -ERANGE;
		if (xa.value_len)
			memcpy(buf, xa.value, xa.value_len);
		return (ssize_t)xa.value_len;
	}
	return r < 0 ? r : -ENODATA;
}

static ssize_t image_listxattr(struct lower *l, uint64_t handle, char *buf, size_t size)
{
	struct lower_image *im = image_of(l);
	struct idx_inode ino;
	struct idx_xattr xa;
	uint64_t cursor = 0;
	size_t len = 0;
	int r = get_inode(im, handle, &ino);

	if (r < 0)
		return r;
	if (ino.xattrs == 0)
		return 0;
	while ((r = idx_xattr_next(im->x, ino.xattrs, &cursor, &xa)) > 0) {
		if (size) {
			if (size - len < (size_t)xa.name_len + 1)
				return -ERANGE;
			memcpy(buf + len, xa.name, xa.name_len);
			buf[len + xa.name_len] = '\0';
		}
		len += (size_t)xa.name_len + 1;
	}
	return r < 0 ? r : (ssize_t)len;
}

/* ---- tables made on demand ---- */

static int compare_inos(const void *a, const void *b)
{
	const struct ino_row *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int make_by_ino(struct lower_image *im)
{
	auto_free struct ino_row *v = calloc(im->base.n_handles, sizeof(*v));
	struct idx_inode ino;

	if (!v)
		return -ENOMEM;
	for (uint32_t row = 0; row < im->base.n_handles; row++) {
		int r = idx_inode(im->x, row, &ino);

		if (r < 0)
			return r;
		v[row] = (struct ino_row){ ino.ino, row };
	}
	qsort(v, im->base.n_handles, sizeof(*v), compare_inos);
	im->by_ino = ptr_take(&v);
	return 0;
}

static int image_by_ino(struct lower *l, uint64_t ino, uint64_t *ret_handle)
{
	struct lower_image *im = image_of(l);
	const struct ino_row key = { .ino = ino };
	const struct ino_row *found;
	int r = 0;

	pthread_mutex_lock(&im->tables_lock);
	if (!im->by_ino)
		r = make_by_ino(im);
	pthread_mutex_unlock(&im->tables_lock);
	if (r < 0)
		return r;
	found = bsearch(&key, im->by_ino, im->base.n_handles, sizeof(key), compare_inos);
	if (!found)
		return -ENOENT;
	*ret_handle = found->row;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct row_name *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static int add_row_name(struct lower_image *im, size_t *room, struct row_name rn)
{
	if (im->n_names == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct row_name *v = reallocarray(im->names, more, sizeof(*v));

		if (!v)
			return -ENOMEM;
		im->names = v;
		*room = more;
	}
	im->names[im->n_names++] = rn;
	return 0;
}

static int add_dir_names(
	struct lower_image *im, uint32_t dir, const struct idx_inode *d, size_t *room)
{
	for (uint32_t i = 0; i < d->count; i++) {
		struct idx_dirent de;
		struct idx_inode ino;
		int r = idx_entry(im->x, dir, i, &de);

		if (r < 0)
			return r;
		if (de.type == DT_DIR)
			continue;
		r = idx_inode(im->x, de.inode, &ino);
		if (r == 0 && ino.nlink > 1)
			r = add_row_name(im, room, (struct row_name){ de.inode, dir, i });
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_names(struct lower_image *im)
{
	struct idx_inode d;
	size_t room = 0;
	int r = add_row_name(im, &room, (struct row_name){ IDX_NONE, 0, 0 });

	for (uint32_t row = 0; r == 0 && row < im->base.n_handles; row++) {
		r = idx_inode(im->x, row, &d);
		if (r == 0 && S_ISDIR(d.mode))
			r = add_dir_names(im, row, &d, &room);
	}
	if (r < 0) {
		free(ptr_take(&im->names));
		im->n_names = 0;
		return r;
	}
	qsort(im->names, im->n_names, sizeof(*im->names), compare_names);
	return 0;
}

/* A directory's one name: entries of its parent are sorted by permanent number. */
static int name_of_dir(
	struct lower_image *im, uint64_t row, const struct idx_inode *dir, struct lower_name *ret)
{
	struct idx_inode parent, ino;
	struct idx_dirent de;
	uint32_t lo = 0, hi;
	int r = get_inode(im, dir->parent, &parent);

	if (r < 0)
		return r;
	hi = parent.count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		r = idx_entry(im->x, dir->parent, mid, &de);
		if (r == 0)
			r = idx_inode(im->x, de.inode, &ino);
		if (r < 0)
			return r;
		if (ino.ino < dir->ino)
			lo = mid + 1;
		else
			hi = mid;
	}
	r = idx_entry(im->x, dir->parent, lo, &de);
	if (r < 0 || de.inode != row)
		return r < 0 && r != -ENOENT ? r : -EBADMSG;
	*ret = (struct lower_name){ .dir = dir->parent, .ordinal = lo };
	return 0;
}

static int image_name_of(struct lower *l, uint64_t handle, uint32_t i, struct lower_name *ret)
{
	struct lower_image *im = image_of(l);
	struct row_name key = { .row = (uint32_t)handle };
	struct idx_inode ino;
	size_t lo = 0, hi;
	int r = get_inode(im, handle, &ino);

	if (r < 0)
		return r;
	if (S_ISDIR(ino.mode))
		return i > 0 || handle == 0 ? -ENOENT : name_of_dir(im, handle, &ino, ret);
	pthread_mutex_lock(&im->tables_lock);
	if (!im->names)
		r = make_names(im);
	pthread_mutex_unlock(&im->tables_lock);
	if (r < 0)
		return r;
	hi = im->n_names;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare_names(&im->names[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (i >= im->n_names - lo || im->names[lo + i].row != handle)
		return -ENOENT;
	*ret = (struct lower_name){ im->names[lo + i].dir, im->names[lo + i].ordinal };
	return 0;
}

static const struct lower_ops image_ops = {
	.close = image_close,
	.lookup = image_lookup,
	.list = image_list,
	.attr = image_attr,
	.readlink = image_readlink,
	.map = image_map,
	.getxattr = image_getxattr,
	.listxattr = image_listxattr,
	.by_ino = image_by_ino,
	.name_of = image_name_of,
};

static int map_tar(struct lower_image *im, uint32_t row, struct err *err)
{
	struct tar *t = &im->tars[row];
	struct idx_layer layer;
	struct stat st;
	void *mem;
	int r = idx_layer(im->x, row, &layer);

	if (r < 0)
		return err_set(err, r, "layer %u of the index", row + 1);
	if (fstat(t->fd, &st) < 0)
		return err_set(err, -errno, "cannot examine the tar of layer %u", row + 1);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != layer.tar_size)
		return err_say(err, -EBADMSG, "the tar of layer %u has %llu bytes, not %llu",
			row + 1, (unsigned long long)st.st_size,
			(unsigned long long)layer.tar_size);
	t->size = layer.tar_size;
	if (t->size == 0)
		return 0;
	mem = mmap(NULL, t->size, PROT_READ, MAP_SHARED, t->fd, 0);
	if (mem == MAP_FAILED)
		return err_set(err, -errno, "cannot map the tar of layer %u", row + 1);
	t->mem = mem;
	return 0;
}

static struct lower_image *new_image(struct idx *x, const int *tar_fds, size_t n_tar_fds)
{
	struct lower_image *im = calloc(1, sizeof(*im));
	struct tar *tars = calloc(n_tar_fds + 1, sizeof(*tars));

	if (!im || !tars) {
		free(im);
		free(tars);
		return NULL;
	}
	im->x = x;
	im->base.ops = &image_ops;
	im->base.n_handles = idx_n_inodes(x);
	im->tars = tars;
	im->n_tars = n_tar_fds;
	for (size_t i = 0; i < n_tar_fds; i++)
		tars[i].fd = tar_fds[i];
	pthread_mutex_init(&im->tables_lock, NULL);
	return im;
}

int lower_image_new(
	struct lower **ret, struct idx *x, const int *tar_fds, size_t n_tar_fds, struct err *err)
{
	struct lower_image *im = new_image(x, tar_fds, n_tar_fds);
	int r = 0;

	if (!im) {
		for (size_t i = 0; i < n_tar_fds; i++)
			(void)close(tar_fds[i]);
		idx_close(x);
		return err_set(err, -ENOMEM, "cannot open an image");
	}
	if (n_tar_fds != idx_n_layers(x))
		r = err_say(err, -EBADMSG, "the index has %u layers, not %zu", idx_n_layers(x),
			n_tar_fds);
	for (size_t i = 0; r == 0 && i < n_tar_fds; i++)
		r = map_tar(im, (uint32_t)i, err);
	if (r < 0)
		image_close(&im->base);
	else
		*ret = &im->base;
	return r;
}
