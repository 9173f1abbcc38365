/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of small trees (the contract is in the header). */
#include "runtime/copytree.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

struct budget {
	long long bytes;
	int entries;
};

static int copy_data(int from, int to, struct budget *b)
{
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, 1 << 20);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		b->bytes -= n;
		if (b->bytes < 0)
			return -E2BIG;
	}
}

static int set_owner(int fd, const struct stat *st)
{
	/* Ids that have no number here stay root's, as they were shown. */
	if (fchown(fd, st->st_uid, st->st_gid) < 0 && errno != EINVAL)
		return -errno;
	return fchmod(fd, st->st_mode & 07777) < 0 ? -errno : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct budget *b)
{
	auto_fd from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd to = -1;
	struct stat st;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	r = copy_data(from, to, b);
	return r < 0 ? r : set_owner(to, &st);
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0)
		return -errno;
	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno != EINVAL)
		return -errno;
	return 0;
}

static int copy_dir(int from, int to, int depth, struct budget *b);

static int copy_entry(int from, int to, const char *name, int depth, struct budget *b)
{
	auto_fd sub_from = -1, sub_to = -1;
	struct stat st;

	if (--b->entries < 0)
		return -E2BIG;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, b);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (depth == 0)
		return -E2BIG;
	if (mkdirat(to, name, 0700) < 0)
		return -errno;
	sub_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	sub_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_from < 0 || sub_to < 0)
		return -errno;
	return copy_dir(sub_from, sub_to, depth - 1, b);
}

static int copy_dir(int from, int to, int depth, struct budget *b)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!dir || fstat(fd, &st) < 0)
		return -errno;
	while (r >= 0 && (e = readdir(dir)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			r = copy_entry(from, to, e->d_name, depth, b);
	(void)closedir(dir);
	return r < 0 ? r : set_owner(to, &st);
}

static int copy_within(int from, int to, struct budget b)
{
	auto_fd fd = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : copy_dir(from, fd, LIMIT_COPYTREE_DEPTH, &b);
}

int copytree(int from, int to)
{
	return copy_within(
		from, to, (struct budget){ LIMIT_COPYTREE_BYTES, LIMIT_COPYTREE_ENTRIES });
}

int copytree_to_disk(int from, int to)
{
	return copy_within(from, to, (struct budget){ INT64_MAX, INT32_MAX });
}
