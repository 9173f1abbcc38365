/* SPDX-License-Identifier: Apache-2.0 */
/* Files and checks as sources (the contract is in the header). */
#include "image/blob_source.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "image/hash_thread.h"

#include <fcntl.h>

#define FILE_PIECE_BYTES (256 << 10)

struct file_source {
	struct source source;
	int fd;
	int broken; /* the errno that every later call repeats */
	uint8_t buf[FILE_PIECE_BYTES];
};

static int file_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct file_source *f = (struct file_source *)s;
	ssize_t n;

	if (f->broken)
		return err_set(err, f->broken, "cannot read a blob");
	do
		n = read(f->fd, f->buf, sizeof(f->buf));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		f->broken = -errno;
		return err_set(err, f->broken, "cannot read a blob");
	}
	*ret = f->buf;
	*ret_len = (size_t)n;
	return n > 0;
}

static void file_close(struct source *s)
{
	struct file_source *f = (struct file_source *)s;

	(void)close(f->fd);
	free(f);
}

int source_file_new_take_fd(struct source **ret, int fd, struct err *err)
{
	struct file_source *f = malloc(sizeof(*f));

	if (!f) {
		(void)close(fd);
		return err_set(err, -ENOMEM, "cannot read a blob");
	}
	f->source = (struct source){ file_next, file_close };
	f->fd = fd;
	f->broken = 0;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret = &f->source;
	return 0;
}

/* A blob of this size is hashed by a thread of its own, while its reader unpacks the piece. */
#define LARGE_BYTES (4U << 20)

struct check_source {
	struct source source;
	struct source *below;
	struct hasher *hasher; /* of a small blob */
	struct hash_thread *thread; /* of a large one */
	struct idx_digest digest;
	uint64_t size, seen;
	_Atomic uint64_t *progress;
	int broken;
	bool at_end; /* and found right */
};

static int check_end(struct check_source *c, struct err *err)
{
	char is[DIGEST_TEXT_BYTES], want[DIGEST_TEXT_BYTES];
	struct idx_digest digest;

	if (c->seen != c->size)
		return err_say(err, -EBADMSG, "the blob ends after %llu of %llu bytes",
			(unsigned long long)c->seen, (unsigned long long)c->size);
	if (c->thread)
		hash_thread_finish(c->thread, &digest);
	else
		hasher_finish(c->hasher, &digest);
	if (!digest_eq(&digest, &c->digest)) {
		digest_text(&digest, is);
		digest_text(&c->digest, want);
		return err_say(err, -EBADMSG, "digest is %s, not %s", is, want);
	}
	c->at_end = true;
	return 0;
}

static int check_step(struct check_source *c, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	int r;

	/* The last piece is going to be overwritten. */
	if (c->thread)
		hash_thread_wait(c->thread, 0);
	r = source_next(c->below, ret, ret_len, err);
	if (r < 0)
		return r;
	if (r == 0)
		return check_end(c, err);
	if (*ret_len > c->size - c->seen)
		return err_say(err, -EBADMSG,
			"the blob has more than the %llu bytes of its descriptor",
			(unsigned long long)c->size);
	c->seen += *ret_len;
	if (c->thread)
		hash_thread_push(c->thread, *ret, *ret_len);
	else
		hasher_update(c->hasher, *ret, *ret_len);
	if (c->progress)
		atomic_fetch_add_explicit(c->progress, *ret_len, memory_order_relaxed);
	return 1;
}

static int check_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct check_source *c = (struct check_source *)s;
	int r;

	if (c->at_end)
		return 0;
	if (c->broken)
		return err_set(err, c->broken, "cannot read a blob");
	r = check_step(c, ret, ret_len, err);
	if (r < 0)
		c->broken = r;
	return r;
}

static void check_close(struct source *s)
{
	struct check_source *c = (struct check_source *)s;

	hash_thread_free(c->thread);
	source_close(c->below);
	hasher_free(c->hasher);
	free(c);
}

int source_check_new(struct source **ret, struct source *below, const struct idx_digest *digest,
	uint64_t size, _Atomic uint64_t *progress, struct err *err)
{
	struct check_source *c = calloc(1, sizeof(*c));

	if (!c) {
		source_close(below);
		return err_set(err, -ENOMEM, "cannot check a blob");
	}
	c->source = (struct source){ check_next, check_close };
	c->below = below;
	if ((size < LARGE_BYTES ? hasher_new(&c->hasher, digest->alg)
				: hash_thread_new(&c->thread, digest->alg)) < 0) {
		check_close(&c->source);
		return err_set(err, -ENOMEM, "cannot check a blob");
	}
	c->digest = *digest;
	c->size = size;
	c->progress = progress;
	*ret = &c->source;
	return 0;
}

int source_check_rest(struct source *s, struct err *err)
{
	struct check_source *c = (struct check_source *)s;
	const uint8_t *data;
	size_t len;
	int r;

	if (c->broken)
		return 0;
	while ((r = source_next(s, &data, &len, err)) > 0)
		;
	return r;
}

int source_read_all(struct source *s, size_t max, char **ret, size_t *ret_len, struct err *err)
{
	auto_buf b = { 0 };
	const uint8_t *data;
	size_t len;
	int r;

	while ((r = source_next(s, &data, &len, err)) > 0) {
		if (len > max - b.len)
			return err_say(err, -EFBIG, "there are more than %zu bytes", max);
		if (buf_add(&b, data, len) < 0)
			return err_set(err, -ENOMEM, "cannot read %zu bytes", b.len + len);
	}
	if (r < 0)
		return r;
	*ret_len = b.len;
	*ret = buf_take(&b);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot read a blob");
}
