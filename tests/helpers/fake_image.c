/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers the table's entries as doc/on-disk.md says; searches are linear, tables are small. */
#include "tests/helpers/fake_image.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "overlay/index_build.h"
#include "overlay/inum.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAX_ENTRIES 4096

struct fake {
	const struct fake_entry *v;
	size_t n;
	uint32_t row[MAX_ENTRIES]; /* of the entry's inode; IDX_NONE: not numbered yet */
	size_t of_row[MAX_ENTRIES + 1]; /* the entry that made a row; n: the root that has none */
	uint32_t n_rows;
	uint64_t hdr[MAX_ENTRIES];
	struct idx_build *b;
	int tar;
};

static void cleanup_fake(struct fake **f)
{
	if (!*f)
		return;
	idx_build_free((*f)->b);
	free(*f);
}

static size_t find(const struct fake *f, const char *path, size_t len)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strlen(f->v[i].path) == len && memcmp(f->v[i].path, path, len) == 0)
			break;
	return i;
}

/* The entry that a name stands for: itself, or what it is a hard link to. */
static size_t origin(const struct fake *f, size_t i)
{
	return f->v[i].mode ? i : find(f, f->v[i].data, strlen(f->v[i].data));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_in_dir(const char *path, const char *dir)
{
	size_t len = strlen(dir), up = (size_t)(base_name(path) - path);

	if (!*path)
		return false;
	if (len == 0)
		return up == 0;
	return up == len + 1 && memcmp(path, dir, len) == 0;
}

static uint64_t number(const struct fake *f, size_t i)
{
	struct inum num = { .hdr_off = f->hdr[i] };
	uint64_t ino = 0;

	(void)inum_pack(&num, &ino);
	return ino;
}

/* Entry numbers of a directory in listing order. */
static size_t list_dir(const struct fake *f, const char *dir, size_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		size_t at = n;

		if (!is_in_dir(f->v[i].path, dir))
			continue;
		while (at > 0) {
			uint64_t a = number(f, origin(f, ret[at - 1]));
			uint64_t b = number(f, origin(f, i));

			if (a < b || (a == b && strcmp(base_name(f->v[ret[at - 1]].path),
							base_name(f->v[i].path)) < 0))
				break;
			ret[at] = ret[at - 1];
			at--;
		}
		ret[at] = i;
		n++;
	}
	return n;
}

static int write_tar(struct fake *f)
{
	static const char block[512];
	uint64_t off = 0;

	for (size_t i = 0; i < f->n; i++) {
		const char *data = S_ISREG(f->v[i].mode) && f->v[i].data ? f->v[i].data : "";
		size_t len = strlen(data), pad = (512 - len % 512) % 512;

		f->hdr[i] = off;
		if (fd_write_all(f->tar, block, 512) < 0 || fd_write_all(f->tar, data, len) < 0 ||
			fd_write_all(f->tar, block, pad) < 0)
			return -EIO;
		off += 512 + len + pad;
	}
	return 0;
}

static int fill_data(struct fake *f, size_t i, struct idx_inode *ino)
{
	const struct fake_entry *e = &f->v[i];
	size_t len = e->data ? strlen(e->data) : 0;
	uint64_t off;
	int r;

	if (S_ISLNK(e->mode)) {
		ino->size = len;
		r = idx_build_add(f->b, IDX_SEC_STRINGS, e->data, len, &ino->data);
		return r;
	}
	if (!S_ISREG(e->mode)) {
		ino->data = e->dev;
		return 0;
	}
	ino->size = e->size ? e->size : e->hole + len;
	if (e->hole || e->size > len) {
		struct idx_extent x = {
			.file_off = e->hole, .len = len, .tar_off = f->hdr[i] + 512
		};

		if (!len)
			return 0;
		r = idx_build_add(f->b, IDX_SEC_EXTENTS, &x, sizeof(x), &off);
		ino->data = off / sizeof(x);
		ino->count = 1;
		return r;
	}
	ino->data = len ? f->hdr[i] + 512 : 0;
	return 0;
}

static int add_names(struct fake *f, const char *dir, struct idx_inode *ino)
{
	size_t list[MAX_ENTRIES], n = list_dir(f, dir, list), bytes;
	struct idx_lookup *look;
	uint64_t off;
	int r;

	(void)idx_build_bytes(f->b, IDX_SEC_NAMES, &bytes);
	ino->data = bytes / sizeof(struct idx_name);
	ino->count = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		const char *name = base_name(f->v[list[i]].path);
		size_t from = origin(f, list[i]);
		struct idx_name row = { .len = (uint8_t)strlen(name),
			.type = IFTODT(f->v[from].mode) };
		struct idx_lookup h = { .hash = idx_name_hash(name, row.len),
			.name = (uint32_t)(ino->data + i) };

		if (f->row[from] == IDX_NONE) {
			f->of_row[f->n_rows] = from;
			f->row[from] = f->n_rows++;
		}
		row.inode = f->row[from];
		r = idx_build_add(f->b, IDX_SEC_STRINGS, name, row.len, &off);
		row.str = (uint32_t)off;
		if (r == 0)
			r = idx_build_add(f->b, IDX_SEC_NAMES, &row, sizeof(row), NULL);
		if (r == 0)
			r = idx_build_add(f->b, IDX_SEC_LOOKUP, &h, sizeof(h), NULL);
		if (r < 0)
			return r;
		ino->nlink += row.type == DT_DIR;
		/* Insertion sort; tests do not need names of one hash. */
		look = idx_build_bytes(f->b, IDX_SEC_LOOKUP, &bytes);
		for (size_t at = bytes / sizeof(h) - 1; at > ino->data; at--) {
			struct idx_lookup t = look[at];

			if (look[at - 1].hash < t.hash)
				break;
			look[at] = look[at - 1];
			look[at - 1] = t;
		}
	}
	return 0;
}

static int add_xattr(struct fake *f, const char *text, uint32_t *ret)
{
	const char *eq = strchr(text, '=');
	struct idx_xattr a = { .name = text,
		.name_len = (uint16_t)(eq - text),
		.value = eq + 1,
		.value_len = (uint32_t)strlen(eq + 1) };

	return idx_build_xattrs(f->b, &a, 1, ret);
}

static int add_inode(struct fake *f, uint32_t row)
{
	static const struct fake_entry no_root = { .path = "", .mode = S_IFDIR | 0755 };
	size_t i = f->of_row[row];
	const struct fake_entry *e = i < f->n ? &f->v[i] : &no_root;
	struct idx_inode ino = { .mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.mtime_sec = e->mtime_sec,
		.ino = row ? number(f, i) : INUM_ROOT,
		.parent = IDX_NONE };
	int r = 0;

	if (e->xattr)
		r = add_xattr(f, e->xattr, &ino.xattrs);
	if (r == 0 && S_ISDIR(e->mode)) {
		size_t up = (size_t)(base_name(e->path) - e->path);

		ino.nlink = 2;
		ino.parent = row && up ? f->row[find(f, e->path, up - 1)] : 0;
		r = add_names(f, e->path, &ino);
	} else if (r == 0) {
		for (size_t k = 0; k < f->n; k++)
			ino.nlink += origin(f, k) == i;
		r = fill_data(f, i, &ino);
	}
	return r < 0 ? r : idx_build_add(f->b, IDX_SEC_INODES, &ino, sizeof(ino), NULL);
}

int fake_image(const struct fake_entry *v, size_t n, int *ret_index, int *ret_tar)
{
	__attribute__((cleanup(cleanup_fake))) struct fake *f = calloc(1, sizeof(*f));
	auto_fd index = memfd_create("index", MFD_CLOEXEC);
	auto_fd tar = memfd_create("tar", MFD_CLOEXEC);
	struct idx_layer layer = { .diff_id = { IDX_SHA256, 32, { 1 } } };
	struct idx_digest chain = { IDX_SHA256, 32, { 2 } };
	int r;

	if (!f || n > MAX_ENTRIES || index < 0 || tar < 0)
		return -ENOMEM;
	f->v = v;
	f->n = n;
	f->tar = tar;
	for (size_t i = 0; i < n; i++)
		f->row[i] = IDX_NONE;
	f->of_row[0] = find(f, "", 0);
	if (f->of_row[0] < n)
		f->row[f->of_row[0]] = 0;
	f->n_rows = 1;
	r = idx_build_new(&f->b, IDX_KIND_IMAGE);
	if (r == 0)
		r = write_tar(f);
	/* Rows grow while this runs: breadth first. */
	for (uint32_t row = 0; r == 0 && row < f->n_rows; row++)
		r = add_inode(f, row);
	if (r < 0)
		return r;
	layer.tar_size = (uint64_t)lseek(tar, 0, SEEK_CUR);
	r = idx_build_add(f->b, IDX_SEC_LAYERS, &layer, sizeof(layer), NULL);
	if (r == 0)
		r = idx_build_write(f->b, &chain, 0, index, NULL);
	if (r < 0)
		return r;
	*ret_index = fd_take(&index);
	*ret_tar = fd_take(&tar);
	return 0;
}
