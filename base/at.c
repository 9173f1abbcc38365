/* SPDX-License-Identifier: Apache-2.0 */
/* File operations beneath a directory fd (the contract is in the header). */
#include "base/at.h"

#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>

static int open_how(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY ? mode : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	/* EAGAIN: a rename elsewhere raced with "..", which the kernel cannot then prove safe. */
	for (int tries = 0; tries < 64; tries++) {
		long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int at_open(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_how(dirfd, path, flags, mode, RESOLVE_BENEATH);
}

int at_open_in_root(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_how(dirfd, path, flags, mode, RESOLVE_IN_ROOT);
}

int at_open_here(int dirfd, const char *path, int flags)
{
	return open_how(
		dirfd, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int at_reopen(int fd, int flags)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, flags | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

int at_mkdir_p(int dirfd, const char *path, mode_t mode)
{
	auto_free char *copy = strdup(path);
	auto_fd here = -1;
	char *rest, *name;

	if (!copy)
		return -ENOMEM;
	here = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return -errno;
	rest = copy;
	while ((name = strsep(&rest, "/"))) {
		int next;

		if (!*name || str_eq(name, "."))
			continue;
		if (str_eq(name, ".."))
			return -EINVAL;
		if (mkdirat(here, name, mode) < 0 && errno != EEXIST)
			return -errno;
		next = openat(here, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		(void)close(here);
		here = next;
	}
	return fd_take(&here);
}

/* Open a directory for reading even where its mode forbids its owner to. */
static int open_dir_for_removal(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int at_list_take_fd(int fd, int (*fn)(void *ctx, int dirfd, const struct dirent *de), void *ctx)
{
	const struct dirent *de;
	DIR *dir;
	int r = 0;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	while (r == 0) {
		errno = 0;
		de = readdir(dir);
		if (!de) {
			r = -errno;
			break;
		}
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			r = fn(ctx, fd, de);
	}
	(void)closedir(dir);
	return r;
}

int at_open_again(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Empty the directory @fd (consumed) of all that is not a non-empty directory; such children are
 * moved up to @top under fresh names, so that no depth needs a stack of fds or memory.
 */
static int empty_one_dir_take_fd(int top, int fd, unsigned int *next_id)
{
	struct dirent *de;
	DIR *dir = fdopendir(fd);
	int r = 0;

	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	/* The mode may lack the owner's write or search bit: give both, it is being removed. */
	(void)fchmod(fd, 0700);
	for (;;) {
		char moved[32];

		errno = 0;
		de = readdir(dir);
		if (!de) {
			r = -errno;
			break;
		}
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (unlinkat(fd, de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = -errno;
			break;
		}
		if (unlinkat(fd, de->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno == ENOTDIR) {
			r = -EPERM;
			break;
		}
		if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES) {
			r = -errno;
			break;
		}
		do
			snprintf(moved, sizeof(moved), ".rm-%u", (*next_id)++);
		while (renameat2(fd, de->d_name, top, moved, RENAME_NOREPLACE) < 0 &&
			errno == EEXIST);
		if (faccessat(top, moved, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
			/* A directory that its owner may not write refuses to change its "..". */
			(void)fchmodat(fd, de->d_name, 0700, 0);
			if (renameat(fd, de->d_name, top, moved) < 0) {
				r = -errno;
				break;
			}
		}
	}
	(void)closedir(dir);
	return r;
}

int at_remove_tree(int dirfd, const char *name)
{
	unsigned int next_id = 0;
	auto_fd top = -1;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	top = open_dir_for_removal(dirfd, name);
	if (top < 0)
		return top;
	/* Each turn empties @top and flattens one more level of the tree into it. */
	for (;;) {
		int fd, r;
		DIR *dir;
		struct dirent *de;
		bool any = false;

		fd = fcntl(top, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return -errno;
		dir = fdopendir(fd);
		if (!dir) {
			r = -errno;
			(void)close(fd);
			return r;
		}
		(void)fchmod(top, 0700);
		rewinddir(dir);
		r = 0;
		while (r == 0 && (de = readdir(dir))) {
			if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
				continue;
			any = true;
			if (unlinkat(top, de->d_name, 0) == 0 || errno == ENOENT)
				continue;
			if (unlinkat(top, de->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
				continue;
			fd = open_dir_for_removal(top, de->d_name);
			if (fd < 0)
				r = fd;
			else
				r = empty_one_dir_take_fd(top, fd, &next_id);
			if (r == 0 && unlinkat(top, de->d_name, AT_REMOVEDIR) < 0 &&
				errno != ENOENT)
				r = -errno;
		}
		(void)closedir(dir);
		if (r < 0)
			return r;
		if (!any)
			break;
	}
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int at_read_file(int dirfd, const char *path, size_t max_len, char **ret_data, size_t *ret_len)
{
	auto_fd fd = at_open(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return fd;
	return fd_read_file(fd, max_len, ret_data, ret_len);
}

int at_replace_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
	enum at_replace_flags flags)
{
	auto_free char *tmp = str_format(".%s.tmp-%d", name, (int)getpid());
	auto_fd fd = -1;
	int r;

	if (!tmp)
		return -ENOMEM;
	(void)unlinkat(dirfd, tmp, 0);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r == 0 && (flags & AT_REPLACE_SYNC) && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return r;
	}
	return flags & AT_REPLACE_SYNC ? at_sync_dir(dirfd) : 0;
}

int at_sync_dir(int dirfd)
{
	auto_fd fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}
