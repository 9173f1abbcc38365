/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img_open_lower(): the merged index and the layer tars of an image (contract in image/store.h)
 *
 *      images/CHAIN.idx there and sound ──────────────────────────────▶ lower_image_new()
 *                       else: lock tmp/making-CHAIN, look again,
 *                             layer.idx … ─ index_merge() ─▶ tmp/stage-X/ ─ sync, rename ─▶ again
 *
 * The tars' fds are the leases of the layers: they live as long as the lower.
 */
#include "image/layers.h"
#include "image/store_dir.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "image/index_merge.h"
#include "overlay/lower_image.h"

#include <fcntl.h>
#include <poll.h>

#define MAKING_POLL_MS 20

/* Leases on all layers, lowest first. */
struct tars {
	int *fds;
	uint32_t n;
};

static void tars_done(struct tars *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		(void)close(t->fds[i]);
	free(t->fds);
	*t = (struct tars){ 0 };
}

static inline void cleanup_tars(struct tars *t)
{
	tars_done(t);
}
#define auto_tars __attribute__((cleanup(cleanup_tars))) struct tars

static int open_tars(struct img_store *s, const struct img *img, struct tars *t, struct err *err)
{
	t->fds = calloc(img->n_layers + 1, sizeof(*t->fds));
	if (!t->fds)
		return err_set(err, -ENOMEM, "cannot open the layers");
	for (uint32_t i = 0; i < img->n_layers; i++) {
		int fd = layer_lease(s, &img->diff_ids[i], err);

		if (fd < 0) {
			err_wrap(err, fd, "layer %u of %u", i + 1, img->n_layers);
			if (fd == -ENOENT && img->name)
				err_hint(err, fd, "lamina pull %s", img->name);
			return fd;
		}
		t->fds[t->n++] = fd;
	}
	return 0;
}

/* Does the file have the layers that the image names?  Chain ids say so unless a file was moved. */
static bool is_index_of(struct idx *x, const struct img *img)
{
	return digest_eq(&idx_header(x)->id, &img->chain_id) && idx_n_layers(x) == img->n_layers;
}

/* Return: 0; -ENOENT if it is missing, damaged, or of another version: it can be made again. */
static int open_merged(
	struct img_store *s, const struct img *img, struct idx **ret, struct err *err)
{
	char name[STORE_DIR_NAME_BYTES], path[STORE_DIR_NAME_BYTES + 16];
	auto_fd fd = -1;
	struct idx *x;
	int r;

	store_dir_name(&img->chain_id, name);
	snprintf(path, sizeof(path), "images/%s.idx", name);
	fd = at_open(img_store_dirfd(s), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s/%s'", img_store_path(s), path);
	r = idx_open(&x, fd, IDX_KIND_IMAGE, err);
	if (r == -EBADMSG || r == -EPROTONOSUPPORT || r == -EINVAL) {
		log_debug("image", "merged index is made again path='%s'", path);
		return -ENOENT;
	}
	if (r < 0)
		return err_wrap(err, r, "'%s/%s'", img_store_path(s), path);
	if (!is_index_of(x, img)) {
		idx_close(x);
		return -ENOENT;
	}
	*ret = x;
	return 0;
}

static void close_all(struct idx **layers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		idx_close(layers[i]);
	free(layers);
}

/* The merge itself, into a file of the staging directory. */
static int merge_into(struct img_store *s, const struct img *img, const struct tars *tars, int fd,
	struct err *err)
{
	struct idx **layers = calloc(img->n_layers + 1, sizeof(*layers));
	uint32_t n = 0;
	int r = 0;

	if (!layers)
		return err_set(err, -ENOMEM, "cannot merge the layers");
	while (r == 0 && n < img->n_layers) {
		r = layer_open_index(s, &img->diff_ids[n], tars->fds[n], &layers[n], err);
		if (r == 0)
			n++;
	}
	if (r == 0)
		r = index_merge(layers, n, &img->chain_id, fd, err);
	close_all(layers, n);
	if (r == 0 && fsync(fd) < 0)
		r = err_set(err, -errno, "cannot write the merged index");
	return r;
}

static int make_merged(
	struct img_store *s, const struct img *img, const struct tars *tars, struct err *err)
{
	auto_stage stage = { NULL, -1, -1, "" };
	auto_fd fd = -1, images = -1;
	char name[STORE_DIR_NAME_BYTES], file[STORE_DIR_NAME_BYTES + 8];
	int r = store_stage_new(s, &stage, err);

	if (r < 0)
		return r;
	fd = openat(stage.dirfd, "merged", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, -errno, "cannot write the merged index");
	r = merge_into(s, img, tars, fd, err);
	if (r < 0)
		return r;
	images = store_open_dir(s, "images", err);
	if (images < 0)
		return images;
	store_dir_name(&img->chain_id, name);
	snprintf(file, sizeof(file), "%s.idx", name);
	r = renameat(stage.dirfd, "merged", images, file) < 0 ? -errno : at_sync_dir(images);
	return r < 0 ? err_set(err, r, "cannot store the merged index") : 0;
}

/* Make it, or wait for whoever is making it. */
static int open_or_make(struct img_store *s, const struct img *img, const struct tars *tars,
	struct idx **ret, struct err *err)
{
	char name[STORE_DIR_NAME_BYTES];
	int r, making;

	store_dir_name(&img->chain_id, name);
	for (;;) {
		r = open_merged(s, img, ret, err);
		if (r != -ENOENT)
			return r;
		making = store_try_making(s, name, err);
		if (making == -EAGAIN) {
			/* The lock's end cannot be polled for together with its inode. */
			(void)poll(NULL, 0, MAKING_POLL_MS);
			continue;
		}
		if (making < 0)
			return making;
		/* It may have been finished between the look and the lock. */
		r = open_merged(s, img, ret, err);
		if (r == -ENOENT)
			r = make_merged(s, img, tars, err);
		if (r == 0 && !*ret)
			r = open_merged(s, img, ret, err);
		store_made(s, name, making);
		if (r == -ENOENT)
			return err_say(err, -EBADMSG, "the merged index is damaged");
		return r;
	}
}

int img_open_lower(struct img_store *s, const struct img *img, struct lower **ret, struct err *err)
{
	auto_tars tars = { 0 };
	struct idx *x = NULL;
	int r;

	/* A fd a layer, and some more. */
	if (img->n_layers > 200)
		(void)fd_raise_limit();
	r = open_tars(s, img, &tars, err);
	if (r == 0)
		r = open_or_make(s, img, &tars, &x, err);
	if (r < 0)
		return r;
	r = lower_image_new(ret, x, tars.fds, tars.n, err);
	/* The fds are consumed, the array is not. */
	tars.n = 0;
	return r;
}
