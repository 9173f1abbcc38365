/* SPDX-License-Identifier: Apache-2.0 */
#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/copytree.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>

TEST(a_tree_is_copied_and_no_link_is_followed)
{
	char path[] = "/tmp/lamina-copytree-XXXXXX", target[64];
	int top, from, to, fd;
	struct stat st;

	CHECK(mkdtemp(path));
	top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(mkdirat(top, "from", 01777), ==, 0);
	CHECK_INT(fchmodat(top, "from", 01777, 0), ==, 0);
	CHECK_INT(mkdirat(top, "to", 0700), ==, 0);
	from = openat(top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = openat(top, "to", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(mkdirat(from, "lock", 0750), ==, 0);
	fd = openat(from, "lock/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	CHECK_INT(write(fd, "text", 4), ==, 4);
	(void)close(fd);
	CHECK_INT(symlinkat("/etc", from, "link"), ==, 0);
	CHECK_INT(mkfifoat(from, "fifo", 0600), ==, 0);
	CHECK_INT(copytree(from, to), ==, 0);
	CHECK_INT(fstat(to, &st), ==, 0);
	CHECK_INT(st.st_mode & 07777, ==, 01777);
	CHECK_INT(fstatat(to, "lock/f", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	CHECK_INT(st.st_size, ==, 4);
	CHECK_INT(st.st_mode & 07777, ==, 0640);
	CHECK_INT(readlinkat(to, "link", target, sizeof(target)), ==, 4);
	CHECK(faccessat(to, "fifo", F_OK, 0) < 0);
	(void)close(from);
	(void)close(to);
	CHECK_INT(at_remove_tree(top, "from"), ==, 0);
	CHECK_INT(at_remove_tree(top, "to"), ==, 0);
	(void)close(top);
	CHECK_INT(rmdir(path), ==, 0);
}
