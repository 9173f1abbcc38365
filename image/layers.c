/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of the store (the contract is in the header). */
#include "image/layers.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "image/layer_foreign.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LAYER_PATH_BYTES (32 + STORE_DIR_NAME_BYTES)

static void layer_path(const char *name, const char *file, char ret[static LAYER_PATH_BYTES])
{
	snprintf(ret, LAYER_PATH_BYTES, "layers/%s/%s", name, file);
}

/* Is @fd still what stands at @path?  A removal renames the layer away under its exclusive lock. */
static bool is_still_there(int rootfd, const char *path, int fd)
{
	struct stat held, there;

	return fstat(fd, &held) == 0 && fstatat(rootfd, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

static int open_regular(int dirfd, const char *path)
{
	auto_fd fd = at_open(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? fd_take(&fd) : -EINVAL;
}

/* The store that has @path: the own one first, and if none has it. */
static struct img_store *find_store(struct img_store *s, const char *path)
{
	if (faccessat(img_store_dirfd(s), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return s;
	for (size_t i = 0; i < img_store_n_others(s); i++) {
		struct img_store *other = img_store_other(s, i);

		if (faccessat(img_store_dirfd(other), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return other;
	}
	return s;
}

int layer_lease(struct img_store *s, const struct idx_digest *diff_id, struct err *err)
{
	char name[STORE_DIR_NAME_BYTES], path[LAYER_PATH_BYTES];
	struct img_store *from;
	int r;

	store_dir_name(diff_id, name);
	layer_path(name, "layer.tar", path);
	from = find_store(s, path);
	for (int tries = 0; tries < 100; tries++) {
		auto_fd fd = open_regular(img_store_dirfd(from), path);

		if (fd < 0)
			return err_set(err, fd, "cannot open '%s/%s'", img_store_path(from), path);
		r = lock_fd(fd, LOCK_SHARED, LOCK_WAIT);
		/* A read-only filesystem without locks removes nothing either. */
		if (r < 0 && r != -ENOLCK)
			return err_set(err, r, "cannot lock '%s/%s'", img_store_path(from), path);
		if (!is_still_there(img_store_dirfd(from), path, fd))
			continue;
		r = from == s ? 0 : layer_check_foreign(s, from, diff_id, fd, err);
		return r < 0 ? r : fd_take(&fd);
	}
	return err_say(err, -EBUSY, "the layer '%s' comes and goes", name);
}

bool layer_stat(struct img_store *s, const struct idx_digest *diff_id, struct stat *ret)
{
	char name[STORE_DIR_NAME_BYTES], path[LAYER_PATH_BYTES];

	store_dir_name(diff_id, name);
	layer_path(name, "layer.tar", path);
	return fstatat(img_store_dirfd(find_store(s, path)), path, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Does the index describe this very tar? */
static int open_matching_index(int rootfd, const char *path, const struct idx_digest *diff_id,
	int tar_fd, struct idx **ret)
{
	auto_fd fd = open_regular(rootfd, path);
	struct idx *x;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = idx_open(&x, fd, IDX_KIND_LAYER, NULL);
	if (r < 0)
		return r;
	if (fstat(tar_fd, &st) < 0 || idx_header(x)->tar_size != (uint64_t)st.st_size ||
		!digest_eq(&idx_header(x)->id, diff_id)) {
		idx_close(x);
		return -EBADMSG;
	}
	*ret = x;
	return 0;
}

/* layer.idx from layer.tar, by way of a staging directory. */
static int reindex(struct img_store *s, const char *name, const struct idx_digest *diff_id,
	int tar_fd, struct err *err)
{
	auto_stage stage = { NULL, -1, -1, "" };
	auto_fd dirfd = -1, idx_fd = -1;
	struct layer_stats stats;
	char path[LAYER_PATH_BYTES];
	int r = store_stage_new(s, &stage, err);

	if (r < 0)
		return r;
	r = layer_reindex(tar_fd, stage.dirfd, diff_id->alg, &stats, err);
	if (r < 0)
		return r;
	if (!digest_eq(&stats.diff_id, diff_id))
		return err_say(err, -EBADMSG, "its tar is damaged");
	snprintf(path, sizeof(path), "layers/%s", name);
	dirfd = store_open_dir(s, path, err);
	if (dirfd < 0)
		return dirfd;
	idx_fd = open_regular(stage.dirfd, "layer.idx.new");
	if (idx_fd < 0 || fsync(idx_fd) < 0 ||
		renameat(stage.dirfd, "layer.idx.new", dirfd, "layer.idx") < 0 ||
		at_sync_dir(dirfd) < 0)
		return err_set(err, idx_fd < 0 ? idx_fd : -errno, "cannot write its index");
	log_debug("image", "reindexed layer='%s' members=%u", name, stats.n_members);
	return 0;
}

int layer_open_index(struct img_store *s, const struct idx_digest *diff_id, int tar_fd,
	struct idx **ret, struct err *err)
{
	char name[STORE_DIR_NAME_BYTES], path[LAYER_PATH_BYTES];
	struct img_store *from;
	int r;

	store_dir_name(diff_id, name);
	layer_path(name, "layer.tar", path);
	from = find_store(s, path);
	layer_path(name, "layer.idx", path);
	r = open_matching_index(img_store_dirfd(from), path, diff_id, tar_fd, ret);
	if (r == 0)
		return 0;
	/* Another's store is not written to. */
	if (from == s && (r == -EBADMSG || r == -ENOENT || r == -EPROTONOSUPPORT || r == -EINVAL)) {
		r = reindex(s, name, diff_id, tar_fd, err);
		if (r < 0)
			return err_wrap(err, r, "layer '%s'", name);
		r = open_matching_index(img_store_dirfd(s), path, diff_id, tar_fd, ret);
	}
	return r < 0 ? err_set(err, r, "cannot open '%s/%s'", img_store_path(s), path) : 0;
}

static int sync_layer(int dirfd)
{
	static const char *const files[] = { "layer.tar", "layer.idx" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_fd fd = open_regular(dirfd, files[i]);

		if (fd < 0)
			return fd;
		if (fsync(fd) < 0)
			return -errno;
	}
	return at_sync_dir(dirfd);
}

int layer_publish(struct img_store *s, int stage_dirfd, const char *name,
	const struct idx_digest *diff_id, struct err *err)
{
	char to[STORE_DIR_NAME_BYTES], old[STORE_DIR_NAME_BYTES + 8];
	auto_fd layers = store_open_dir(s, "layers", err), dirfd = -1, lease = -1;
	int r;

	if (layers < 0)
		return layers;
	store_dir_name(diff_id, to);
	snprintf(old, sizeof(old), "old-%s", to);
	dirfd = at_open(stage_dirfd, name, O_PATH | O_DIRECTORY, 0);
	r = dirfd < 0 ? dirfd : sync_layer(dirfd);
	if (r == 0)
		r = lease = open_regular(dirfd, "layer.tar");
	/* The lease is taken before anybody can see the layer, so nobody can remove it. */
	if (r >= 0)
		r = lock_fd(lease, LOCK_SHARED, LOCK_TRY);
	if (r == -ENOLCK)
		r = 0;
	if (r == 0 && renameat(layers, to, stage_dirfd, old) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0 && renameat(stage_dirfd, name, layers, to) < 0)
		r = -errno;
	if (r == 0)
		r = at_sync_dir(layers);
	if (r < 0)
		return err_set(err, r, "cannot store the layer '%s'", to);
	return fd_take(&lease);
}

int layer_remove(struct img_store *s, const char *name, uint64_t *ret_bytes, struct err *err)
{
	char path[LAYER_PATH_BYTES];
	auto_fd layers = store_open_dir(s, "layers", err), tar = -1;
	struct stat st;
	int r;

	if (layers < 0)
		return -ENOENT;
	if (strlen(name) >= STORE_DIR_NAME_BYTES)
		return at_remove_tree(layers, name);
	layer_path(name, "layer.tar", path);
	/* For writing: some network filesystems give an exclusive lock on nothing else. */
	tar = at_open(img_store_dirfd(s), path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (tar >= 0 && lock_fd(tar, LOCK_EXCLUSIVE, LOCK_TRY) == -EAGAIN)
		return -EBUSY;
	if (tar >= 0 && fstat(tar, &st) == 0)
		*ret_bytes += (uint64_t)st.st_blocks * 512;
	r = store_trash(s, layers, name);
	if (r < 0)
		return err_set(err, r, "cannot remove the layer '%s'", name);
	return 0;
}
