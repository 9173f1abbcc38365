/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads that go on where they stopped (the contract is in the header). */
#include "image/partial.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define DIR_NAME    "partial"
#define PIECE_BYTES (256 << 10)

struct partial {
	int dirfd, fd;
	char name[STORE_DIR_NAME_BYTES];
	uint64_t held;
};

static int open_dir(struct img_store *s, bool make)
{
	if (make)
		(void)mkdirat(img_store_dirfd(s), DIR_NAME, 0700);
	return at_open(img_store_dirfd(s), DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static bool is_named(int dirfd, const char *name, int fd)
{
	struct stat held, there;

	return fstat(fd, &held) == 0 && fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(held.st_mode) && held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

int partial_open(struct partial **ret, struct img_store *s, const struct descriptor *d)
{
	auto_fd dirfd = open_dir(s, true), fd = -1;
	char name[STORE_DIR_NAME_BYTES];
	struct partial *p;
	struct stat st;

	*ret = NULL;
	if (dirfd < 0)
		return 0;
	store_dir_name(&d->digest, name);
	fd = lock_open(dirfd, name, LOCK_EXCLUSIVE, LOCK_TRY);
	/* Its last holder may have removed it between our open and our lock. */
	if (fd < 0 || !is_named(dirfd, name, fd) || fstat(fd, &st) < 0)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return 0;
	p->dirfd = fd_take(&dirfd);
	p->fd = fd_take(&fd);
	memcpy(p->name, name, sizeof(p->name));
	p->held = (uint64_t)st.st_size;
	if (p->held > d->size)
		partial_drop(p);
	*ret = p;
	return 0;
}

uint64_t partial_held(const struct partial *p)
{
	return p->held;
}

void partial_drop(struct partial *p)
{
	p->held = 0;
	if (ftruncate(p->fd, 0) < 0)
		log_debug("image", "cannot truncate partial='%s'", p->name);
}

void partial_close(struct partial *p, enum partial_end end)
{
	struct stat st;

	if (!p)
		return;
	if (end == PARTIAL_GOES || (fstat(p->fd, &st) == 0 && st.st_size == 0))
		(void)unlinkat(p->dirfd, p->name, 0);
	(void)close(p->fd);
	(void)close(p->dirfd);
	free(p);
}

/* ---- reading and writing ---- */

struct partial_src {
	struct source source;
	struct partial *p;
	struct origin *origin;
	struct origin_line *line;
	const struct descriptor *blob;
	struct source *rest; /* NULL until what is held was read */
	uint64_t pos;
	bool full; /* no more is written */
	uint8_t buf[PIECE_BYTES];
};

static int read_held(struct partial_src *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	uint64_t left = s->p->held - s->pos;
	size_t len = left < sizeof(s->buf) ? (size_t)left : sizeof(s->buf);
	int r = fd_pread_all(s->p->fd, s->buf, len, (off_t)s->pos);

	if (r < 0)
		return err_set(err, r, "cannot read what came before");
	s->pos += len;
	*ret = s->buf;
	*ret_len = len;
	return 1;
}

/* A full disk is the layer's affair: what is held gives way. */
static void hold(struct partial_src *s, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (!s->full && done < len) {
		ssize_t n = pwrite(s->p->fd, data + done, len - done, (off_t)(s->pos + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_debug("image", "partial given up errno=%d", errno);
			partial_drop(s->p);
			s->full = true;
			return;
		}
		done += (size_t)n;
	}
}

static int partial_next(struct source *src, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct partial_src *s = (struct partial_src *)src;
	int r;

	if (s->pos < s->p->held && !s->rest)
		return read_held(s, ret, ret_len, err);
	if (!s->rest) {
		if (s->pos > 0 && s->pos == s->blob->size)
			return 0;
		r = s->origin->ops->blob(s->origin, s->line, s->blob, s->pos, &s->rest, err);
		if (r < 0)
			return r;
	}
	r = source_next(s->rest, ret, ret_len, err);
	if (r <= 0)
		return r;
	hold(s, *ret, *ret_len);
	s->pos += *ret_len;
	return 1;
}

static void partial_src_close(struct source *src)
{
	struct partial_src *s = (struct partial_src *)src;

	source_close(s->rest);
	free(s);
}

int partial_source(struct partial *p, struct origin *o, struct origin_line *l,
	const struct descriptor *d, struct source **ret, struct err *err)
{
	struct partial_src *s = malloc(sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "cannot get a blob");
	s->source = (struct source){ partial_next, partial_src_close };
	s->p = p;
	s->origin = o;
	s->line = l;
	s->blob = d;
	s->rest = NULL;
	s->pos = 0;
	s->full = false;
	if (p->held)
		log_debug("image", "resume partial='%s' bytes=%llu", p->name,
			(unsigned long long)p->held);
	*ret = &s->source;
	return 0;
}

/* ---- the store ---- */

bool partial_has_blob(struct img_store *s, const struct descriptor *d)
{
	auto_free char *name = layout_blob_name(&d->digest);
	struct stat st;

	return name && fstatat(img_store_dirfd(s), name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == d->size;
}

int partial_publish(struct img_store *s, const struct descriptor *d, struct err *err)
{
	auto_free char *blob = layout_blob_name(&d->digest);
	auto_fd dirfd = open_dir(s, false), fd = -1, to = -1;
	char name[STORE_DIR_NAME_BYTES], dir[32];
	int r;

	if (partial_has_blob(s, d))
		return 0;
	if (!blob || dirfd < 0)
		return err_set(err, blob ? dirfd : -ENOMEM, "cannot keep a blob");
	store_dir_name(&d->digest, name);
	snprintf(dir, sizeof(dir), "blobs/%s", digest_alg_name(&d->digest));
	(void)mkdirat(img_store_dirfd(s), dir, 0700);
	to = store_open_dir(s, dir, err);
	if (to < 0)
		return to;
	fd = at_open(dirfd, name, O_RDONLY | O_NOFOLLOW, 0);
	if (fd == -ENOENT) {
		/* Somebody removed it: the image is whole without. */
		log_debug("image", "kept blob gone partial='%s'", name);
		return 0;
	}
	if (fd < 0)
		return err_set(err, fd, "cannot keep a blob");
	r = fsync(fd) < 0 || renameat(dirfd, name, img_store_dirfd(s), blob) < 0 ? -errno
										 : at_sync_dir(to);
	return r < 0 ? err_set(err, r, "cannot keep a blob") : 0;
}

static void sweep_one(int dirfd, const char *name, unsigned int min_age_s)
{
	auto_fd fd = -1;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		st.st_mtime > time(NULL) - (time_t)min_age_s)
		return;
	if (S_ISREG(st.st_mode)) {
		fd = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || lock_fd(fd, LOCK_EXCLUSIVE, LOCK_TRY) < 0)
			return;
	}
	(void)at_remove_tree(dirfd, name);
}

void partial_sweep(struct img_store *s, unsigned int min_age_s)
{
	int dirfd = open_dir(s, false);
	DIR *list = dirfd < 0 ? NULL : fdopendir(dirfd);
	struct dirent *de;

	while (list && (de = readdir(list)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			sweep_one(dirfd, de->d_name, min_age_s);
	if (list)
		(void)closedir(list);
	else if (dirfd >= 0)
		(void)close(dirfd);
}
