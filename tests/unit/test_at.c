/* SPDX-License-Identifier: Apache-2.0 */
#include "base/at.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/test.h"

#include <fcntl.h>

static int make_tmp_dir(char path[static 64])
{
	snprintf(path, 64, "/tmp/lamina-test-XXXXXX");
	return mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -errno;
}

TEST(a_symlink_never_leads_out)
{
	char path[64];
	auto_fd top = make_tmp_dir(path);
	auto_fd fd = -1;

	CHECK(top >= 0);
	CHECK_INT(symlinkat("/etc", top, "out"), ==, 0);
	CHECK_INT(at_open(top, "out/passwd", O_RDONLY, 0), ==, -EXDEV);
	CHECK_INT(at_open(top, "../x", O_RDONLY, 0), ==, -EXDEV);
	CHECK_INT(at_open_in_root(top, "out/passwd", O_RDONLY, 0), ==, -ENOENT);
	fd = at_mkdir_p(top, "a/b/c", 0755);
	CHECK(fd >= 0);
	CHECK_INT(at_mkdir_p(top, "out/x", 0755), ==, -ENOTDIR);
	CHECK_INT(at_remove_tree(AT_FDCWD, path), ==, 0);
	CHECK(access("/etc/passwd", F_OK) == 0);
}

TEST(trees_of_any_depth_and_mode_are_removed)
{
	char path[64];
	auto_fd top = make_tmp_dir(path);
	auto_fd here = dup(top);

	CHECK(top >= 0);
	for (int i = 0; i < 3000; i++) {
		int next;

		CHECK_INT(mkdirat(here, "d", 0755), ==, 0);
		if (i % 100 == 0) {
			CHECK_INT(mkdirat(here, "locked", 0755), ==, 0);
			CHECK_INT(mkdirat(here, "locked/in", 0755), ==, 0);
			CHECK_INT(fchmodat(here, "locked", 0, 0), ==, 0);
			CHECK_INT(symlinkat("/etc", here, "link"), ==, 0);
		}
		next = openat(here, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(here);
		here = next;
	}
	CHECK_INT(at_remove_tree(AT_FDCWD, path), ==, 0);
	CHECK(access(path, F_OK) < 0 && errno == ENOENT);
}

static int count_or_stop(void *ctx, int dirfd, const struct dirent *de)
{
	int *n = ctx;

	if (faccessat(dirfd, de->d_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return -EBADF;
	return ++*n == 3 ? 7 : 0;
}

TEST(a_listing_ends_where_its_function_says)
{
	char path[64];
	auto_fd top = make_tmp_dir(path);
	int n = 0;

	CHECK(top >= 0);
	CHECK_INT(at_list_take_fd(at_open_again(top), count_or_stop, &n), ==, 0);
	CHECK_INT(n, ==, 0);
	for (int i = 0; i < 5; i++) {
		char name[] = { (char)('a' + i), '\0' };

		CHECK_INT(mkdirat(top, name, 0700), ==, 0);
	}
	CHECK_INT(at_list_take_fd(at_open_again(top), count_or_stop, &n), ==, 7);
	CHECK_INT(n, ==, 3);
	CHECK_INT(at_list_take_fd(-ENOENT, count_or_stop, &n), ==, -ENOENT);
	CHECK_INT(at_list_take_fd(open("/dev/null", O_RDONLY | O_CLOEXEC), count_or_stop, &n), ==,
		-ENOTDIR);
	CHECK_INT(at_remove_tree(AT_FDCWD, path), ==, 0);
}

TEST(a_fifo_or_a_link_is_no_file_to_read)
{
	char path[64];
	auto_fd top = make_tmp_dir(path);
	auto_free char *data = NULL;

	CHECK(top >= 0);
	CHECK_INT(mkfifoat(top, "fifo", 0600), ==, 0);
	CHECK_INT(symlinkat("fifo", top, "link"), ==, 0);
	CHECK_INT(at_read_file(top, "fifo", 100, &data, NULL), ==, -EINVAL);
	CHECK_INT(at_read_file(top, "link", 100, &data, NULL), ==, -ELOOP);
	CHECK_INT(at_replace_file(top, "f", "12345", 5, 0600, 0), ==, 0);
	CHECK_INT(at_read_file(top, "f", 4, &data, NULL), ==, -EFBIG);
	CHECK_INT(at_read_file(top, "f", 5, &data, NULL), ==, 0);
	CHECK_STR(data, "12345");
	CHECK_INT(at_remove_tree(AT_FDCWD, path), ==, 0);
}
