/* SPDX-License-Identifier: Apache-2.0 */
/* Removal of images (the contract is in the header). */
#include "image/gc.h"

#include "base/at.h"
#include "base/log.h"
#include "base/str.h"
#include "image/chain.h"
#include "image/layers.h"
#include "image/resolve.h"

#include <dirent.h>
#include <fcntl.h>

/* Names of files: sorted, "blobs/sha256/HEX", "layers/…", "images/….idx". */
struct needed {
	struct strv paths;
	bool unknown; /* an image could not be read */
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool gc_is_needed(const struct needed *n, const char *dir, const char *name)
{
	auto_free char *path = str_format("%s/%s", dir, name);
	const char *key = path;

	/* Out of memory: keep it. */
	return !path || !n->paths.n ||
	       bsearch(&key, n->paths.v, n->paths.n, sizeof(key), compare) != NULL;
}

static int need_blob(struct needed *n, const struct idx_digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(d, text);
	return strv_addf(&n->paths, "blobs/%s/%s", digest_alg_name(d), digest_hex(text));
}

/* Layers as they came, where they were kept. */
static int need_kept(struct img_store *s, struct needed *n, const struct idx_digest *manifest)
{
	auto_free char *data = NULL;
	auto_manifest m = { 0 };
	size_t len;
	int r = store_read_blob(s, manifest, &data, &len, NULL);

	if (r == 0)
		r = manifest_parse(data, len, &m, NULL);
	for (uint32_t i = 0; r == 0 && i < m.n_layers; i++)
		r = need_blob(n, &m.layers[i].digest);
	return r == -ENOMEM ? r : 0;
}

static int need_image(struct img_store *s, struct needed *n, const struct descriptor *d)
{
	char name[STORE_DIR_NAME_BYTES];
	struct img img;
	struct err err = ERR_INIT;
	int r = need_blob(n, &d->digest);

	if (r < 0)
		return r;
	r = resolve_load(s, d, &img, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_debug("image", "nothing is collected: %s", err.text);
		n->unknown = true;
		return 0;
	}
	store_dir_name(&img.chain_id, name);
	r = need_blob(n, &img.config_digest);
	if (r == 0)
		r = need_kept(s, n, &d->digest);
	if (r == 0)
		r = strv_addf(&n->paths, "images/%s.idx", name);
	for (uint32_t i = 0; r == 0 && i < img.n_layers; i++) {
		store_dir_name(&img.diff_ids[i], name);
		r = strv_addf(&n->paths, "layers/%s", name);
	}
	img_done(&img);
	return r;
}

static int collect_one(
	struct img_store *s, int dirfd, const char *dir, const char *name, struct gc_stats *stats)
{
	int r;

	if (!str_eq(dir, "layers"))
		return at_remove_tree(dirfd, name);
	r = layer_remove(s, name, &stats->bytes, NULL);
	if (r == -EBUSY)
		stats->n_busy++;
	else if (r == 0)
		stats->n_layers++;
	return r == -EBUSY ? 0 : r;
}

static int collect_dir(struct img_store *s, const struct needed *n, const char *dir,
	struct gc_stats *stats, struct err *err)
{
	auto_fd dirfd = at_open(img_store_dirfd(s), dir, O_RDONLY | O_DIRECTORY, 0);
	struct dirent *de;
	DIR *list;
	int r = 0;

	if (dirfd == -ENOENT)
		return 0;
	list = dirfd < 0 ? NULL : fdopendir(fcntl(dirfd, F_DUPFD_CLOEXEC, 3));
	if (!list)
		return err_set(err, dirfd < 0 ? dirfd : -errno, "cannot list '%s/%s'",
			img_store_path(s), dir);
	while (r == 0 && (de = readdir(list))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") ||
			gc_is_needed(n, dir, de->d_name))
			continue;
		r = collect_one(s, dirfd, dir, de->d_name, stats);
		if (r < 0)
			err_set(err, r, "cannot remove '%s/%s/%s'", img_store_path(s), dir,
				de->d_name);
	}
	(void)closedir(list);
	return r;
}

int gc_needed(struct img_store *s, const struct index *x, struct needed **ret, struct err *err)
{
	struct needed *n = calloc(1, sizeof(*n));
	/* Never an empty list, which would look like "keep all". */
	int r = n ? strv_add(&n->paths, "") : -ENOMEM;

	for (size_t i = 0; r == 0 && i < x->n; i++)
		r = need_image(s, n, &x->entries[i]);
	if (r < 0) {
		gc_needed_free(n);
		return err_set(err, r, "cannot collect what is not needed");
	}
	qsort(n->paths.v, n->paths.n, sizeof(n->paths.v[0]), compare);
	*ret = n;
	return 0;
}

void gc_needed_free(struct needed *n)
{
	if (n)
		strv_done(&n->paths);
	free(n);
}

bool gc_needed_is_unknown(const struct needed *n)
{
	return n->unknown;
}

int gc_run(struct img_store *s, const struct index *x, struct gc_stats *ret, struct err *err)
{
	static const char *const dirs[] = { "images", "layers", "blobs/sha256", "blobs/sha512" };
	struct gc_stats stats = { 0 };
	struct needed *n;
	int r = gc_needed(s, x, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++) {
		if (n->unknown && i > 0)
			break;
		r = collect_dir(s, n, dirs[i], &stats, err);
	}
	gc_needed_free(n);
	if (r == 0)
		*ret = stats;
	return r;
}

bool image_users_have(struct img_store *s, const struct descriptor *d,
	const struct image_users *users, struct err *err)
{
	struct img img;
	bool used;

	if (!users->is_used || resolve_load(s, d, &img, NULL) < 0)
		return false;
	used = users->is_used(users->ctx, &img.config_digest, err);
	img_done(&img);
	return used;
}

/* Nobody may use the image whose last name goes.  @ret: the exclusive lease, or -1: not there. */
static int claim(struct img_store *s, const struct descriptor *d, const struct image_users *users,
	int *ret, struct err *err)
{
	int fd;

	if (image_users_have(s, d, users, err))
		return -EBUSY;
	fd = resolve_take_lease(s, &d->digest, LOCK_EXCLUSIVE, err);
	if (fd == -EBUSY)
		return err_say(err, fd, "the image '%s' is in use",
			d->ref_name ? d->ref_name : "without name");
	*ret = fd < 0 ? -1 : fd;
	/* A manifest that is missing must not stand in the way of its removal. */
	return fd < 0 && fd != -ENOENT ? fd : 0;
}

static void report_name(const struct rmi_report *report, const struct descriptor *d)
{
	if (d->ref_name && report->untagged)
		report->untagged(report->ctx, d->ref_name);
}

/* Take the entries out of @x, save, collect. */
static int remove_entries(struct img_store *s, struct index *x, const struct descriptor *d,
	bool all, const struct rmi_report *report, struct err *err)
{
	const struct idx_digest manifest = d->digest;
	size_t at = (size_t)(d - x->entries);
	struct gc_stats stats;
	struct idx_digest id = manifest;
	struct img img;
	bool last;
	int r;

	if (resolve_load(s, d, &img, NULL) == 0) {
		id = img.config_digest;
		img_done(&img);
	}
	if (all) {
		for (size_t i = x->n; i-- > 0;)
			if (digest_eq(&x->entries[i].digest, &manifest)) {
				report_name(report, &x->entries[i]);
				names_remove(x, i);
			}
	} else {
		report_name(report, d);
		names_remove(x, at);
	}
	last = names_count(x, &manifest) == 0;
	r = names_save(s, x, err);
	if (r == 0 && last)
		r = gc_run(s, x, &stats, err);
	if (r == 0 && last && report->deleted)
		report->deleted(report->ctx, &id);
	return r;
}

static int remove_locked(struct img_store *s, const char *text, enum rmi_flags flags,
	const struct image_users *users, const struct rmi_report *report, struct err *err)
{
	auto_index x = { 0 };
	auto_fd lock = store_lock(s, LOCK_EXCLUSIVE, err), lease = -1;
	const struct descriptor *d;
	bool all;
	int r;

	if (lock < 0)
		return lock;
	r = names_load(s, &x, err);
	if (r == 0)
		r = resolve_entry(s, &x, text, &d, err);
	if (r < 0)
		return r;
	all = r == 1;
	if (all && names_count(&x, &d->digest) > 1 && !(flags & RMI_FORCE)) {
		err_say(err, -EEXIST, "the image '%s' has several names", text);
		return err_hint(err, -EEXIST, "name one of them, or remove all with --force");
	}
	/* A name that is not the last one goes without anybody noticing. */
	if (all || names_count(&x, &d->digest) == 1) {
		r = claim(s, d, users, &lease, err);
		if (r < 0)
			return r;
	}
	return remove_entries(s, &x, d, all, report, err);
}

int img_remove(struct img_store *s, const char *text, enum rmi_flags flags,
	const struct image_users *users, const struct rmi_report *report, struct err *err)
{
	int r = remove_locked(s, text, flags, users, report, err);

	if (r == 0)
		store_empty_trash(s);
	return r;
}
