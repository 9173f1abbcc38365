/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation on the way from a tar to a merged index fails once
 *
 * The linker sends the allocations of our own code here (--wrap); those of libraries go on to work.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/index_merge.h"
#include "image/layer_write.h"
#include "tests/helpers/make_tar.h"
#include "tests/unit/test.h"

#include <stdatomic.h>
#include <sys/mman.h>

static atomic_long left = -1; /* allocations until one fails; below 0: none does */

static bool must_fail(void)
{
	return atomic_load(&left) >= 0 && atomic_fetch_sub(&left, 1) == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t n)
{
	return must_fail() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return must_fail() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return must_fail() ? NULL : __real_reallocarray(p, n, size);
}

static void example(struct buf *tar)
{
	char name[32];

	make_tar_add(tar, &(struct tar_entry){ .name = "d/", .type = '5' });
	make_tar_add(tar, &(struct tar_entry){ .name = "d/f",
				  .data = "hello",
				  .pax = "path=d/file\nSCHILY.xattr.user.a=b\n"
					 "LIBARCHIVE.xattr.user.c=ZA==\n" });
	make_tar_add(tar, &(struct tar_entry){ .name = "s", .type = '2', .link = "d" });
	make_tar_add(tar, &(struct tar_entry){ .name = "s/h", .type = '1', .link = "d/file" });
	make_tar_add(tar, &(struct tar_entry){ .name = "i/m/plied" });
	make_tar_add(tar, &(struct tar_entry){ .name = ".wh.gone" });
	make_tar_add(tar, &(struct tar_entry){ .name = "sp",
				  .data = "12345",
				  .pax = "GNU.sparse.size=100\nGNU.sparse.numblocks=2\n"
					 "GNU.sparse.map=0,2,50,3\n" });
	/* More names than the tables begin with. */
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		make_tar_add(tar, &(struct tar_entry){ .name = name });
	}
	make_tar_end(tar);
}

static int run(int tar)
{
	const struct idx_digest chain = { .alg = IDX_SHA256, .len = 32 };
	auto_fd layer = memfd_create("layer", MFD_CLOEXEC),
		image = memfd_create("image", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	struct layer_stats stats;
	struct idx *x = NULL;
	int r = layer_index(tar, layer, IDX_SHA256, &stats, &err);

	if (r == 0)
		r = idx_open(&x, layer, IDX_KIND_LAYER, &err);
	if (r == 0)
		r = idx_verify(x, &err);
	if (r == 0)
		r = index_merge((struct idx *const[]){ x, x }, 2, &chain, image, &err);
	idx_close(x);
	x = NULL;
	if (r == 0)
		r = idx_open(&x, image, IDX_KIND_IMAGE, &err);
	if (r == 0)
		r = idx_verify(x, &err);
	idx_close(x);
	return r;
}

TEST(every_allocation_may_fail)
{
	auto_fd tar_fd = memfd_create("tar", MFD_CLOEXEC);
	auto_buf tar = { 0 };
	long n = 0;
	int r;

	example(&tar);
	CHECK_INT(fd_write_all(tar_fd, tar.data, tar.len), ==, 0);
	for (;; n++) {
		atomic_store(&left, n);
		r = run(tar_fd);
		if (atomic_exchange(&left, -1) >= 0)
			break; /* none was left to fail */
		CHECK_INT(r, ==, -12);
	}
	CHECK_INT(r, ==, 0);
	CHECK(n > 50);
}
