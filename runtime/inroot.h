/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Places in a container's root file system, which is hostile: its links may point anywhere
 *
 * Every path is resolved as if @root_fd were "/", without magic links, so no link leads out.
 * Paths may be absolute or relative; both start at the root.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** inroot_open() - at_open_in_root(); flags of open(2) */
int inroot_open(int root_fd, const char *path, int flags);

/**
 * inroot_open_dir() - an O_PATH fd of a directory, made with its parents (0755) if it is missing
 * Links are followed inside, also those that point to what does not exist yet.
 * Return: the fd, owned by the caller; -ENOTDIR if something else is there; -ELOOP.
 */
int inroot_open_dir(int root_fd, const char *path);

/** inroot_open_file() - the same for anything but a directory: an empty file is made if missing */
int inroot_open_file(int root_fd, const char *path);

/** inroot_exists() - whether a path leads to something that can be opened */
bool inroot_exists(int root_fd, const char *path);

/**
 * inroot_open_parent() - the directory of a path, made if missing
 * @ret_copy: owned by the caller; @ret_name, the last component, points into it
 */
int inroot_open_parent(int root_fd, const char *path, char **ret_copy, const char **ret_name);

/** inroot_symlink() - a link with this target; -EEXIST if anything but the same link is there */
int inroot_symlink(int root_fd, const char *path, const char *target);

/**
 * inroot_read() - the whole of a small regular file
 * Never hangs: FIFOs and devices are not opened for reading.
 * Return: 0 with @ret_data NUL-terminated and owned by the caller; -ENOENT; -EINVAL if it is not a
 * regular file; -EFBIG above @max_len.
 */
int inroot_read(int root_fd, const char *path, size_t max_len, char **ret_data, size_t *ret_len);
