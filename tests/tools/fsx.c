/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsx: random operations on one file against a model in memory
 *
 *      fsx [-d] FILE SEED OPERATIONS
 *
 * What FILE holds at the start is the model's beginning, so that a file of the lower is copied up
 * under way.  Reads and writes go through descriptors and mappings, with -d also around the page
 * cache.  The first difference ends the program with 1 and the number of the operation; after the
 * last, the whole file is compared.
 */
#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAX_BYTES   (512U << 10)
#define CHUNK_BYTES (64U << 10)
#define DIRECT	    4096U /* alignment of what goes around the page cache */

struct fsx {
	const char *path;
	int fd;
	uint64_t random;
	uint8_t *model; /* MAX_BYTES */
	uint8_t *buf; /* CHUNK_BYTES, aligned */
	size_t size;
	bool direct;
	const char *what; /* the operation, for the message */
	size_t off, len;
};

static uint32_t next(struct fsx *f, uint32_t below)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (uint32_t)(f->random >> 32) % below;
}

/* A range of at most @max bytes, at most a chunk long. */
static void pick(struct fsx *f, size_t max)
{
	f->off = max ? next(f, (uint32_t)max) : 0;
	f->len = 1 + next(f, next(f, 4) ? 9000 : CHUNK_BYTES);
	if (f->len > max - f->off)
		f->len = max - f->off;
}

static void fill(struct fsx *f)
{
	uint8_t c = (uint8_t)next(f, 256);

	for (size_t i = 0; i < f->len; i++)
		f->buf[i] = (uint8_t)(c + i);
}

static int differ(const struct fsx *f, const uint8_t *got)
{
	if (memcmp(got, f->model + f->off, f->len) == 0)
		return 0;
	for (size_t i = 0; i < f->len; i++)
		if (got[i] != f->model[f->off + i]) {
			fprintf(stderr, "byte %zu is %02x, not %02x\n", f->off + i, got[i],
				f->model[f->off + i]);
			break;
		}
	return -1;
}

static void grow(struct fsx *f)
{
	if (f->off + f->len > f->size)
		f->size = f->off + f->len;
}

/* ---- operations: 0, or -1 with errno or a message ---- */

static int op_read(struct fsx *f)
{
	pick(f, f->size);
	if (pread(f->fd, f->buf, f->len, (off_t)f->off) != (ssize_t)f->len)
		return -1;
	return differ(f, f->buf);
}

static int op_write(struct fsx *f)
{
	pick(f, MAX_BYTES);
	fill(f);
	if (pwrite(f->fd, f->buf, f->len, (off_t)f->off) != (ssize_t)f->len)
		return -1;
	memcpy(f->model + f->off, f->buf, f->len);
	grow(f);
	return 0;
}

static int op_append(struct fsx *f)
{
	auto_fd fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);

	f->off = f->size;
	f->len = 1 + next(f, 5000);
	if (f->off + f->len > MAX_BYTES)
		return 0;
	fill(f);
	if (fd < 0 || write(fd, f->buf, f->len) != (ssize_t)f->len)
		return -1;
	memcpy(f->model + f->off, f->buf, f->len);
	grow(f);
	return 0;
}

static int op_truncate(struct fsx *f)
{
	f->off = next(f, MAX_BYTES);
	f->len = 0;
	if (ftruncate(f->fd, (off_t)f->off) < 0)
		return -1;
	if (f->off < f->size)
		memset(f->model + f->off, 0, f->size - f->off);
	f->size = f->off;
	return 0;
}

static int op_map(struct fsx *f)
{
	bool write = next(f, 2);
	uint8_t *m;
	int r;

	pick(f, f->size);
	if (!f->len)
		return 0;
	m = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (m == MAP_FAILED)
		return -1;
	r = differ(f, m + f->off);
	if (r == 0 && write) {
		fill(f);
		memcpy(m + f->off, f->buf, f->len);
		memcpy(f->model + f->off, f->buf, f->len);
		if (next(f, 4) == 0)
			r = msync(m, f->size, MS_SYNC);
	}
	/* What is mapped behind the end is zeros, and nobody else's. */
	for (size_t i = f->size; r == 0 && i % 4096; i++)
		if (m[i]) {
			fprintf(stderr, "byte %zu behind the end is %02x\n", i, m[i]);
			r = -1;
		}
	(void)munmap(m, f->size);
	return r;
}

static int op_punch(struct fsx *f)
{
	pick(f, f->size);
	if (!f->len)
		return 0;
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->off,
		    (off_t)f->len) < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	memset(f->model + f->off, 0, f->len);
	return 0;
}

static int op_zero(struct fsx *f)
{
	pick(f, MAX_BYTES);
	if (!f->len)
		return 0;
	if (fallocate(f->fd, FALLOC_FL_ZERO_RANGE, (off_t)f->off, (off_t)f->len) < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	memset(f->model + f->off, 0, f->len);
	grow(f);
	return 0;
}

static int op_allocate(struct fsx *f)
{
	pick(f, MAX_BYTES);
	if (!f->len)
		return 0;
	if (fallocate(f->fd, 0, (off_t)f->off, (off_t)f->len) < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	grow(f);
	return 0;
}

static int op_copy(struct fsx *f)
{
	loff_t from, to;
	ssize_t n;

	pick(f, f->size);
	from = (loff_t)f->off;
	to = next(f, MAX_BYTES - CHUNK_BYTES);
	/* Ranges that overlap are EINVAL. */
	if (!f->len || (from < to + (loff_t)f->len && to < from + (loff_t)f->len))
		return 0;
	n = copy_file_range(f->fd, &from, f->fd, &to, f->len, 0);
	if (n < 0)
		return -1;
	to -= n;
	memcpy(f->model + to, f->model + f->off, (size_t)n);
	f->off = (size_t)to;
	f->len = (size_t)n;
	grow(f);
	return 0;
}

/* Everything between where data ends and where it begins again is zero. */
static int op_seek(struct fsx *f)
{
	off_t hole, data;

	pick(f, f->size);
	if (!f->size)
		return 0;
	hole = lseek(f->fd, (off_t)f->off, SEEK_HOLE);
	if (hole < 0 || hole > (off_t)f->size)
		return -1;
	data = hole < (off_t)f->size ? lseek(f->fd, hole, SEEK_DATA) : hole;
	if (data < 0 && errno == ENXIO)
		data = (off_t)f->size;
	for (off_t i = hole; i < data; i++)
		if (f->model[i]) {
			fprintf(stderr, "byte %lld is in a hole\n", (long long)i);
			return -1;
		}
	return 0;
}

static int op_sync(struct fsx *f)
{
	return next(f, 20) ? 0 : fsync(f->fd);
}

static int op_reopen(struct fsx *f)
{
	(void)close(f->fd);
	f->fd = open(f->path, O_RDWR | O_CLOEXEC);
	return f->fd < 0 ? -1 : 0;
}

static int op_stat(struct fsx *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return -1;
	if ((size_t)st.st_size == f->size)
		return 0;
	fprintf(stderr, "the size is %lld, not %zu\n", (long long)st.st_size, f->size);
	return -1;
}

static int op_direct(struct fsx *f)
{
	auto_fd fd = f->direct ? open(f->path, O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
	bool write = next(f, 2);
	ssize_t n;

	if (fd < 0)
		return f->direct && errno != EINVAL ? -1 : 0;
	pick(f, write ? MAX_BYTES : f->size);
	f->off -= f->off % DIRECT;
	f->len -= f->len % DIRECT;
	if (!f->len)
		return 0;
	if (!write) {
		n = pread(fd, f->buf, f->len, (off_t)f->off);
		return n != (ssize_t)f->len ? -1 : differ(f, f->buf);
	}
	fill(f);
	if (pwrite(fd, f->buf, f->len, (off_t)f->off) != (ssize_t)f->len)
		return -1;
	memcpy(f->model + f->off, f->buf, f->len);
	grow(f);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct fsx *f);
} ops[] = {
	{ "read", op_read },
	{ "read", op_read },
	{ "write", op_write },
	{ "write", op_write },
	{ "append", op_append },
	{ "truncate", op_truncate },
	{ "map", op_map },
	{ "map", op_map },
	{ "punch", op_punch },
	{ "zero", op_zero },
	{ "allocate", op_allocate },
	{ "copy", op_copy },
	{ "seek", op_seek },
	{ "sync", op_sync },
	{ "reopen", op_reopen },
	{ "stat", op_stat },
	{ "direct", op_direct },
};

static int compare_all(struct fsx *f)
{
	f->what = "the whole file";
	for (f->off = 0; f->off < f->size; f->off += f->len) {
		f->len = f->size - f->off < CHUNK_BYTES ? f->size - f->off : CHUNK_BYTES;
		if (pread(f->fd, f->buf, f->len, (off_t)f->off) != (ssize_t)f->len ||
			differ(f, f->buf) < 0)
			return -1;
	}
	return op_stat(f);
}

static int start(struct fsx *f)
{
	ssize_t n;

	f->model = calloc(1, MAX_BYTES);
	f->buf = aligned_alloc(DIRECT, CHUNK_BYTES);
	f->fd = open(f->path, O_RDWR | O_CLOEXEC);
	if (!f->model || !f->buf || f->fd < 0)
		return -1;
	n = pread(f->fd, f->model, MAX_BYTES, 0);
	f->size = n > 0 ? (size_t)n : 0;
	return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct fsx f = { .fd = -1 };
	long n, i = 0;
	int r;

	if (argc > 1 && strcmp(argv[1], "-d") == 0) {
		f.direct = true;
		argc--;
		argv++;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: fsx [-d] FILE SEED OPERATIONS\n");
		return 2;
	}
	f.path = argv[1];
	f.random = strtoull(argv[2], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	n = strtol(argv[3], NULL, 10);
	r = start(&f);
	for (; r == 0 && i < n; i++) {
		size_t k = next(&f, ARRAY_SIZE(ops));

		errno = 0;
		f.what = ops[k].name;
		r = ops[k].run(&f);
	}
	if (r == 0)
		r = compare_all(&f);
	if (r < 0)
		fprintf(stderr, "fsx: operation %ld, %s of %zu bytes at %zu, size %zu: %s\n", i,
			f.what ? f.what : "start", f.len, f.off, f.size, strerror(errno));
	free(f.model);
	free(f.buf);
	return r < 0;
}
