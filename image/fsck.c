/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking a store (the contract is in the header)
 *
 * Names are listed first and looked at one by one without the store lock, for reading takes long;
 * what vanishes meanwhile was removed by somebody.  Removing takes the lock, and looks again.
 */
#include "image/fsck.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/fsck_index.h"
#include "image/gc.h"
#include "image/layer_check.h"
#include "image/layers.h"
#include "image/names.h"
#include "image/resolve.h"

#include <dirent.h>
#include <fcntl.h>

struct fsck {
	struct img_store *store;
	const struct fsck_options *opts;
	struct fsck_result result;
	struct strv seen; /* paths that were found to be damaged */
};

static bool repairs(const struct fsck *f)
{
	return f->opts->flags & FSCK_REPAIR;
}

static void found(
	struct fsck *f, enum fsck_kind kind, const char *what, const char *why, const char *done)
{
	const struct fsck_finding finding = { kind, what, why, done };

	/* Without memory it may be told twice. */
	if (kind != FSCK_ORPHAN || why)
		(void)strv_add(&f->seen, what);
	f->result.n_found++;
	f->result.n_repaired += done != NULL;
	if (f->opts->found)
		f->opts->found(f->opts->ctx, &finding);
}

/* ---- lists ---- */

/* Names in a directory of the store; none if it is missing. */
static int list(struct fsck *f, const char *dir, struct strv *ret, struct err *err)
{
	int fd = at_open(img_store_dirfd(f->store), dir, O_RDONLY | O_DIRECTORY, 0), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (fd == -ENOENT)
		return 0;
	if (!d)
		return err_set(err, fd < 0 ? fd : -errno, "cannot list '%s/%s'",
			img_store_path(f->store), dir);
	while (r == 0 && (de = readdir(d)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			r = strv_add(ret, de->d_name);
	(void)closedir(d);
	return r < 0 ? err_set(err, r, "cannot check the store") : 0;
}

static bool exists(const struct fsck *f, const char *path)
{
	return faccessat(img_store_dirfd(f->store), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Remove what is no layer, under the store lock. */
static const char *remove_file(struct fsck *f, const char *path)
{
	auto_fd lock = -1;

	if (!repairs(f))
		return NULL;
	lock = store_lock(f->store, LOCK_EXCLUSIVE, NULL);
	if (lock < 0 || at_remove_tree(img_store_dirfd(f->store), path) < 0)
		return NULL;
	return "removed";
}

/* ---- blobs ---- */

static int check_blob(struct fsck *f, const char *alg, const char *name, struct err *err)
{
	auto_free char *text = str_format("%s:%s", alg, name);
	auto_free char *path = str_format("blobs/%s/%s", alg, name);
	struct idx_digest d;
	int r;

	if (!text || !path)
		return err_set(err, -ENOMEM, "cannot check the store");
	f->result.n_blobs++;
	if (digest_parse(text, &d) < 0) {
		found(f, FSCK_ORPHAN, path, "it has no blob's name", remove_file(f, path));
		return 0;
	}
	r = fsck_blob(f->store, path, &d);
	if (r == -ENOMEM)
		return err_set(err, r, "cannot check the store");
	if (r < 0 && exists(f, path))
		found(f, FSCK_DAMAGED, path,
			r == -EBADMSG ? "its content has another digest" : strerror(-r),
			remove_file(f, path));
	return 0;
}

static int check_blobs(struct fsck *f, struct err *err)
{
	static const char *const algs[] = { "sha256", "sha512" };
	int r = 0;

	for (size_t a = 0; r == 0 && a < ARRAY_SIZE(algs); a++) {
		auto_free char *dir = str_format("blobs/%s", algs[a]);
		auto_strv names = { 0 };

		r = dir ? list(f, dir, &names, err) : err_set(err, -ENOMEM, "cannot check");
		for (size_t i = 0; r == 0 && i < names.n; i++)
			r = check_blob(f, algs[a], names.v[i], err);
	}
	return r;
}

/* ---- layers ---- */

/* "sha256-HEX" as a digest. */
static int parse_dir_name(const char *name, struct idx_digest *ret)
{
	auto_free char *text = strdup(name);
	char *dash = text ? strchr(text, '-') : NULL;

	if (!dash)
		return text ? -EINVAL : -ENOMEM;
	*dash = ':';
	return digest_parse(text, ret);
}

/* Does the index open, and is it of a tar of this size?  Return as layer_check(). */
static int look_at_layer(int tar_fd, int idx_fd, const struct idx_digest *id, struct err *err)
{
	struct stat st;
	struct idx *x;
	int r;

	if (idx_fd < 0) {
		err_say(err, -ENOENT, "its index is missing");
		return 1;
	}
	r = idx_open(&x, idx_fd, IDX_KIND_LAYER, err);
	if (r < 0)
		return r == -ENOMEM ? r : 1;
	r = fstat(tar_fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (!digest_eq(&idx_header(x)->id, id) ||
			      idx_header(x)->tar_size != (uint64_t)st.st_size))
		r = err_say(err, -EBADMSG, "its tar has %llu bytes, its index says %llu",
			(unsigned long long)st.st_size,
			(unsigned long long)idx_header(x)->tar_size);
	idx_close(x);
	return r;
}

static const char *make_index(
	struct fsck *f, const char *path, const struct idx_digest *id, int tar_fd)
{
	auto_free char *idx = str_format("%s/layer.idx", path);
	struct idx *x;

	if (!repairs(f) || !idx)
		return NULL;
	if (unlinkat(img_store_dirfd(f->store), idx, 0) < 0 && errno != ENOENT)
		return NULL;
	if (layer_open_index(f->store, id, tar_fd, &x, NULL) < 0)
		return NULL;
	idx_close(x);
	return "its index was made anew";
}

/* Unless somebody holds it. */
static const char *remove_layer(struct fsck *f, const char *name)
{
	auto_fd lock = -1;
	uint64_t bytes = 0;

	if (!repairs(f))
		return NULL;
	lock = store_lock(f->store, LOCK_EXCLUSIVE, NULL);
	if (lock < 0 || layer_remove(f->store, name, &bytes, NULL) < 0)
		return NULL;
	return "removed";
}

static int check_layer(struct fsck *f, const char *name, struct err *err)
{
	auto_free char *path = str_format("layers/%s", name);
	auto_free char *idx_path = str_format("layers/%s/layer.idx", name);
	auto_fd tar = -1, idx = -1;
	struct err why = ERR_INIT;
	struct idx_digest id;
	int r;

	if (!path || !idx_path)
		return err_set(err, -ENOMEM, "cannot check the store");
	f->result.n_layers++;
	if (parse_dir_name(name, &id) < 0) {
		found(f, FSCK_ORPHAN, path, "it has no layer's name", remove_file(f, path));
		return 0;
	}
	r = tar = layer_lease(f->store, &id, &why);
	if (r >= 0) {
		idx = at_open(
			img_store_dirfd(f->store), idx_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
		r = f->opts->flags & FSCK_QUICK ? look_at_layer(tar, idx, &id, &why)
						: layer_check(tar, idx, &id, &why);
	}
	if (r == -ENOMEM)
		return err_set(err, r, "cannot check the store");
	if (r == 1)
		found(f, FSCK_DAMAGED, path, why.text, make_index(f, path, &id, tar));
	else if (r < 0 && exists(f, path)) {
		/* Our own lease must not stand in the way. */
		if (tar >= 0)
			(void)close(fd_take(&tar));
		found(f, FSCK_DAMAGED, path, why.text, remove_layer(f, name));
	}
	return 0;
}

static int check_merged(struct fsck *f, const char *name, struct err *err)
{
	auto_free char *path = str_format("images/%s", name);
	auto_free char *id = strndup(name, strcspn(name, "."));
	struct idx_digest chain = { 0 };
	struct err why = ERR_INIT;
	struct idx *x = NULL;
	auto_fd fd = -1;
	int r;

	if (!path || !id)
		return err_set(err, -ENOMEM, "cannot check the store");
	r = fd = at_open(img_store_dirfd(f->store), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (r < 0)
		err_set(&why, r, "it cannot be opened");
	if (r >= 0)
		r = idx_open(&x, fd, IDX_KIND_IMAGE, &why);
	if (r == 0)
		r = idx_verify(x, &why);
	if (r == 0 && (parse_dir_name(id, &chain) < 0 || !digest_eq(&chain, &idx_header(x)->id)))
		r = err_say(&why, -EBADMSG, "it is another image's");
	idx_close(x);
	if (r == -ENOMEM)
		return err_set(err, r, "cannot check the store");
	if (r < 0 && exists(f, path))
		found(f, FSCK_DAMAGED, path, why.text, remove_file(f, path));
	return 0;
}

static int check_each(struct fsck *f, const char *dir,
	int (*check)(struct fsck *f, const char *name, struct err *err), struct err *err)
{
	auto_strv names = { 0 };
	int r = list(f, dir, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = check(f, names.v[i], err);
	return r;
}

/* ---- images ---- */

static int check_parts(struct fsck *f, const struct descriptor *d, struct err *why)
{
	struct img img;
	int r = resolve_load(f->store, d, &img, why);

	if (r < 0)
		return r;
	for (uint32_t i = 0; r == 0 && i < img.n_layers; i++) {
		auto_fd lease = layer_lease(f->store, &img.diff_ids[i], why);

		if (lease < 0)
			r = err_wrap(why, lease, "layer %u of %u", i + 1, img.n_layers);
	}
	img_done(&img);
	return r;
}

static void show_name(const struct descriptor *d, char *ret, size_t room)
{
	char digest[DIGEST_TEXT_BYTES];

	digest_text(&d->digest, digest);
	snprintf(ret, room, "%s", d->ref_name ? d->ref_name : digest);
}

/* Store lock held exclusively: index.json is changed, and nothing is read for long. */
static int check_images(struct fsck *f, struct err *err)
{
	auto_fd lock = store_lock(f->store, LOCK_EXCLUSIVE, err);
	auto_index x = { 0 };
	bool changed = false;
	int r;

	if (lock < 0)
		return lock;
	r = names_load(f->store, &x, err);
	if (r < 0)
		return r;
	for (size_t i = x.n; i-- > 0;) {
		char name[DIGEST_TEXT_BYTES + 512];
		struct err why = ERR_INIT;

		f->result.n_images++;
		r = check_parts(f, &x.entries[i], &why);
		if (r == -ENOMEM)
			return err_set(err, r, "cannot check the store");
		if (r == 0)
			continue;
		show_name(&x.entries[i], name, sizeof(name));
		found(f, FSCK_INCOMPLETE, name, why.text,
			repairs(f) ? "forgotten: pull it again" : NULL);
		if (repairs(f)) {
			names_remove(&x, i);
			changed = true;
		}
	}
	return changed ? names_save(f->store, &x, err) : 0;
}

/* ---- what is left over ---- */

/* A layer that was pulled a moment ago has no name yet, but a lease. */
static bool is_held(const struct fsck *f, const char *dir, const char *name)
{
	auto_free char *path = str_format("%s/%s/layer.tar", dir, name);
	auto_fd fd = -1;

	if (!str_eq(dir, "layers") || !path)
		return false;
	fd = at_open(img_store_dirfd(f->store), path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	return fd >= 0 && lock_fd(fd, LOCK_EXCLUSIVE, LOCK_TRY) == -EAGAIN;
}

static int find_orphans(struct fsck *f, const struct needed *n, struct err *err)
{
	static const char *const dirs[] = { "images", "layers", "blobs/sha256", "blobs/sha512" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++) {
		auto_strv names = { 0 };

		if (gc_needed_is_unknown(n) && i > 0)
			break;
		r = list(f, dirs[i], &names, err);
		for (size_t k = 0; r == 0 && k < names.n; k++) {
			auto_free char *path = str_format("%s/%s", dirs[i], names.v[k]);

			if (gc_is_needed(n, dirs[i], names.v[k]) ||
				is_held(f, dirs[i], names.v[k]) ||
				(path && strv_has(&f->seen, path)))
				continue;
			found(f, FSCK_ORPHAN, path ? path : names.v[k], NULL,
				repairs(f) ? "removed" : NULL);
		}
	}
	return r;
}

static void on_leftover(void *ctx, const char *name)
{
	struct fsck *f = ctx;
	auto_free char *path = str_format("tmp/%s", name);

	found(f, FSCK_LEFTOVER, path ? path : name, NULL, repairs(f) ? "removed" : NULL);
}

/* Everything under the lock, so that nothing is seen on its way. */
static int check_leftovers(struct fsck *f, struct err *err)
{
	auto_fd lock = store_lock(f->store, LOCK_EXCLUSIVE, err);
	auto_index x = { 0 };
	struct gc_stats stats;
	struct needed *n = NULL;
	int r;

	if (lock < 0)
		return lock;
	/* First, so that what the repair itself moves away is not counted. */
	r = store_sweep(f->store, (repairs(f) ? SWEEP_REMOVE : SWEEP_LOOK) | SWEEP_ALL_MACHINES,
		on_leftover, f);
	if (r < 0)
		return err_set(err, r, "cannot list '%s/tmp'", img_store_path(f->store));
	r = names_load(f->store, &x, err);
	if (r == 0)
		r = gc_needed(f->store, &x, &n, err);
	if (r == 0)
		r = find_orphans(f, n, err);
	gc_needed_free(n);
	return r == 0 && repairs(f) ? gc_run(f->store, &x, &stats, err) : r;
}

/* ---- all of it ---- */

static int check_index(struct fsck *f, struct err *err)
{
	auto_fd lock = store_lock(f->store, LOCK_EXCLUSIVE, err);
	auto_index x = { 0 };
	struct err why = ERR_INIT;
	uint32_t n = 0;
	int r;

	if (lock < 0)
		return lock;
	r = names_load(f->store, &x, &why);
	if (r == 0)
		return 0;
	if (r == -ENOMEM || !repairs(f)) {
		err_wrap(&why, r, "the list of images cannot be read");
		if (err)
			*err = why;
		return err_hint(err, r, "lamina fsck --repair");
	}
	r = fsck_rebuild_index(f->store, &n, err);
	if (r < 0)
		return r;
	found(f, FSCK_DAMAGED, "index.json", why.text,
		n ? "made anew: images have lost their names" : "made anew: no image was found");
	return 0;
}

int img_fsck(struct img_store *s, const struct fsck_options *opts, struct fsck_result *ret,
	struct err *err)
{
	struct fsck f = { .store = s, .opts = opts };
	int r = check_index(&f, err);

	if (r == 0)
		r = check_blobs(&f, err);
	if (r == 0)
		r = check_each(&f, "layers", check_layer, err);
	if (r == 0)
		r = check_each(&f, "images", check_merged, err);
	if (r == 0)
		r = check_images(&f, err);
	if (r == 0)
		r = check_leftovers(&f, err);
	strv_done(&f.seen);
	if (r < 0)
		return r;
	if (repairs(&f))
		store_empty_trash(s);
	*ret = f.result;
	return 0;
}
