/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A one-layer image made from a directory tree
 *
 * Breadth first: inodes are numbered as their directories list them, each "header" 512 bytes
 * before its content.
 */
#include "tests/tools/tree_image.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "overlay/index_build.h"
#include "overlay/inum.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct item {
	char *path; /* of the first name */
	dev_t dev;
	ino_t ino;
	struct idx_inode row;
};

struct entry {
	char name[NAME_MAX + 1];
	uint32_t row;
};

struct tree {
	struct idx_build *b;
	int root, tar;
	uint64_t tar_end;
	struct item *items;
	size_t n_items, room;
	uint32_t *by_ino; /* hash of dev and ino to item + 1 */
	size_t n_hash;
};

static uint32_t *hash_slot(struct tree *t, dev_t dev, ino_t ino)
{
	size_t at = (size_t)((ino * 0x9e3779b97f4a7c15ULL) ^ dev) & (t->n_hash - 1);

	while (t->by_ino[at] &&
		(t->items[t->by_ino[at] - 1].ino != ino || t->items[t->by_ino[at] - 1].dev != dev))
		at = (at + 1) & (t->n_hash - 1);
	return &t->by_ino[at];
}

static int copy_data(struct tree *t, int fd, struct idx_inode *row)
{
	off_t at = 0, size = (off_t)row->size;
	uint64_t first = 0;
	uint32_t n = 0;

	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA), end;
		struct idx_extent e;
		uint64_t off;
		char buf[65536];

		if (data < 0)
			break;
		end = lseek(fd, data, SEEK_HOLE);
		if (n == 0 && data == 0 && end == size) {
			row->data = t->tar_end;
		} else {
			e = (struct idx_extent){ (uint64_t)data, (uint64_t)(end - data),
				t->tar_end };
			if (idx_build_add(t->b, IDX_SEC_EXTENTS, &e, sizeof(e), &off) < 0)
				return -ENOMEM;
			if (n++ == 0)
				first = off / sizeof(e);
		}
		for (at = data; at < end;) {
			ssize_t got = pread(fd, buf,
				end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf),
				at);

			if (got <= 0 || pwrite(t->tar, buf, (size_t)got, (off_t)t->tar_end) != got)
				return -EIO;
			at += got;
			t->tar_end += (uint64_t)got;
		}
	}
	if (n) {
		row->data = first;
		row->count = n;
	}
	return 0;
}

static int add_xattrs(struct tree *t, int dirfd, const char *name, struct idx_inode *row)
{
	char path[PATH_MAX], names[65536];
	struct idx_xattr v[64];
	size_t n = 0;
	ssize_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	len = llistxattr(path, names, sizeof(names));
	for (ssize_t at = 0; at < len && n < 64; at += (ssize_t)strlen(names + at) + 1) {
		char *value = malloc(65536);
		ssize_t got = value ? lgetxattr(path, names + at, value, 65536) : -1;

		if (got < 0) {
			free(value);
			continue;
		}
		v[n++] = (struct idx_xattr){ names + at, value, (uint32_t)got,
			(uint16_t)strlen(names + at) };
	}
	r = idx_build_xattrs(t->b, v, n, &row->xattrs);
	for (size_t i = 0; i < n; i++)
		free((void *)v[i].value);
	return r;
}

static int fill_row(
	struct tree *t, int dirfd, const char *name, const struct stat *st, struct idx_inode *row)
{
	struct inum num = { .hdr_off = (t->tar_end + 511) / 512 * 512 };
	char target[PATH_MAX];
	uint64_t off;
	int r;

	*row = (struct idx_inode){ .mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.nlink = 1,
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
		.parent = IDX_NONE };
	t->tar_end = num.hdr_off + 512;
	r = inum_pack(&num, &row->ino);
	if (r == 0)
		r = add_xattrs(t, dirfd, name, row);
	if (r < 0)
		return r;
	if (S_ISREG(st->st_mode)) {
		auto_fd fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		row->size = (uint64_t)st->st_size;
		return fd < 0 ? -errno : copy_data(t, fd, row);
	}
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

		row->size = (uint64_t)n;
		r = idx_build_add(t->b, IDX_SEC_STRINGS, target, (size_t)n, &off);
		row->data = off;
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		row->data = (uint64_t)major(st->st_rdev) << 32 | minor(st->st_rdev);
	}
	return r;
}

static int add_item(struct tree *t, int dirfd, const char *dir, const char *name, uint32_t *ret)
{
	struct stat st;
	uint32_t *slot;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	slot = hash_slot(t, st.st_dev, st.st_ino);
	if (*slot) {
		*ret = *slot - 1;
		t->items[*ret].row.nlink++;
		return 0;
	}
	if (t->n_items == t->room)
		return -E2BIG;
	*ret = (uint32_t)t->n_items;
	t->items[*ret].path = *dir ? str_format("%s/%s", dir, name) : strdup(name);
	t->items[*ret].dev = st.st_dev;
	t->items[*ret].ino = st.st_ino;
	r = fill_row(t, dirfd, name, &st, &t->items[*ret].row);
	t->n_items++;
	*slot = (uint32_t)t->n_items;
	return r;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int skip_dots(const struct dirent *de)
{
	return !str_eq(de->d_name, ".") && !str_eq(de->d_name, "..");
}

static const struct tree *sorting;

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	uint64_t i = sorting->items[x->row].row.ino, j = sorting->items[y->row].row.ino;

	return i != j ? (i < j ? -1 : 1) : strcmp(x->name, y->name);
}

struct look {
	struct idx_lookup row;
	const char *name;
};

static int compare_looks(const void *a, const void *b)
{
	const struct look *x = a, *y = b;

	return x->row.hash != y->row.hash ? (x->row.hash < y->row.hash ? -1 : 1)
					  : strcmp(x->name, y->name);
}

static int write_names(struct tree *t, uint32_t dir, struct entry *v, size_t n)
{
	auto_free struct look *looks = calloc(n + 1, sizeof(*looks));
	uint64_t first = 0, off;
	int r = looks ? 0 : -ENOMEM;
	size_t have;

	(void)idx_build_bytes(t->b, IDX_SEC_NAMES, &have);
	first = have / sizeof(struct idx_name);
	t->items[dir].row.data = n ? first : 0;
	t->items[dir].row.count = (uint32_t)n;
	t->items[dir].row.nlink = 2;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct item *it = &t->items[v[i].row];
		struct idx_name row = { .inode = v[i].row,
			.len = (uint8_t)strlen(v[i].name),
			.type = (uint8_t)IFTODT(it->row.mode) };

		if (S_ISDIR(it->row.mode)) {
			it->row.parent = dir;
			t->items[dir].row.nlink++;
		}
		r = idx_build_add(t->b, IDX_SEC_STRINGS, v[i].name, row.len, &off);
		row.str = (uint32_t)off;
		if (r == 0)
			r = idx_build_add(t->b, IDX_SEC_NAMES, &row, sizeof(row), NULL);
		looks[i] =
			(struct look){ { idx_name_hash(v[i].name, row.len), (uint32_t)(first + i) },
				v[i].name };
	}
	if (r == 0)
		qsort(looks, n, sizeof(*looks), compare_looks);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = idx_build_add(t->b, IDX_SEC_LOOKUP, &looks[i].row, sizeof(looks[i].row), NULL);
	return r;
}

static int scan_dir(struct tree *t, uint32_t dir)
{
	const char *path = t->items[dir].path;
	auto_fd fd = openat(t->root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free struct entry *v = NULL;
	struct dirent **list;
	int n, r = 0;

	if (fd < 0)
		return -errno;
	n = scandirat(fd, ".", &list, skip_dots, compare_names);
	if (n < 0)
		return -errno;
	v = calloc((size_t)n + 1, sizeof(*v));
	for (int i = 0; i < n; i++) {
		if (r == 0 && v) {
			snprintf(v[i].name, sizeof(v[i].name), "%s", list[i]->d_name);
			r = add_item(t, fd, path, list[i]->d_name, &v[i].row);
		}
		free(list[i]);
	}
	free(list);
	if (r < 0 || !v)
		return v ? r : -ENOMEM;
	sorting = t;
	qsort(v, (size_t)n, sizeof(*v), compare_entries);
	return write_names(t, dir, v, (size_t)n);
}

int tree_image(int dirfd, int index_fd, int tar_fd)
{
	struct idx_digest id = { .alg = IDX_SHA256, .len = 32, .bytes = { 1 } };
	struct idx_layer layer = { .diff_id = { .alg = IDX_SHA256, .len = 32, .bytes = { 2 } } };
	struct tree t = { .root = dirfd, .tar = tar_fd, .room = 400000, .n_hash = 1 << 20 };
	struct err err = ERR_INIT;
	uint32_t row;
	int r = idx_build_new(&t.b, IDX_KIND_IMAGE);

	t.items = calloc(t.room, sizeof(*t.items));
	t.by_ino = calloc(t.n_hash, sizeof(*t.by_ino));
	if (r == 0 && t.items && t.by_ino)
		r = add_item(&t, dirfd, "", ".", &row);
	if (r == 0) {
		t.items[0].path[0] = '\0';
		t.items[0].row.ino = INUM_ROOT;
		t.items[0].row.parent = 0;
	}
	for (uint32_t i = 0; r == 0 && i < t.n_items; i++)
		if (S_ISDIR(t.items[i].row.mode))
			r = scan_dir(&t, i);
	for (size_t i = 0; r == 0 && i < t.n_items; i++)
		r = idx_build_add(
			t.b, IDX_SEC_INODES, &t.items[i].row, sizeof(struct idx_inode), NULL);
	layer.tar_size = (t.tar_end + 511) / 512 * 512 + 1024;
	if (r == 0 && ftruncate(tar_fd, (off_t)layer.tar_size) < 0)
		r = -errno;
	if (r == 0)
		r = idx_build_add(t.b, IDX_SEC_LAYERS, &layer, sizeof(layer), NULL);
	if (r == 0)
		r = idx_build_write(t.b, &id, 0, index_fd, &err);
	for (size_t i = 0; i < t.n_items; i++)
		free(t.items[i].path);
	free(t.items);
	free(t.by_ino);
	idx_build_free(t.b);
	return r;
}
