/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev of a container: nodes bound from the host (no user namespace may make any), links, console
 *
 * /dev may be a tmpfs of the spec, a directory of the image, or bound from the host; the nodes cover
 * what is there already: masks are clones of /dev/null, and only an attached mount can be cloned here.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/inroot.h"
#include "runtime/mnt.h"
#include "runtime/rootfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

static int place_node(struct rootfs *rf, const char *path, int node_fd)
{
	auto_fd place = inroot_open_file(rf->root_fd, path);

	return place < 0 ? place : mnt_attach(node_fd, place);
}

/* FIFOs anywhere, devices where the caller may make them; what is there already stays. */
static int make_node(struct rootfs *rf, const struct spec_device *d)
{
	mode_t type = d->type == 'p' ? S_IFIFO : d->type == 'b' ? S_IFBLK : S_IFCHR;
	mode_t mode = d->mode.set ? (mode_t)d->mode.v & 07777 : 0666;
	auto_free char *copy = NULL;
	const char *name;
	auto_fd dirfd = inroot_open_parent(rf->root_fd, d->path, &copy, &name);
	struct stat st;

	if (dirfd < 0)
		return dirfd;
	if (mknodat(dirfd, name, type | mode, makedev(d->major, d->minor)) < 0) {
		if (errno != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if ((st.st_mode & S_IFMT) == type &&
			(type == S_IFIFO || st.st_rdev == makedev(d->major, d->minor)))
			return 0;
		return -EEXIST;
	}
	/* Made just now, in a directory that nobody else is in yet. */
	if (fchmodat(dirfd, name, mode, 0) < 0 ||
		fchownat(dirfd, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* The standard ones: numbers are in runtime/rootfs.c, checked there when they are bound. */
static int make_standard(
	struct rootfs *rf, const char *path, unsigned int major, unsigned int minor)
{
	const struct spec_device d = { .path = path, .type = 'c', .major = major, .minor = minor };

	return make_node(rf, &d);
}

static int make_links(struct rootfs *rf, struct err *err)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" },
		{ "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" },
		{ "/proc/self/fd/2", "stderr" },
		{ "/proc/kcore", "core" },
		{ "pts/ptmx", "ptmx" },
	};
	auto_fd dirfd = inroot_open_dir(rf->root_fd, "/dev");

	if (dirfd < 0)
		return err_set(err, dirfd, "cannot open '/dev' in the image");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		/* The host's own /dev, bound here, is not ours to write to. */
		if (symlinkat(links[i][0], dirfd, links[i][1]) < 0 && errno != EEXIST &&
			errno != EROFS && errno != EACCES)
			return err_set(err, -errno, "cannot make '/dev/%s'", links[i][1]);
	return 0;
}

int rootfs_devices(struct rootfs *rf, struct err *err)
{
	int r;

	for (size_t i = 0; i < ROOTFS_N_NODES; i++) {
		const struct rootfs_node *n = &rootfs_nodes[i];

		r = rf->node_fds[i] >= 0 ? place_node(rf, n->path, rf->node_fds[i])
					 : make_standard(rf, n->path, n->major, n->minor);
		if (r < 0)
			return err_set(err, r, "cannot make '%s'", n->path);
	}
	for (size_t i = 0; i < rf->spec->n_devices; i++) {
		const struct spec_device *d = &rf->spec->devices[i];

		r = rf->device_fds[i] >= 0 ? place_node(rf, d->path, rf->device_fds[i])
					   : make_node(rf, d);
		if (r < 0)
			return err_set(err, r, "cannot make device '%s'", d->path);
	}
	return make_links(rf, err);
}

int rootfs_terminal(
	int root_fd, const struct spec_process *p, int *ret_master, int *ret_slave, struct err *err)
{
	auto_fd master = inroot_open(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	const struct winsize size = { .ws_row = p->rows, .ws_col = p->cols };
	auto_fd slave = -1;
	struct statfs fs;
	int zero = 0;

	if (master < 0)
		return err_set(err, master, "cannot open '/dev/pts/ptmx'");
	/* Whatever the container put there, it is a devpts or it is not used. */
	if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_say(err, -ENODEV, "'/dev/pts' of the container is no devpts");
	if (!isatty(master) || ioctl(master, TIOCSPTLCK, &zero) < 0)
		return err_set(err, -errno, "cannot make a terminal");
	/* By the master itself: no name of the container is followed to the slave. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_set(err, -errno, "cannot open the terminal");
	if (p->rows && p->cols && ioctl(slave, TIOCSWINSZ, &size) < 0)
		return err_set(err, -errno, "cannot set the terminal's size");
	(void)fchown(slave, p->user.uid, (gid_t)-1);
	*ret_master = fd_take(&master);
	*ret_slave = fd_take(&slave);
	return 0;
}

int rootfs_console(struct rootfs *rf, int *ret_master, int *ret_slave, struct err *err)
{
	auto_fd master = -1, slave = -1, copy = -1, place = -1;
	int r;

	r = rootfs_terminal(rf->root_fd, rf->spec->process, &master, &slave, err);
	if (r < 0)
		return r;
	place = inroot_open_file(rf->root_fd, "/dev/console");
	copy = mnt_clone(slave, "", AT_EMPTY_PATH);
	if (place < 0 || copy < 0)
		return err_set(err, place < 0 ? place : copy, "cannot make '/dev/console'");
	r = mnt_attach(copy, place);
	if (r < 0)
		return err_set(err, r, "cannot make '/dev/console'");
	*ret_master = fd_take(&master);
	*ret_slave = fd_take(&slave);
	return 0;
}
