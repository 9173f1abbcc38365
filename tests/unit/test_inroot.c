/* SPDX-License-Identifier: Apache-2.0 */
#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/inroot.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* A directory "root" beside which nothing may ever appear. */
struct place {
	char path[64];
	int top, root;
};

static void place_make(struct place *p)
{
	snprintf(p->path, sizeof(p->path), "/tmp/lamina-inroot-XXXXXX");
	CHECK(mkdtemp(p->path));
	p->top = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(mkdirat(p->top, "root", 0755), ==, 0);
	p->root = openat(p->top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void place_done(struct place *p)
{
	CHECK_INT(at_remove_tree(p->top, "root"), ==, 0);
	(void)close(p->root);
	(void)close(p->top);
	CHECK_INT(rmdir(p->path), ==, 0); /* fails if anything escaped */
}

static bool has(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

TEST(missing_places_are_made_where_links_point_inside)
{
	struct place p;
	int fd;

	place_make(&p);
	CHECK_INT(mkdirat(p.root, "etc", 0755), ==, 0);
	CHECK_INT(symlinkat("../run/resolve/stub.conf", p.root, "etc/resolv.conf"), ==, 0);
	fd = inroot_open_file(p.root, "/etc/resolv.conf");
	CHECK_INT(fd, >=, 0);
	CHECK(has(p.root, "run/resolve/stub.conf"));
	(void)close(fd);
	CHECK_INT(symlinkat("/var/data", p.root, "data"), ==, 0);
	fd = inroot_open_dir(p.root, "data/a/b");
	CHECK_INT(fd, >=, 0);
	CHECK(has(p.root, "var/data/a/b"));
	(void)close(fd);
	place_done(&p);
}

TEST(no_link_leads_out_of_the_root)
{
	static const char *const targets[] = { "../out", "../../out", "/../out", "/x/../../out",
		"../../../../../../../../tmp/lamina-out" };
	struct place p;

	place_make(&p);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		int fd;

		CHECK_INT(symlinkat(targets[i], p.root, "dev"), ==, 0);
		fd = inroot_open_dir(p.root, "/dev/shm");
		CHECK_INT(fd, >=, 0);
		(void)close(fd);
		fd = inroot_open_file(p.root, "/dev/null");
		CHECK_INT(fd, >=, 0);
		(void)close(fd);
		CHECK(!has(p.top, "out"));
		CHECK_INT(unlinkat(p.root, "dev", 0), ==, 0);
	}
	CHECK(has(p.root, "out/shm"));
	CHECK(has(p.root, "tmp/lamina-out/null"));
	CHECK(access("/tmp/lamina-out", F_OK) < 0);
	place_done(&p);
}

TEST(links_that_never_end_are_refused)
{
	struct place p;

	place_make(&p);
	CHECK_INT(symlinkat("b", p.root, "a"), ==, 0);
	CHECK_INT(symlinkat("a", p.root, "b"), ==, 0);
	CHECK_INT(inroot_open_dir(p.root, "a/x"), ==, -ELOOP);
	CHECK_INT(symlinkat("c/c", p.root, "c"), ==, 0);
	CHECK_INT(inroot_open_file(p.root, "/c"), ==, -ELOOP);
	CHECK_INT(symlinkat("/proc/self/fd/0", p.root, "magic"), ==, 0);
	CHECK_INT(inroot_open(p.root, "magic", O_PATH), ==, -ENOENT);
	place_done(&p);
}

TEST(only_regular_files_of_bounded_size_are_read)
{
	struct place p;
	char *data = NULL;
	size_t len;
	int fd;

	place_make(&p);
	CHECK_INT(mkfifoat(p.root, "fifo", 0644), ==, 0);
	CHECK_INT(inroot_read(p.root, "fifo", 100, &data, &len), ==, -EINVAL);
	CHECK_INT(inroot_read(p.root, "/missing", 100, &data, &len), ==, -ENOENT);
	fd = openat(p.root, "passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	CHECK_INT(write(fd, "root:x", 6), ==, 6);
	(void)close(fd);
	CHECK_INT(inroot_read(p.root, "/passwd", 5, &data, &len), ==, -EFBIG);
	CHECK_INT(inroot_read(p.root, "/passwd", 6, &data, &len), ==, 0);
	CHECK_STR(data, "root:x");
	free(data);
	place_done(&p);
}

TEST(what_is_there_must_be_of_the_kind_that_is_needed)
{
	struct place p;
	int fd;

	place_make(&p);
	CHECK_INT(mkdirat(p.root, "d", 0755), ==, 0);
	fd = inroot_open_file(p.root, "f");
	CHECK_INT(fd, >=, 0);
	(void)close(fd);
	CHECK_INT(inroot_open_file(p.root, "d"), ==, -EISDIR);
	CHECK_INT(inroot_open_dir(p.root, "f"), ==, -ENOTDIR);
	CHECK_INT(inroot_open_dir(p.root, "f/x"), ==, -ENOTDIR);
	place_done(&p);
}

TEST(a_link_is_made_once_and_never_another)
{
	struct place p;
	char target[16];

	place_make(&p);
	CHECK_INT(inroot_symlink(p.root, "/new/dir/l", "to"), ==, 0);
	CHECK_INT(readlinkat(p.root, "new/dir/l", target, sizeof(target)), ==, 2);
	CHECK_INT(inroot_symlink(p.root, "/new/dir/l", "to"), ==, 0);
	CHECK_INT(inroot_symlink(p.root, "/new/dir/l", "else"), ==, -EEXIST);
	CHECK_INT(inroot_symlink(p.root, "/new/dir", "to"), ==, -EEXIST);
	CHECK_INT(inroot_symlink(p.root, "/", "to"), ==, -EINVAL);
	CHECK(inroot_exists(p.root, "/new/dir"));
	CHECK(!inroot_exists(p.root, "/new/dir/l"));
	place_done(&p);
}
