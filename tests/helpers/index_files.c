/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes in memory files. */
#include "tests/helpers/index_files.h"

#include "base/fd.h"
#include "image/index_merge.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, data, len) < 0)
		abort();
	return fd;
}

static void must(int r, const struct err *err)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "unexpected: %d '%s'\n", r, err->text);
	abort();
}

struct idx *layer_from_tar(const void *data, size_t len)
{
	auto_fd tar = memory_file(data, len), fd = memory_file("", 0);
	struct err err = ERR_INIT;
	struct layer_stats stats;
	struct idx *x;

	if (layer_index(tar, fd, IDX_SHA256, &stats, &err) < 0)
		return NULL;
	must(idx_open(&x, fd, IDX_KIND_LAYER, &err), &err);
	must(idx_verify(x, &err), &err);
	return x;
}

static int merge(struct idx *const *layers, uint32_t n)
{
	const struct idx_digest chain = { .alg = IDX_SHA256, .len = 32 };
	auto_fd fd = memory_file("", 0);

	return index_merge(layers, n, &chain, fd, NULL) < 0 ? -1 : fd_take(&fd);
}

struct idx *merge_checked(struct idx *const *layers, uint32_t n)
{
	auto_fd fd = merge(layers, n), again = -1;
	auto_free char *a = NULL, *b = NULL;
	struct err err = ERR_INIT;
	size_t len_a = 0, len_b = 0;
	struct idx *x;

	if (fd < 0)
		return NULL;
	must(idx_open(&x, fd, IDX_KIND_IMAGE, &err), &err);
	must(idx_verify(x, &err), &err);
	again = merge(layers, n);
	if (again < 0 || lseek(fd, 0, SEEK_SET) < 0 || lseek(again, 0, SEEK_SET) < 0)
		abort();
	must(fd_read_file(fd, SIZE_MAX / 2, &a, &len_a), &err);
	must(fd_read_file(again, SIZE_MAX / 2, &b, &len_b), &err);
	if (len_a != len_b || memcmp(a, b, len_a) != 0)
		abort();
	return x;
}
