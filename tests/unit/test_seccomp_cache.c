/* SPDX-License-Identifier: Apache-2.0 */
#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/caps.h"
#include "runtime/seccomp_cache.h"
#include "runtime/seccomp_default.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>

static bool same(const struct sec_filter *a, const struct sec_filter *b)
{
	return a->n == b->n && a->kernel_flags == b->kernel_flags &&
	       memcmp(a->insns, b->insns, a->n * sizeof(*a->insns)) == 0;
}

/* The name of the one file in a directory. */
static void only_file(const char *path, char name[static 256])
{
	DIR *d = opendir(path);
	struct dirent *e;

	name[0] = '\0';
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(name, 256, "%s", e->d_name);
	if (d)
		(void)closedir(d);
}

TEST(what_comes_back_is_what_was_compiled)
{
	char path[] = "/tmp/test-seccomp-XXXXXX", name[256];
	auto_sec_filter fresh = { 0 }, first = { 0 }, second = { 0 }, third = { 0 }, other = { 0 };
	struct sec_default d, all;
	auto_fd dirfd = -1, slash = open("/", O_PATH | O_CLOEXEC);

	CHECK(mkdtemp(path));
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sec_default_init(&d, CAPS_DEFAULT);
	sec_default_init(&all, CAPS_ALL);
	CHECK_INT(sec_compile(&d.profile, &fresh, NULL), ==, 0);
	CHECK_INT(sec_compile_cached(dirfd, &d.profile, &first, NULL), ==, 0);
	only_file(path, name);
	CHECK(strncmp(name, "seccomp-", 8) == 0);
	CHECK_INT(sec_compile_cached(dirfd, &d.profile, &second, NULL), ==, 0);
	CHECK(same(&fresh, &first) && same(&fresh, &second));
	/* Another profile never gets this program. */
	CHECK_INT(sec_compile_cached(dirfd, &all.profile, &other, NULL), ==, 0);
	CHECK(!same(&fresh, &other));
	/* A damaged slot is compiled anew. */
	CHECK_INT(at_replace_file(dirfd, name, "short", 5, 0600, 0), ==, 0);
	CHECK_INT(sec_compile_cached(dirfd, &d.profile, &third, NULL), ==, 0);
	CHECK(same(&fresh, &third));
	CHECK_INT(at_remove_tree(slash, path + 1), ==, 0);
}

TEST(a_slot_is_used_when_it_matches)
{
	char path[] = "/tmp/test-seccomp-XXXXXX", name[256];
	auto_sec_filter first = { 0 }, second = { 0 };
	auto_free char *data = NULL;
	struct sec_default d;
	auto_fd dirfd = -1, slash = open("/", O_PATH | O_CLOEXEC);
	size_t len = 0;

	CHECK(mkdtemp(path));
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sec_default_init(&d, 0);
	CHECK_INT(sec_compile_cached(dirfd, &d.profile, &first, NULL), ==, 0);
	only_file(path, name);
	CHECK_INT(at_read_file(dirfd, name, 1 << 20, &data, &len), ==, 0);
	/* Cut the last instruction off: what comes back shows where it came from. */
	CHECK_INT(at_replace_file(dirfd, name, data, len - sizeof(struct sock_filter), 0600, 0), ==,
		0);
	CHECK_INT(sec_compile_cached(dirfd, &d.profile, &second, NULL), ==, 0);
	CHECK_INT(second.n, ==, first.n - 1);
	CHECK_INT(at_remove_tree(slash, path + 1), ==, 0);
}

TEST(no_directory_is_no_failure)
{
	auto_sec_filter f = { 0 };
	struct sec_default d;

	sec_default_init(&d, CAPS_DEFAULT);
	CHECK_INT(sec_compile_cached(-1, &d.profile, &f, NULL), ==, 0);
	CHECK(f.n > 0);
}
