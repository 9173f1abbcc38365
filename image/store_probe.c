/* SPDX-License-Identifier: Apache-2.0 */
/* What the filesystem of a store can do (the contract is in the header). */
#include "image/store_probe.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "image/store_dir.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

static const struct {
	const char *name, *without;
} texts[] = {
	[PROBE_LOCKS] = { "locks",
		"a store that several processes write is not safe: put it elsewhere" },
	[PROBE_XATTRS] = { "user xattrs",
		"containers and writable mounts need another filesystem" },
	[PROBE_NOREPLACE] = { "rename without replacing", "a second look takes its place" },
	[PROBE_EXCHANGE] = { "rename with exchange", "containers and writable mounts need it" },
	[PROBE_WHITEOUTS] = { "whiteout devices",
		"containers and writable mounts need another filesystem" },
	[PROBE_HARDLINKS] = { "hard links", "'unpack' to it fails for images with hard links" },
	[PROBE_REFLINKS] = { "reflinks", "files are copied when they are changed first" },
	[PROBE_TMPFILE] = { "unnamed files", "names in tmp/ take their place" },
};
static_assert(sizeof(texts) / sizeof(texts[0]) == PROBE_MAX_, "a text for each");

const char *store_probe_name(enum probe p)
{
	return texts[p].name;
}

const char *store_probe_without(enum probe p)
{
	return texts[p].without;
}

/* ---- each ability ---- */

static int make(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

static int probe_locks(int dirfd)
{
	auto_fd a = make(dirfd, "locks"), b = make(dirfd, "locks");
	int r;

	if (a < 0 || b < 0)
		return a < 0 ? a : b;
	r = lock_fd(a, LOCK_EXCLUSIVE, LOCK_TRY);
	if (r == 0)
		r = lock_fd(b, LOCK_SHARED, LOCK_TRY);
	return r == -EAGAIN ? 0 : r < 0 ? r : -ENOLCK;
}

static int probe_xattrs(int dirfd)
{
	auto_fd fd = make(dirfd, "xattrs");

	if (fd < 0)
		return fd;
	return fsetxattr(fd, "user.lamina.probe", "y", 1, 0) < 0 ? -errno : 0;
}

static int probe_rename(int dirfd, unsigned int flags)
{
	auto_fd a = make(dirfd, "from"), b = make(dirfd, "to");
	int r;

	if (a < 0 || b < 0)
		return a < 0 ? a : b;
	r = renameat2(dirfd, "from", dirfd, "to", flags) < 0 ? -errno : 0;
	if (flags == RENAME_NOREPLACE)
		return r == -EEXIST ? 0 : r < 0 ? r : -EOPNOTSUPP;
	return r;
}

static int probe_noreplace(int dirfd)
{
	return probe_rename(dirfd, RENAME_NOREPLACE);
}

static int probe_exchange(int dirfd)
{
	return probe_rename(dirfd, RENAME_EXCHANGE);
}

/* Some filesystems accept the call and show something else. */
static int probe_whiteouts(int dirfd)
{
	struct stat st;

	if (mknodat(dirfd, "whiteout", S_IFCHR, makedev(0, 0)) < 0 ||
		fstatat(dirfd, "whiteout", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISCHR(st.st_mode) && st.st_rdev == 0 ? 0 : -EOPNOTSUPP;
}

static int probe_hardlinks(int dirfd)
{
	auto_fd fd = make(dirfd, "one");

	if (fd < 0)
		return fd;
	return linkat(dirfd, "one", dirfd, "two", 0) < 0 ? -errno : 0;
}

static int probe_reflinks(int dirfd)
{
	auto_fd from = make(dirfd, "clone-from"), to = make(dirfd, "clone-to");
	static const char block[4096] = "x";

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	if (write(from, block, sizeof(block)) != sizeof(block))
		return -errno;
	return ioctl(to, FICLONE, from) < 0 ? -errno : 0;
}

static int probe_tmpfile(int dirfd)
{
	auto_fd fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

static int (*const probes[])(int dirfd) = {
	[PROBE_LOCKS] = probe_locks,
	[PROBE_XATTRS] = probe_xattrs,
	[PROBE_NOREPLACE] = probe_noreplace,
	[PROBE_EXCHANGE] = probe_exchange,
	[PROBE_WHITEOUTS] = probe_whiteouts,
	[PROBE_HARDLINKS] = probe_hardlinks,
	[PROBE_REFLINKS] = probe_reflinks,
	[PROBE_TMPFILE] = probe_tmpfile,
};
static_assert(sizeof(probes) / sizeof(probes[0]) == PROBE_MAX_, "a probe for each");

/* ---- the filesystem ---- */

static void name_fs(unsigned long magic, char *ret, size_t room)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} known[] = { { EXT4_SUPER_MAGIC, "ext4" }, { XFS_SUPER_MAGIC, "xfs" },
		{ BTRFS_SUPER_MAGIC, "btrfs" }, { TMPFS_MAGIC, "tmpfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" }, { NFS_SUPER_MAGIC, "nfs" },
		{ FUSE_SUPER_MAGIC, "fuse" }, { F2FS_SUPER_MAGIC, "f2fs" },
		{ SMB2_SUPER_MAGIC, "smb" }, { CIFS_SUPER_MAGIC, "cifs" },
		{ CEPH_SUPER_MAGIC, "ceph" }, { 0x0bd00bd0, "lustre" }, { 0x2fc12fc1, "zfs" },
		{ 0x19830326, "beegfs" }, { 0x47504653, "gpfs" }, { V9FS_MAGIC, "9p" } };

	snprintf(ret, room, "0x%lx", magic);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].magic == magic)
			snprintf(ret, room, "%s", known[i].name);
}

int store_probe(struct img_store *s, struct store_probe *ret, struct err *err)
{
	auto_stage stage = { NULL, -1, -1, "" };
	struct store_probe p = { 0 };
	struct statvfs vfs;
	struct statfs fs;
	int r = store_stage_new(s, &stage, err);

	if (fstatvfs(img_store_dirfd(s), &vfs) == 0) {
		p.total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
		p.free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	}
	if (fstatfs(img_store_dirfd(s), &fs) == 0)
		name_fs((unsigned long)fs.f_type, p.fs_type, sizeof(p.fs_type));
	p.is_writable = r == 0;
	for (size_t i = 0; i < PROBE_MAX_; i++)
		p.results[i] = r < 0 ? r : probes[i](stage.dirfd);
	*ret = p;
	return r == -ENOMEM ? r : 0;
}
