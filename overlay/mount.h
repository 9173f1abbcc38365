/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Mounting: by the new mount API where we are root of a user namespace, by fusermount3 elsewhere.
 */

#include "base/err.h"

#include <stdbool.h>

struct ovl_mount_opts {
	bool read_only;
	bool allow_other; /* needed wherever another id than the mounter's reads it */
	const char *source; /* first column of /proc/mounts, e.g. "lamina" */
};

/**
 * ovl_mount_detached() - a FUSE mount that is attached nowhere yet
 * @ret_fuse:  the /dev/fuse descriptor for ovl_serve(), owned by the caller
 * @ret_mount: the mount, to be put in place by move_mount(2); owned by the caller
 *
 * Needs CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace; ids in FUSE
 * requests are those of the caller's user namespace.
 */
int ovl_mount_detached(
	const struct ovl_mount_opts *o, int *ret_fuse, int *ret_mount, struct err *err);

/** ovl_mount_fusermount() - mount on a directory of an ordinary user by fusermount3 */
int ovl_mount_fusermount(
	const char *mountpoint, const struct ovl_mount_opts *o, int *ret_fuse, struct err *err);

/** ovl_unmount() - umount2(2) where permitted, else fusermount3 -u */
int ovl_unmount(const char *mountpoint, struct err *err);
