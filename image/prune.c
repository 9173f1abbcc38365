/* SPDX-License-Identifier: Apache-2.0 */
/* Usage and removal of what is not needed (the contract is in the header). */
#include "image/prune.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/partial.h"
#include "image/resolve.h"

#include <dirent.h>
#include <fcntl.h>

/* The image of an entry is used by a container, or held by a mount, a run or a push. */
static bool is_used(
	struct img_store *s, const struct descriptor *d, const struct image_users *users)
{
	auto_fd lease = resolve_take_lease(s, &d->digest, LOCK_EXCLUSIVE, NULL);

	return lease == -EBUSY || image_users_have(s, d, users, NULL);
}

/* ---- prune ---- */

static void report_removed(
	struct img_store *s, const struct descriptor *d, const struct rmi_report *report)
{
	struct idx_digest id = d->digest;
	struct img img;

	if (d->ref_name && report->untagged)
		report->untagged(report->ctx, d->ref_name);
	if (resolve_load(s, d, &img, NULL) == 0) {
		id = img.config_digest;
		img_done(&img);
	}
	if (report->deleted)
		report->deleted(report->ctx, &id);
}

static int prune_locked(struct img_store *s, enum prune_flags flags,
	const struct image_users *users, const struct rmi_report *report, struct prune_stats *ret,
	struct err *err)
{
	auto_fd lock = store_lock(s, LOCK_EXCLUSIVE, err);
	struct prune_stats stats = { 0 };
	struct gc_stats gc;
	auto_index x = { 0 };
	int r;

	if (lock < 0)
		return lock;
	r = names_load(s, &x, err);
	if (r < 0)
		return r;
	for (size_t i = x.n; i-- > 0;) {
		const struct descriptor *d = &x.entries[i];

		if ((d->ref_name && !(flags & PRUNE_ALL)) || is_used(s, d, users))
			continue;
		report_removed(s, d, report);
		names_remove(&x, i);
		stats.n_images++;
	}
	if (stats.n_images)
		r = names_save(s, &x, err);
	/* What died before us is of no use to anybody either. */
	(void)store_sweep(s, SWEEP_REMOVE, NULL, NULL);
	partial_sweep(s, 0);
	if (r == 0)
		r = gc_run(s, &x, &gc, err);
	if (r < 0)
		return r;
	stats.n_layers = gc.n_layers;
	stats.n_busy = gc.n_busy;
	stats.bytes = gc.bytes;
	*ret = stats;
	return 0;
}

int img_prune(struct img_store *s, enum prune_flags flags, const struct image_users *users,
	const struct rmi_report *report, struct prune_stats *ret, struct err *err)
{
	int r = prune_locked(s, flags, users, report, ret, err);

	if (r == 0)
		store_empty_trash(s);
	return r;
}

/* ---- usage ---- */

uint64_t usage_of_tree(int dirfd, const char *name)
{
	struct stat st;
	uint64_t bytes;
	struct dirent *de;
	DIR *dir;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	bytes = (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode))
		return bytes;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return bytes;
	}
	while ((de = readdir(dir)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			bytes += usage_of_tree(fd, de->d_name);
	(void)closedir(dir);
	return bytes;
}

struct sums {
	struct usage *usage;
	const struct needed *all, *used;
};

/* Files of one directory, added up by who needs them. */
static void add_dir(struct img_store *s, const struct sums *sums, const char *dir, uint64_t *total)
{
	int fd = at_open(img_store_dirfd(s), dir, O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d && fd >= 0)
		(void)close(fd);
	while (d && (de = readdir(d))) {
		uint64_t bytes;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		bytes = usage_of_tree(fd, de->d_name);
		*total += bytes;
		if (str_eq(dir, "layers"))
			sums->usage->n_layers++;
		if (!gc_is_needed(sums->all, dir, de->d_name))
			sums->usage->orphans += bytes;
		else if (!gc_is_needed(sums->used, dir, de->d_name))
			sums->usage->unused += bytes;
	}
	if (d)
		(void)closedir(d);
}

/* Entries of @x that something uses, borrowed from it. */
static int pick_used(struct img_store *s, const struct index *x, const struct image_users *users,
	struct index *ret)
{
	ret->entries = calloc(x->n + 1, sizeof(*ret->entries));
	if (!ret->entries)
		return -ENOMEM;
	for (size_t i = 0; i < x->n; i++)
		if (is_used(s, &x->entries[i], users))
			ret->entries[ret->n++] = x->entries[i];
	return 0;
}

int img_usage(
	struct img_store *s, const struct image_users *users, struct usage *ret, struct err *err)
{
	auto_fd lock = store_lock(s, LOCK_SHARED, err);
	struct needed *all = NULL, *needed = NULL;
	struct usage u = { 0 };
	struct index used = { 0 };
	auto_index x = { 0 };
	int r;

	if (lock < 0)
		return lock;
	r = names_load(s, &x, err);
	if (r == 0 && pick_used(s, &x, users, &used) < 0)
		r = err_set(err, -ENOMEM, "cannot add up the store");
	if (r == 0)
		r = gc_needed(s, &x, &all, err);
	if (r == 0)
		r = gc_needed(s, &used, &needed, err);
	if (r == 0) {
		const struct sums sums = { &u, all, needed };

		u.n_images = (uint32_t)x.n;
		u.n_used = (uint32_t)used.n;
		add_dir(s, &sums, "layers", &u.layers);
		add_dir(s, &sums, "images", &u.indexes);
		add_dir(s, &sums, "blobs/sha256", &u.blobs);
		add_dir(s, &sums, "blobs/sha512", &u.blobs);
		u.leftovers = usage_of_tree(img_store_dirfd(s), "tmp") +
			      usage_of_tree(img_store_dirfd(s), "partial");
		*ret = u;
	}
	gc_needed_free(all);
	gc_needed_free(needed);
	free(used.entries);
	return r;
}
