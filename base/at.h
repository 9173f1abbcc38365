/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * File operations beneath a directory fd
 *
 * Nothing here follows a path out of @dirfd: paths are resolved by openat2(2) with
 * RESOLVE_BENEATH and without magic links.  All paths are relative to @dirfd.
 */

#include "base/err.h"

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/** at_open() - openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), O_CLOEXEC added; fd or a negative
 * errno */
int at_open(int dirfd, const char *path, int flags, mode_t mode);

/** at_open_in_root() - the same with RESOLVE_IN_ROOT: absolute links and ".." stay inside @dirfd */
int at_open_in_root(int dirfd, const char *path, int flags, mode_t mode);

/** at_open_here() - at_open() that follows no symlink and enters no other mount: -ELOOP, -EXDEV */
int at_open_here(int dirfd, const char *path, int flags);

/** at_reopen() - open what an O_PATH fd names, by /proc/self/fd; fd or a negative errno */
int at_reopen(int fd, int flags);

/**
 * at_mkdir_p() - make a directory and its missing parents, follow no symlink
 * Return: an O_PATH | O_DIRECTORY fd of it, owned by the caller, or a negative errno.
 */
int at_mkdir_p(int dirfd, const char *path, mode_t mode);

/**
 * at_list_take_fd() - call @fn for each entry of a directory but "." and ".."
 * @fd: consumed; a negative errno of whoever opened it is passed on
 * @fn: gets the directory and an entry, both borrowed for the call; what it returns, if not 0, ends
 *      the listing
 * Return: 0, what @fn returned, or a negative errno.
 */
int at_list_take_fd(int fd, int (*fn)(void *ctx, int dirfd, const struct dirent *de), void *ctx);

/** at_open_again() - a directory, to be listed from its beginning; fd or a negative errno */
int at_open_again(int dirfd);

/**
 * at_remove_tree() - remove @name and everything below it
 *
 * Follows no symlink, never leaves the filesystem's tree below @name, takes bounded memory and few
 * fds however deep the tree is, makes directories accessible to their owner first.  A missing
 * @name is success.
 */
int at_remove_tree(int dirfd, const char *name);

/**
 * at_read_file() - the whole of a small regular file
 * Opens with O_NOFOLLOW | O_NONBLOCK, so that a FIFO or a symlink is an error and not a hang.
 * Return: 0; -EFBIG above @max_len; -EINVAL if it is not a regular file; -ELOOP for a symlink.
 * @ret_data is owned by the caller and NUL-terminated; @ret_len may be NULL.
 */
int at_read_file(int dirfd, const char *path, size_t max_len, char **ret_data, size_t *ret_len);

enum at_replace_flags {
	AT_REPLACE_SYNC = 1 << 0, /* survives power loss: fsync the file, then its directory */
};

/**
 * at_replace_file() - replace a small file in one step: temporary name, write, rename
 * Readers see the old content or the new one.  The temporary is ".NAME.tmp-PID".
 */
int at_replace_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
	enum at_replace_flags flags);

/** at_sync_dir() - fsync a directory named by any fd of it (O_PATH too); 0 or a negative errno */
int at_sync_dir(int dirfd);
