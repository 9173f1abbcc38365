/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of a container
 *
 * Mounts travel as fds: the monitor clones what comes from the host (it may open files that the
 * container's root may not), the new namespaces make what belongs to them, and only after
 * pivot_root, when the image's tree is all there is, are places in it looked up.  A link in the
 * image can therefore lead nowhere but into the image.
 */
#include "runtime/rootfs.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/idmount.h"
#include "runtime/mnt.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* What every container finds in /dev; opened once and checked, never looked up again. */
const struct rootfs_node rootfs_nodes[ROOTFS_N_NODES] = {
	{ "/dev/null", 3, 1 },
	{ "/dev/zero", 5, 1 },
	{ "/dev/full", 7, 1 },
	{ "/dev/random", 8, 1 },
	{ "/dev/urandom", 9, 1 },
	{ "/dev/tty", 0, 5 },
};

bool rootfs_is_bind(const struct spec_mount *m, const struct mountopt *mo)
{
	return (mo->flags & MS_BIND) || spec_mount_is(m, "bind") || spec_mount_is(m, "rbind");
}

/* ---- outside ---- */

static int clone_device(const char *path, char type, unsigned int major, unsigned int minor)
{
	auto_fd fd = mnt_clone(AT_FDCWD, path, 0);
	mode_t want = type == 'b' ? S_IFBLK : S_IFCHR;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != want || st.st_rdev != makedev(major, minor))
		return -ENODEV;
	r = mnt_set_attrs(fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0);
	return r < 0 ? r : fd_take(&fd);
}

static int open_devices(struct rootfs *rf, struct err *err)
{
	/* The first is what files are hidden with; of what can be made, nothing else is taken. */
	for (size_t i = 0; i < ROOTFS_N_NODES && (i == 0 || !rf->makes_nodes); i++) {
		rf->node_fds[i] = clone_device(
			rootfs_nodes[i].path, 'c', rootfs_nodes[i].major, rootfs_nodes[i].minor);
		if (rf->node_fds[i] < 0)
			return err_set(err, rf->node_fds[i], "cannot take '%s' of the host",
				rootfs_nodes[i].path);
	}
	for (size_t i = 0; i < rf->spec->n_devices; i++) {
		const struct spec_device *d = &rf->spec->devices[i];

		if (d->type == 'p' || rf->makes_nodes)
			continue;
		rf->device_fds[i] = clone_device(d->path, d->type, d->major, d->minor);
		if (rf->device_fds[i] < 0)
			return err_set(err, rf->device_fds[i],
				"cannot take device '%s' of the host", d->path);
	}
	return 0;
}

static int open_source(
	const struct spec_mount *m, const struct mountopt *mo, int bundle_fd, struct err *err)
{
	bool recursive = (mo->flags & MS_REC) || spec_mount_is(m, "rbind");
	unsigned int flags = (recursive ? AT_RECURSIVE : 0) |
			     (mo->extra & MOUNTOPT_SRC_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
	int fd;

	fd = mnt_clone(bundle_fd, m->source, flags);
	if (fd == -EINVAL && !recursive)
		err_say(err, fd, "cannot mount '%s' alone: other file systems are mounted below it",
			m->source);
	else if (fd < 0)
		err_set(err, fd, "cannot mount '%s'", m->source);
	return fd;
}

/* 1 with the target in @rm if the source is a link, and is to be one in the container. */
static int read_link(
	const struct spec_mount *m, struct rootfs_mount *rm, int bundle_fd, struct err *err)
{
	char target[PATH_MAX];
	ssize_t n;

	if (!(rm->mo.extra & MOUNTOPT_COPY_SYMLINK))
		return 0;
	n = readlinkat(bundle_fd, m->source, target, sizeof(target));
	if (n < 0 && errno == EINVAL)
		return 0;
	if (n < 0 || (size_t)n == sizeof(target))
		return err_set(err, n < 0 ? -errno : -ENAMETOOLONG, "cannot read the link '%s'",
			m->source);
	rm->link = strndup(target, (size_t)n);
	return rm->link ? 1 : err_set(err, -ENOMEM, "cannot copy the link '%s'", m->source);
}

static int open_bind(struct rootfs *rf, size_t i, int bundle_fd, struct err *err)
{
	const struct spec_mount *m = &rf->spec->mounts[i];
	struct rootfs_mount *rm = &rf->mounts[i];
	int r;

	if (!m->source)
		return err_say(err, -EINVAL, "mount '%s' has no source", m->destination);
	r = read_link(m, rm, bundle_fd, err);
	if (r != 0)
		return r < 0 ? r : 0;
	rm->fd = open_source(m, &rm->mo, bundle_fd, err);
	if (rm->fd < 0)
		return rm->fd;
	if (rm->userns_fd >= 0) {
		r = idmount_apply(rm->fd, rm->userns_fd, m, &rm->mo, err);
		if (r < 0)
			return r;
	}
	/* A clone is a peer of what it was cloned from: mounts would go both ways. */
	r = mnt_set_propagation(
		rm->fd, rm->mo.propagation ? rm->mo.propagation : MS_PRIVATE | MS_REC);
	return r < 0 ? err_set(err, r, "cannot mount '%s'", m->source) : 0;
}

static int open_binds(struct rootfs *rf, int bundle_fd, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rf->spec->n_mounts; i++)
		if (rootfs_is_bind(&rf->spec->mounts[i], &rf->mounts[i].mo))
			r = open_bind(rf, i, bundle_fd, err);
	return r;
}

bool rootfs_may_make_nodes(void)
{
	auto_file f = fopen("/proc/self/uid_map", "re");
	unsigned int inside, outside, n;

	return proc_has_cap(CAP_MKNOD) && f && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3 &&
	       n == UINT32_MAX;
}

static int init_mount(const struct spec *spec, size_t i, struct rootfs_mount *rm, struct err *err)
{
	const struct spec_mount *m = &spec->mounts[i];
	int r = mountopt_parse(m->options.v, m->options.n, &rm->mo, err);

	if (r >= 0)
		r = idmount_open(spec, m, &rm->mo, err);
	if (r >= 0)
		rm->userns_fd = r;
	return r < 0 && r != -ENOENT ? err_wrap(err, r, "mount '%s'", m->destination) : 0;
}

int rootfs_init(struct rootfs *rf, const struct spec *spec, struct err *err)
{
	memset(rf, 0, sizeof(*rf));
	rf->spec = spec;
	rf->makes_nodes = !spec->ns[SPEC_NS_USER].on && rootfs_may_make_nodes();
	rf->root_fd = rf->proc_fd = -1;
	for (size_t i = 0; i < ROOTFS_N_NODES; i++)
		rf->node_fds[i] = -1;
	rf->mounts = calloc(spec->n_mounts + 1, sizeof(*rf->mounts));
	rf->device_fds = calloc(spec->n_devices + 1, sizeof(*rf->device_fds));
	if (!rf->mounts || !rf->device_fds) {
		rootfs_done(rf);
		return err_set(err, -ENOMEM, "cannot prepare the root file system");
	}
	for (size_t i = 0; i < spec->n_mounts; i++)
		rf->mounts[i].fd = rf->mounts[i].userns_fd = -1;
	for (size_t i = 0; i < spec->n_devices; i++)
		rf->device_fds[i] = -1;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		int r = init_mount(spec, i, &rf->mounts[i], err);

		if (r < 0) {
			rootfs_done(rf);
			return r;
		}
	}
	return 0;
}

int rootfs_take(struct rootfs *rf, int bundle_fd, struct err *err)
{
	int r;

	if (rf->root_fd < 0) {
		rf->root_fd = mnt_clone(bundle_fd, rf->spec->root.path, AT_RECURSIVE);
		if (rf->root_fd < 0)
			return err_set(err, rf->root_fd, "cannot mount the root file system '%s'",
				rf->spec->root.path);
		r = mnt_set_propagation(rf->root_fd, MS_PRIVATE | MS_REC);
		if (r < 0)
			return err_set(err, r, "cannot make the root file system private");
	}
	r = rf->in_order ? 0 : open_binds(rf, bundle_fd, err);
	return r < 0 ? r : open_devices(rf, err);
}

int rootfs_open(
	struct rootfs *rf, const struct spec *spec, int bundle_fd, int root_fd, struct err *err)
{
	int r = rootfs_init(rf, spec, err);

	if (r < 0) {
		cleanup_fd(&root_fd);
		return r;
	}
	rf->root_fd = root_fd;
	r = rootfs_take(rf, bundle_fd, err);
	if (r < 0)
		rootfs_done(rf);
	return r;
}

void rootfs_done(struct rootfs *rf)
{
	if (!rf->spec)
		return;
	cleanup_fd(&rf->root_fd);
	for (size_t i = 0; rf->mounts && i < rf->spec->n_mounts; i++) {
		cleanup_fd(&rf->mounts[i].fd);
		cleanup_fd(&rf->mounts[i].userns_fd);
		free(rf->mounts[i].link);
		mountopt_done(&rf->mounts[i].mo);
	}
	for (size_t i = 0; rf->device_fds && i < rf->spec->n_devices; i++)
		cleanup_fd(&rf->device_fds[i]);
	for (size_t i = 0; i < ROOTFS_N_NODES; i++)
		cleanup_fd(&rf->node_fds[i]);
	free(rf->mounts);
	free(rf->device_fds);
	memset(rf, 0, sizeof(*rf));
	rf->root_fd = -1;
}

/* ---- inside, the host still there ---- */

/* The same options without gid=: where the group has no number here, the kernel refuses it. */
static int make_without_gid(
	const char *type, const char *source, const struct mountopt *mo, uint64_t attrs)
{
	auto_free char *copy = strdup(mo->data);
	auto_buf kept = { 0 };
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ",")))
		if (!str_starts(word, "gid=") && buf_printf(&kept, "%s,", word) < 0)
			return -ENOMEM;
	return mnt_make_fs(type, source, kept.data, mo->flags, attrs);
}

/*
 * Where the kernel refuses a fresh instance: sysfs of a network namespace that is not ours, procfs
 * of a pid namespace that is not, or both inside a container that hides parts of its own.  What is
 * mounted there already shows no more than a fresh one would, as long as it is of our namespaces.
 */
static int make_refused(const struct rootfs *rf, const struct spec_mount *m,
	struct rootfs_mount *rm, uint64_t attrs, int code)
{
	const struct spec_namespace *pid = &rf->spec->ns[SPEC_NS_PID];
	auto_fd fd = -1;
	int r;

	if (spec_mount_is(m, "cgroup") || spec_mount_is(m, "cgroup2"))
		fd = mnt_make_fs("tmpfs", NULL, "mode=755,size=0", 0, attrs);
	else if (spec_mount_is(m, "sysfs"))
		fd = mnt_clone(AT_FDCWD, "/sys", AT_RECURSIVE);
	else if (spec_mount_is(m, "proc") && !pid->on)
		fd = mnt_clone(AT_FDCWD, "/proc", AT_RECURSIVE);
	else
		return code;
	if (fd < 0)
		return code;
	rm->tree = true;
	r = mnt_set_attrs(fd, attrs, 0, AT_RECURSIVE);
	return r < 0 ? r : fd_take(&fd);
}

static bool has_own_mounts(const struct spec *spec)
{
	const struct spec_namespace *mnt = &spec->ns[SPEC_NS_MNT];

	return mnt->on ? !mnt->path : spec->ns[SPEC_NS_USER].on && !spec->ns[SPEC_NS_USER].path;
}

static int make_one(const struct rootfs *rf, const struct spec_mount *m, struct rootfs_mount *rm,
	struct err *err)
{
	const char *type = spec_mount_is(m, "cgroup") ? "cgroup2" : m->type;
	const struct mountopt *mo = &rm->mo;
	uint64_t attrs = mo->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY; /* for rootfs_freeze() */
	int fd;

	if (!type)
		return err_say(err, -EINVAL, "mount '%s' has no type", m->destination);
	if (mnt_has_long_value(mo->data) && has_own_mounts(rf->spec))
		fd = mnt_make_fs_old(
			type, m->source, mo->data, mo->flags & ~(unsigned long)MS_RDONLY);
	else
		fd = mnt_make_fs(type, m->source, mo->data, mo->flags, attrs);
	if (fd == -EINVAL && mo->data && strstr(mo->data, "gid="))
		fd = make_without_gid(type, m->source, mo, attrs);
	if (fd == -EPERM || fd == -EBUSY || fd == -ENODEV || fd == -EACCES)
		fd = make_refused(rf, m, rm, attrs, fd);
	if (fd < 0)
		err_set(err, fd, "cannot make a '%s' for '%s'", type, m->destination);
	if (fd == -EPERM && spec_mount_is(m, "proc"))
		err_hint(err, fd,
			"the /proc here hides parts of itself, as in a container: unmask it");
	return fd;
}

int rootfs_make(struct rootfs *rf, struct err *err)
{
	for (size_t i = 0; i < rf->spec->n_mounts; i++) {
		struct rootfs_mount *rm = &rf->mounts[i];
		int r = 0;

		if (rm->fd >= 0 || rm->link)
			continue;
		if (rootfs_is_bind(&rf->spec->mounts[i], &rm->mo))
			r = open_bind(rf, i, AT_FDCWD, err);
		else
			rm->fd = r = make_one(rf, &rf->spec->mounts[i], rm, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* In a new user namespace the kernel does it. */
int rootfs_part(struct err *err)
{
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_set(err, -errno, "cannot keep mounts from the host");
	return 0;
}

int rootfs_attach(struct rootfs *rf, const char *path, struct err *err)
{
	auto_fd place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = place < 0 ? -errno : mnt_attach(rf->root_fd, place);

	rf->attached = true;
	return r < 0 ? err_set(err, r, "cannot attach the root file system") : 0;
}

int rootfs_pivot(struct rootfs *rf, enum rootfs_pivot_flags flags, struct err *err)
{
	bool chroots = flags & (ROOTFS_CHROOT | ROOTFS_STAY);

	/* Over the old root rather than at some directory: "/" is the one place that exists. */
	if ((!rf->attached || flags & ROOTFS_CHROOT) && !(flags & ROOTFS_STAY) &&
		move_mount(rf->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, -errno, "cannot attach the root file system");
	if (fchdir(rf->root_fd) < 0)
		return err_set(err, -errno, "cannot enter the root file system");
	if (chroots)
		return chroot(".") < 0 ? err_set(err, -errno, "cannot change the root") : 0;
	/* The old root is stacked on the new one, both at "."; the top one goes. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(err, -errno, "cannot change the root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_set(err, -errno, "cannot leave the old root");
	if (chdir("/") < 0)
		return err_set(err, -errno, "cannot enter the root");
	return 0;
}
