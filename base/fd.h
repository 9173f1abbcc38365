/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole reads and writes on file descriptors; every int fd here is borrowed. */

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** fd_write_all() - write all of @len bytes, retrying EINTR and short writes; 0 or a negative errno
 */
int fd_write_all(int fd, const void *data, size_t len);

/** fd_pread_all() - read exactly @len bytes at @off; -ENODATA if the file ends before */
int fd_pread_all(int fd, void *buf, size_t len, off_t off);

/**
 * fd_read_file() - the whole of a small regular file
 * @fd:       open for reading
 * @max_len:  limit in bytes
 * @ret_data: owned by the caller; a NUL stands behind the last byte
 * @ret_len:  without that NUL; may be NULL
 *
 * Return: 0; -EFBIG above @max_len; -EINVAL if @fd is not a regular file; another negative errno.
 */
int fd_read_file(int fd, size_t max_len, char **ret_data, size_t *ret_len);

/**
 * fd_read_named() - the whole of what a person names on a command line
 * Pipes too, such as the /dev/fd/63 of a shell's <(COMMAND); else as fd_read_file().
 */
int fd_read_named(const char *path, size_t max_len, char **ret_data, size_t *ret_len);

/** fd_cloexec() - set or, with @on 0, clear FD_CLOEXEC; 0 or a negative errno */
int fd_cloexec(int fd, int on);

/**
 * fd_close_inherited() - close what whoever started us left open, from @from on
 * That is what does not close on exec: every fd of ours does.
 */
void fd_close_inherited(int from);

/** fd_fill_standard() - /dev/null for each of 0, 1, 2 that is closed, so that no other file gets there */
int fd_fill_standard(void);

/** fd_raise_limit() - raise the soft RLIMIT_NOFILE to the hard one; returns the new limit */
uint64_t fd_raise_limit(void);
