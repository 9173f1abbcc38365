/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts put into place, paths hidden: what happens in the image's tree, where the host is gone
 *
 * Mounts that are to be read-only are so only when all stand (rootfs_freeze()): places of others may
 * have to be made in them, copies go into them, and kernel settings are written through /proc.
 *
 * proc and sysfs want a directory that no link leads to: programs trust /proc to be procfs, and
 * the kernel settings written at the start must not go elsewhere.
 */
#include "runtime/rootfs.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/copytree.h"
#include "runtime/inroot.h"
#include "runtime/mnt.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* ---- mounts ---- */

static int open_plain_dir(int root_fd, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
	int fd;

	path += strspn(path, "/");
	fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	return at_mkdir_p(root_fd, path, 0755);
}

static int open_place(const struct rootfs *rf, const struct spec_mount *m, int mount_fd)
{
	struct stat st;

	if (spec_mount_is(m, "proc") || spec_mount_is(m, "sysfs"))
		return open_plain_dir(rf->root_fd, m->destination);
	if (fstat(mount_fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? inroot_open_dir(rf->root_fd, m->destination)
				   : inroot_open_file(rf->root_fd, m->destination);
}

/*
 * What the host locked, the kernel refuses to change from a user namespace below: flags cannot be
 * taken off, times of access stay kept as they are.  The mount is then as strict as it was.
 */
static int set_unless_locked(int mount_fd, uint64_t set, uint64_t clear)
{
	int r = mnt_set_attrs(mount_fd, set, clear, 0);

	return r == -EPERM ? 0 : r;
}

static int set_bind_attrs(const struct rootfs_mount *rm)
{
	const uint64_t atime = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
	const uint64_t set = rm->mo.attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY;
	const uint64_t clear = rm->mo.attr_clr & ~atime;
	int r = mnt_set_attrs(rm->fd, set & ~atime, 0, 0);

	if (r >= 0 && (rm->mo.attr_set | rm->mo.attr_clr) & atime)
		r = set_unless_locked(rm->fd, set & atime, rm->mo.attr_clr & atime);
	/* One by one: one that is locked keeps none of the others. */
	for (uint64_t bit = 1; r >= 0 && bit <= clear; bit <<= 1)
		if (clear & bit)
			r = set_unless_locked(rm->fd, 0, bit);
	return r;
}

/* Programs, and whoever sets up a further one in here, trust /proc to be procfs. */
static bool hides_proc(const struct spec_mount *m, int mount_fd)
{
	const char *path = m->destination + strspn(m->destination, "/");
	struct statfs fs;

	if (strncmp(path, "proc", 4) != 0 || path[4 + strspn(path + 4, "/.")])
		return false;
	return fstatfs(mount_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC;
}

/* Kernel settings are written through it: not through a part of one that looks like it. */
static bool is_whole_proc(const struct spec_mount *m, int mount_fd)
{
	const ino_t proc_root_ino = 1; /* PROC_ROOT_INO of the kernel */
	const char *path = m->destination + strspn(m->destination, "/");
	struct statfs fs;
	struct stat st;

	return strncmp(path, "proc", 4) == 0 && !path[4 + strspn(path + 4, "/.")] &&
	       fstatfs(mount_fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
	       fstat(mount_fd, &st) == 0 && st.st_ino == proc_root_ino;
}

static int make_link(
	const struct rootfs *rf, const struct spec_mount *m, const char *target, struct err *err)
{
	int r = inroot_symlink(rf->root_fd, m->destination, target);

	return r < 0 ? err_set(err, r, "cannot make the link '%s'", m->destination) : 0;
}

static bool has_word(const char *data, const char *prefix)
{
	while (data && !str_starts(data, prefix)) {
		data = strchr(data, ',');
		data += data ? 1 : 0;
	}
	return data;
}

/* Over a directory of the image, a tmpfs looks like that, but for what the options say. */
static int fill_tmpfs(const struct mountopt *mo, int mount_fd, int place)
{
	bool owner = has_word(mo->data, "uid=") || has_word(mo->data, "gid=");
	bool mode = has_word(mo->data, "mode=");
	struct stat there, own;
	int r;

	if (fstat(place, &there) < 0 || fstat(mount_fd, &own) < 0)
		return -errno;
	r = mo->extra & MOUNTOPT_TMPCOPYUP ? copytree(place, mount_fd) : 0;
	if (r >= 0 && owner && fchownat(mount_fd, "", own.st_uid, own.st_gid, AT_EMPTY_PATH) < 0)
		r = -errno;
	if (r >= 0 && fchmodat(mount_fd, ".", (mode ? own.st_mode : there.st_mode) & 07777, 0) < 0)
		r = -errno;
	return r;
}

static int attach_one(
	const struct spec_mount *m, const struct rootfs_mount *rm, int place, bool is_new)
{
	const struct mountopt *mo = &rm->mo;
	bool bind = rootfs_is_bind(m, mo);
	int r;

	r = spec_mount_is(m, "tmpfs") && !bind && !is_new ? fill_tmpfs(mo, rm->fd, place) : 0;
	if (r >= 0)
		r = mnt_attach(rm->fd, place);
	if (r >= 0 && bind)
		r = set_bind_attrs(rm);
	if (r >= 0 && (mo->rec_set || mo->rec_clr))
		r = mnt_set_attrs(rm->fd, mo->rec_set, mo->rec_clr, AT_RECURSIVE);
	if (r >= 0 && mo->propagation && !bind)
		r = mnt_set_propagation(rm->fd, mo->propagation);
	return r;
}

static int mount_one(
	struct rootfs *rf, const struct spec_mount *m, struct rootfs_mount *rm, struct err *err)
{
	auto_fd place = -1;
	bool is_new;
	int r;

	if (rm->link)
		return make_link(rf, m, rm->link, err);
	is_new = spec_mount_is(m, "tmpfs") && !inroot_exists(rf->root_fd, m->destination);
	place = open_place(rf, m, rm->fd);
	if (hides_proc(m, rm->fd))
		return err_say(err, -EINVAL, "cannot mount '%s' on '/proc': it is no procfs",
			m->source ? m->source : m->type);
	if (place == -ELOOP)
		return err_say(err, place, "cannot mount on '%s': it is a symlink in the image",
			m->destination);
	if (place < 0)
		return err_set(err, place, "cannot make '%s' in the image", m->destination);
	r = attach_one(m, rm, place, is_new);
	if (r < 0)
		return err_set(err, r, "cannot mount on '%s'", m->destination);
	if (rf->proc_fd < 0 && is_whole_proc(m, rm->fd))
		rf->proc_fd = rm->fd;
	return 0;
}

int rootfs_mount(struct rootfs *rf, struct err *err)
{
	for (size_t i = 0; i < rf->spec->n_mounts; i++) {
		int r = mount_one(rf, &rf->spec->mounts[i], &rf->mounts[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int rootfs_freeze(struct rootfs *rf, struct err *err)
{
	for (size_t i = 0; i < rf->spec->n_mounts; i++) {
		const struct rootfs_mount *rm = &rf->mounts[i];
		int r;

		if (rm->fd < 0 || !(rm->mo.attr_set & MOUNT_ATTR_RDONLY))
			continue;
		r = mnt_set_attrs(rm->fd, MOUNT_ATTR_RDONLY, 0, rm->tree ? AT_RECURSIVE : 0);
		if (r < 0)
			return err_set(err, r, "cannot make '%s' read-only",
				rf->spec->mounts[i].destination);
	}
	return 0;
}

/* ---- masked and read-only paths ---- */

/* What paths are hidden with, each made at the first: only what is attached can be cloned here. */
struct covers {
	int dir; /* an empty tmpfs */
	int file; /* /dev/null, read-only */
};

static int new_cover(const struct rootfs *rf, bool dir)
{
	const uint64_t attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	auto_fd fd = -1;
	int r;

	if (dir)
		return mnt_make_fs(
			"tmpfs", NULL, "mode=755,size=0,nr_inodes=2", 0, attrs | MOUNT_ATTR_NODEV);
	fd = mnt_clone(rf->node_fds[0], "", AT_EMPTY_PATH);
	r = fd < 0 ? fd : mnt_set_attrs(fd, attrs, 0, 0);
	return r < 0 ? r : fd_take(&fd);
}

static int mask_one(struct rootfs *rf, const char *path, struct covers *covers)
{
	auto_fd place = inroot_open(rf->root_fd, path, O_PATH);
	auto_fd copy = -1;
	struct stat st;
	int *cover;

	if (place == -ENOENT || place == -ENOTDIR || place == -EACCES)
		return 0;
	if (place < 0)
		return place;
	if (fstat(place, &st) < 0)
		return -errno;
	cover = S_ISDIR(st.st_mode) ? &covers->dir : &covers->file;
	if (*cover < 0) {
		*cover = new_cover(rf, S_ISDIR(st.st_mode));
		return *cover < 0 ? *cover : mnt_attach(*cover, place);
	}
	copy = mnt_clone(*cover, "", AT_EMPTY_PATH);
	return copy < 0 ? copy : mnt_attach(copy, place);
}

static int make_read_only(struct rootfs *rf, const char *path)
{
	auto_fd place = inroot_open(rf->root_fd, path, O_PATH);
	auto_fd copy = -1;
	int r;

	if (place == -ENOENT || place == -ENOTDIR || place == -EACCES)
		return 0;
	if (place < 0)
		return place;
	copy = mnt_clone(place, "", AT_EMPTY_PATH | AT_RECURSIVE);
	if (copy < 0)
		return copy;
	r = mnt_set_attrs(copy, MOUNT_ATTR_RDONLY, 0, AT_RECURSIVE);
	return r < 0 ? r : mnt_attach(copy, place);
}

static int mask_all(struct rootfs *rf, struct covers *covers, struct err *err)
{
	const struct spec_list *masked = &rf->spec->masked_paths;

	for (size_t i = 0; i < masked->n; i++) {
		int r = mask_one(rf, masked->v[i], covers);

		if (r < 0)
			return err_set(err, r, "cannot hide '%s'", masked->v[i]);
	}
	return 0;
}

int rootfs_mask(struct rootfs *rf, struct err *err)
{
	const struct spec_list *read_only = &rf->spec->readonly_paths;
	struct covers covers = { -1, -1 };
	int r;

	for (size_t i = 0; i < read_only->n; i++) {
		r = make_read_only(rf, read_only->v[i]);
		if (r < 0)
			return err_set(err, r, "cannot make '%s' read-only", read_only->v[i]);
	}
	r = mask_all(rf, &covers, err);
	cleanup_fd(&covers.dir);
	cleanup_fd(&covers.file);
	return r;
}

int rootfs_seal(struct rootfs *rf, struct err *err)
{
	int r = 0;

	if (rf->spec->rootfs_propagation)
		r = mnt_set_propagation(rf->root_fd, rf->spec->rootfs_propagation);
	if (r >= 0 && rf->spec->root.readonly)
		r = mnt_set_attrs(rf->root_fd, MOUNT_ATTR_RDONLY, 0, 0);
	return r < 0 ? err_set(err, r, "cannot set the root's mount options") : 0;
}
