/* SPDX-License-Identifier: Apache-2.0 */
/* Entries below hostile directories (the contract is in the header). */
#include "runtime/put.h"

#include "base/at.h"
#include "base/cleanup.h"

#include <fcntl.h>

#define MAX_TRIES 16 /* of somebody who makes the name again and again */

/*
 * unlink(2) refuses what something is mounted on only in the mount namespace of the caller; in the
 * others the mount goes away, so a container would lose it.
 */
static bool is_mountpoint(int dirfd, const char *name)
{
	struct statx stx;

	return statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &stx) == 0 &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Make the name free: 0; -EISDIR; -EBUSY if something is mounted on it. */
static int clear(const struct put *p, int dirfd, const char *name)
{
	struct stat st;
	int code;

	if (is_mountpoint(dirfd, name))
		return -EBUSY;
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	code = -errno;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return code;
	return p->overwrite ? at_remove_tree(dirfd, name) : -EISDIR;
}

int put_dir(const struct put *p, int dirfd, const char *name, bool *ret_is_new)
{
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		struct stat st;
		int fd, r;

		*ret_is_new = mkdirat(dirfd, name, 0700) == 0;
		if (!*ret_is_new && errno != EEXIST)
			return -errno;
		fd = openat(dirfd, name,
			(*ret_is_new ? O_RDONLY : O_PATH) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
			return -errno;
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
			!p->overwrite)
			return -ENOTDIR;
		r = clear(p, dirfd, name);
		if (r < 0)
			return r;
	}
	return -EBUSY;
}

/* A file that something is mounted on is written where it is. */
static int open_in_place(int dirfd, const char *name)
{
	auto_fd fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return ftruncate(fd, 0) < 0 ? -errno : fd_take(&fd);
}

int put_file(const struct put *p, int dirfd, const char *name)
{
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		int r = clear(p, dirfd, name), fd;

		if (r == -EBUSY)
			return open_in_place(dirfd, name);
		if (r < 0)
			return r;
		fd = openat(
			dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EBUSY;
}

/* Owner and time of an entry that has no fd; the mode of a link means nothing. */
static int finish_at(const struct put *p, int dirfd, const char *name, const struct put_meta *meta)
{
	const struct timespec times[2] = { meta->mtime, meta->mtime };

	if (!p->own_ids && fchownat(dirfd, name, meta->uid, meta->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	(void)utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

int put_symlink(const struct put *p, int dirfd, const char *name, const char *target,
	const struct put_meta *meta)
{
	int r = clear(p, dirfd, name);

	if (r < 0)
		return r;
	if (symlinkat(target, dirfd, name) < 0)
		return -errno;
	return finish_at(p, dirfd, name, meta);
}

int put_fifo(const struct put *p, int dirfd, const char *name, const struct put_meta *meta)
{
	int r = clear(p, dirfd, name);

	if (r < 0)
		return r;
	/* The umask may take bits away; chmod(2) would follow a link that was swapped in. */
	if (mkfifoat(dirfd, name, meta->mode & p->mask & 0777) < 0)
		return -errno;
	return finish_at(p, dirfd, name, meta);
}

int put_finish(const struct put *p, int fd, const struct put_meta *meta)
{
	const struct timespec times[2] = { meta->mtime, meta->mtime };

	if (!p->own_ids && fchown(fd, meta->uid, meta->gid) < 0)
		return -errno;
	/* Behind the owner, whose change takes set-id bits away. */
	if (fchmod(fd, meta->mode & p->mask) < 0)
		return -errno;
	return futimens(fd, times) < 0 ? -errno : 0;
}
