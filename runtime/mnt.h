/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The mount API on fds: each mount is made detached, prepared, then moved to a place that is an fd.
 */

#include "runtime/mountopt.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * mnt_make_fs() - a new instance of a filesystem, mounted nowhere yet
 * @type:  "proc", "tmpfs", …
 * @source: what the mount table calls it; NULL: @type
 * @data:  "key=value,flag,…" for the filesystem; NULL: none.  Values hold no comma
 * @flags: MS_…, of which those count that belong to a filesystem: MS_SYNCHRONOUS, MS_DIRSYNC,
 *         MS_LAZYTIME
 * @attrs: MOUNT_ATTR_…
 *
 * Return: the detached mount, owned by the caller, or a negative errno.
 */
int mnt_make_fs(const char *type, const char *source, const char *data, unsigned long flags,
	uint64_t attrs);

/**
 * mnt_make_fs_old() - mnt_make_fs() by mount(2)
 * For values longer than fsconfig(2) takes, 255 bytes: the many directories of an overlay.  It is on
 * "/proc" for a moment, so only in a mount namespace of the caller's own.
 * @flags: MS_… of the filesystem and of the mount
 */
int mnt_make_fs_old(const char *type, const char *source, const char *data, unsigned long flags);

/** mnt_has_long_value() - whether mnt_make_fs() cannot take the data */
bool mnt_has_long_value(const char *data);

/**
 * mnt_clone() - a detached copy of what is at a place
 * @flags: of open_tree(2) besides OPEN_TREE_CLONE: AT_RECURSIVE, AT_EMPTY_PATH, …
 */
int mnt_clone(int dirfd, const char *path, unsigned int flags);

/** mnt_attach() - put a detached mount on a place; @place_fd may be an O_PATH fd of a file */
int mnt_attach(int mount_fd, int place_fd);

/** mnt_set_attrs() - MOUNT_ATTR_… of a mount; @flags: 0 or AT_RECURSIVE */
int mnt_set_attrs(int mount_fd, uint64_t set, uint64_t clear, unsigned int flags);

/**
 * mnt_shift_ids() - show the owners of files shifted by the maps of a user namespace
 * @mount_fd:  detached, never attached yet
 * @userns_fd: its maps lead from ids on the filesystem to ids of the caller's user namespace
 * @flags:     0 or AT_RECURSIVE
 *
 * Return: 0; -EPERM if the filesystem was mounted by another user namespace than the caller's;
 * -EINVAL if it cannot do it.
 */
int mnt_shift_ids(int mount_fd, int userns_fd, unsigned int flags);

/** mnt_set_propagation() - @propagation: MS_PRIVATE, …, maybe with MS_REC */
int mnt_set_propagation(int mount_fd, unsigned long propagation);
