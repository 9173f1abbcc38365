/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: idxdump DIRECTORY [TAR…]
 *
 * Index plain tars, lowest layer first, merge them, check all indexes, and print the tree: a JSON
 * object a line for each path.  Byte strings are in base64.  DIRECTORY gets the layers and must
 * not have any.  Exits with 1 and a line on stderr where Lamina refuses.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/index_merge.h"
#include "image/layer_write.h"
#include "overlay/inum.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_CONTENT (UINT64_C(1) << 30) /* larger files are not hashed */

struct layer {
	struct idx *x;
	int tar_fd;
};

struct image {
	struct layer layers[LIMIT_IDX_LAYERS];
	uint32_t n;
	struct idx *x;
};

/* A directory on the way down. */
struct level {
	uint32_t row, ordinal;
	size_t path_len;
};

static int refuse(const struct err *err)
{
	err_print(err, "idxdump");
	return 1;
}

static void print_base64(const char *key, const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;

	printf("%s\"", key);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < len ? p[i + 2] : 0);

		putchar(digits[v >> 18]);
		putchar(digits[v >> 12 & 63]);
		putchar(i + 1 < len ? digits[v >> 6 & 63] : '=');
		putchar(i + 2 < len ? digits[v & 63] : '=');
	}
	putchar('"');
}

static int hash_content(const struct image *im, const struct idx_content *c, struct hasher *h)
{
	static const uint8_t zeros[65536];
	uint8_t data[65536];
	uint64_t pos, len;

	for (uint64_t off = 0; off < c->size; off += len) {
		int is_data = idx_map(im->x, c, off, &pos, &len), r = 0;

		if (is_data < 0)
			return is_data;
		if (len > sizeof(data))
			len = sizeof(data);
		if (is_data)
			r = fd_pread_all(im->layers[c->layer].tar_fd, data, len, (off_t)pos);
		if (r < 0)
			return r;
		hasher_update(h, is_data ? data : zeros, len);
	}
	return 0;
}

static int print_file(const struct image *im, const struct idx_inode *ino)
{
	char text[DIGEST_TEXT_BYTES];
	struct idx_content c;
	struct idx_digest d;
	struct hasher *h;
	int r = idx_inode_content(im->x, ino, &c);

	printf(",\"size\":%llu", (unsigned long long)ino->size);
	if (r < 0 || ino->size > MAX_CONTENT)
		return r;
	r = hasher_new(&h, IDX_SHA256);
	if (r < 0)
		return r;
	r = hash_content(im, &c, h);
	hasher_finish(h, &d);
	hasher_free(h);
	digest_text(&d, text);
	printf(",\"sha256\":\"%s\"", digest_hex(text));
	return r;
}

static int print_xattrs(const struct image *im, uint32_t off)
{
	const char *comma = "";
	uint64_t cursor = 0;
	struct idx_xattr a;
	int r;

	printf(",\"xattrs\":{");
	while ((r = idx_xattr_next(im->x, off, &cursor, &a)) == 1) {
		print_base64(comma, a.name, a.name_len);
		print_base64(":", a.value, a.value_len);
		comma = ",";
	}
	printf("}");
	return r;
}

static const char *type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "dir";
	case S_IFREG:
		return "file";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	default:
		return "fifo";
	}
}

static int print_inode(const struct image *im, const struct buf *path, uint32_t row)
{
	struct idx_inode ino;
	const char *target;
	int r = idx_inode(im->x, row, &ino);

	if (r < 0)
		return r;
	print_base64("{\"path_b64\":", path->data ? path->data : "", path->len);
	printf(",\"type\":\"%s\",\"mode\":\"%04o\",\"uid\":%u,\"gid\":%u,\"nlink\":%u",
		type_name(ino.mode), ino.mode & 07777, ino.uid, ino.gid, ino.nlink);
	printf(",\"mtime\":[%lld,%u],\"ino\":%llu", (long long)ino.mtime_sec, ino.mtime_nsec,
		(unsigned long long)ino.ino);
	if (S_ISREG(ino.mode))
		r = print_file(im, &ino);
	else if (S_ISCHR(ino.mode) || S_ISBLK(ino.mode))
		printf(",\"dev\":[%u,%u]", (unsigned int)(ino.data >> 32), (unsigned int)ino.data);
	else if (S_ISLNK(ino.mode) &&
		 (r = idx_string(im->x, (uint32_t)ino.data, (uint32_t)ino.size, &target)) == 0)
		print_base64(",\"target_b64\":", target, ino.size);
	if (r == 0)
		r = print_xattrs(im, ino.xattrs);
	printf("}\n");
	return r;
}

/* Depth first; the stack is as deep as the tree, which is finite. */
static int print_tree(const struct image *im)
{
	auto_buf path = { 0 };
	size_t depth = 1, room = 4096;
	auto_free struct level *stack = calloc(room, sizeof(*stack));
	int r = stack ? print_inode(im, &path, 0) : -ENOMEM;

	while (r == 0 && depth > 0) {
		struct level *top = &stack[depth - 1];
		struct idx_dirent e;

		path.len = top->path_len;
		r = idx_entry(im->x, top->row, top->ordinal++, &e);
		if (r == -ENOENT) {
			depth--;
			r = 0;
			continue;
		}
		if (r == 0 && path.len)
			r = buf_add(&path, "/", 1);
		if (r == 0)
			r = buf_add(&path, e.name, e.len);
		if (r == 0)
			r = print_inode(im, &path, e.inode);
		if (r < 0 || e.type != DT_DIR)
			continue;
		if (depth == room) {
			struct level *bigger = reallocarray(stack, room *= 2, sizeof(*stack));

			if (!bigger)
				return -ENOMEM;
			stack = bigger;
		}
		stack[depth++] = (struct level){ .row = e.inode, .path_len = path.len };
	}
	return r;
}

static int open_idx(
	int dirfd, const char *name, enum idx_kind kind, struct idx **ret, struct err *err)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s'", name);
	r = idx_open(ret, fd, kind, err);
	return r < 0 ? r : idx_verify(*ret, err);
}

static int add_layer(struct image *im, int dirfd, const char *tar, struct err *err)
{
	struct layer *l = &im->layers[im->n];
	char name[32];
	struct layer_stats stats;
	auto_source src = NULL;
	auto_fd layer_dir = -1;
	int r, fd = open(tar, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s'", tar);
	r = source_file_new_take_fd(&src, fd, err);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%u", im->n);
	if (mkdirat(dirfd, name, 0700) < 0)
		return err_set(err, -errno, "cannot make '%s'", name);
	layer_dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = layer_write(src, layer_dir, NULL, &stats, err);
	if (r == 0)
		r = open_idx(layer_dir, "layer.idx", IDX_KIND_LAYER, &l->x, err);
	if (r < 0)
		return r;
	l->tar_fd = openat(layer_dir, "layer.tar", O_RDONLY | O_CLOEXEC);
	im->n++;
	return l->tar_fd < 0 ? err_set(err, -errno, "cannot open 'layer.tar'") : 0;
}

static int merge(struct image *im, int dirfd, struct err *err)
{
	const struct idx_digest chain = { .alg = IDX_SHA256, .len = 32 };
	auto_free struct idx **v = calloc(im->n + 1, sizeof(*v));
	auto_fd fd = openat(dirfd, "image.idx", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0 || !v)
		return err_set(err, fd < 0 ? -errno : -ENOMEM, "cannot make 'image.idx'");
	for (uint32_t i = 0; i < im->n; i++)
		v[i] = im->layers[i].x;
	r = index_merge(v, im->n, &chain, fd, err);
	return r < 0 ? r : open_idx(dirfd, "image.idx", IDX_KIND_IMAGE, &im->x, err);
}

static void image_done(struct image *im)
{
	for (uint32_t i = 0; i < im->n; i++) {
		idx_close(im->layers[i].x);
		(void)close(im->layers[i].tar_fd);
	}
	idx_close(im->x);
}

int main(int argc, char **argv)
{
	static struct image im;
	struct err err = ERR_INIT;
	auto_fd dirfd = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r = 0;

	(void)fd_raise_limit();
	if (dirfd < 0 || argc - 2 > LIMIT_IDX_LAYERS) {
		(void)fprintf(stderr, "usage: idxdump DIRECTORY [TAR...]\n");
		return 2;
	}
	for (int i = 2; r == 0 && i < argc; i++)
		r = add_layer(&im, dirfd, argv[i], &err);
	if (r == 0)
		r = merge(&im, dirfd, &err);
	if (r == 0) {
		r = print_tree(&im);
		if (r < 0)
			err_set(&err, r, "cannot read the merged index");
	}
	image_done(&im);
	return r < 0 ? refuse(&err) : 0;
}
