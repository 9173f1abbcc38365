/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Mounting: by the new mount API where we are root of a user namespace, by fusermount3 elsewhere.
 */

#include "base/err.h"

#include <stdbool.h>

enum ovl_mount_flags {
	OVL_MOUNT_DEV = 1 << 0, /* devices work, where the kernel lets them */
	OVL_MOUNT_NO_SUID = 1 << 1,
	OVL_MOUNT_NO_EXEC = 1 << 2,
	OVL_MOUNT_ATIME = 1 << 3,
	OVL_MOUNT_NO_DIRATIME = 1 << 4,
};

struct ovl_mount_opts {
	bool read_only;
	bool allow_other; /* needed wherever another id than the mounter's reads it */
	enum ovl_mount_flags flags; /* fusermount3 decides by itself */
	const char *source; /* first column of /proc/mounts, e.g. "lamina"; NULL: that */
	const char *context; /* SELinux label; NULL: none */
};

/**
 * ovl_mount_detached() - a FUSE mount that is attached nowhere yet
 * @ret_fuse:  the /dev/fuse descriptor for ovl_serve(), owned by the caller
 * @ret_mount: the mount, to be put in place by move_mount(2); owned by the caller
 *
 * Needs CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace; ids in FUSE
 * requests are those of the caller's user namespace.
 *
 * Nothing may touch the mount before ovl_serve() runs, in whatever process: it would wait.
 */
int ovl_mount_detached(
	const struct ovl_mount_opts *o, int *ret_fuse, int *ret_mount, struct err *err);

/** ovl_mount_probe() - can /dev/fuse be opened?  0, or the error that a mount would meet */
int ovl_mount_probe(struct err *err);

/** ovl_mount_attach() - put a detached mount on a directory; -EPERM, -ENOENT, -ENOTDIR */
int ovl_mount_attach(int mount_fd, const char *mountpoint, struct err *err);

/** ovl_mount_fusermount() - mount on a directory of an ordinary user by fusermount3 */
int ovl_mount_fusermount(
	const char *mountpoint, const struct ovl_mount_opts *o, int *ret_fuse, struct err *err);

/** ovl_unmount() - umount2(2) where permitted, else fusermount3 -u; -EBUSY while it is in use */
int ovl_unmount(const char *mountpoint, struct err *err);

/** ovl_unmount_lazy() - the same, but open files keep working and the mount ends with the last */
int ovl_unmount_lazy(const char *mountpoint, struct err *err);
