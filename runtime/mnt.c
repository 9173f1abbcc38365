/* SPDX-License-Identifier: Apache-2.0 */
/* The mount API on fds (the contract is in the header). */
#include "runtime/mnt.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <fcntl.h>
#include <sys/mount.h>

#define LIMIT_FSCONFIG_VALUE 255 /* of fsconfig(2) */

static int set_data(int fs_fd, const char *data)
{
	auto_free char *copy = strdup(data);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		char *eq = strchr(word, '=');

		if (!*word)
			continue;
		if (eq)
			*eq = '\0';
		if (fsconfig(fs_fd, eq ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, word,
			    eq ? eq + 1 : NULL, 0) < 0)
			return -errno;
	}
	return 0;
}

static int set_flags(int fs_fd, unsigned long flags)
{
	static const struct {
		unsigned long flag;
		const char *word;
	} words[] = { { MS_SYNCHRONOUS, "sync" }, { MS_DIRSYNC, "dirsync" },
		{ MS_LAZYTIME, "lazytime" } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (flags & words[i].flag &&
			fsconfig(fs_fd, FSCONFIG_SET_FLAG, words[i].word, NULL, 0) < 0)
			return -errno;
	return 0;
}

int mnt_make_fs(
	const char *type, const char *source, const char *data, unsigned long flags, uint64_t attrs)
{
	auto_fd fs_fd = fsopen(type, FSOPEN_CLOEXEC);
	int fd, r;

	if (fs_fd < 0)
		return -errno;
	(void)fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source ? source : type, 0);
	r = set_flags(fs_fd, flags);
	if (r >= 0 && data)
		r = set_data(fs_fd, data);
	if (r < 0)
		return r;
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	return fd < 0 ? -errno : fd;
}

int mnt_clone(int dirfd, const char *path, unsigned int flags)
{
	int fd = open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

bool mnt_has_long_value(const char *data)
{
	while (data) {
		size_t len = strcspn(data, ",");
		const char *eq = memchr(data, '=', len);

		if (eq && len - (size_t)(eq + 1 - data) > LIMIT_FSCONFIG_VALUE)
			return true;
		data = data[len] ? data + len + 1 : NULL;
	}
	return false;
}

int mnt_make_fs_old(const char *type, const char *source, const char *data, unsigned long flags)
{
	int fd;

	if (mount(source ? source : type, "/proc", type, flags, data) < 0)
		return -errno;
	fd = mnt_clone(AT_FDCWD, "/proc", 0);
	if (umount2("/proc", MNT_DETACH) < 0 && fd >= 0) {
		(void)close(fd);
		fd = -errno;
	}
	return fd;
}

int mnt_attach(int mount_fd, int place_fd)
{
	return move_mount(mount_fd, "", place_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

int mnt_set_attrs(int mount_fd, uint64_t set, uint64_t clear, unsigned int flags)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	if (!set && !clear)
		return 0;
	/* The kernel takes an access-time mode only together with the mask that it replaces. */
	if (set & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME) || clear & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	return mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0 ? -errno
											   : 0;
}

int mnt_shift_ids(int mount_fd, int userns_fd, unsigned int flags)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };

	return mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0 ? -errno
											   : 0;
}

int mnt_set_propagation(int mount_fd, unsigned long propagation)
{
	struct mount_attr attr = { .propagation = propagation & ~(unsigned long)MS_REC };
	unsigned int flags = propagation & MS_REC ? AT_RECURSIVE : 0;

	return mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0 ? -errno
											   : 0;
}
