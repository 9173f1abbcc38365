/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The files of an image that lies on this machine: in a directory, or in a tar
 *
 * Names are relative ("blobs/sha256/…").  A directory is read beneath its fd; what is not a regular
 * file is an error and no hang.  A tar is scanned once and read in place; one that is packed or
 * comes from a pipe is spooled to an unlinked file first, for its members may stand in any order.
 */

#include "base/cleanup.h"
#include "base/err.h"
#include "image/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_ARCHIVE_MEMBERS 100000

struct files;

/** files_open_dir() - @path must be a directory */
int files_open_dir(struct files **ret, const char *path, struct err *err);

/**
 * files_open_tar() - @path is a tar, also packed by gzip or zstd; "-" is stdin
 * @tmp_dir: for what must be spooled; NULL: $TMPDIR, else /var/tmp
 * Return: 0; -EBADMSG if it is no tar, or a damaged one.
 */
int files_open_tar(struct files **ret, const char *path, const char *tmp_dir, struct err *err);

void files_close(struct files *f);

/** files_has() - is there a file of this name? */
bool files_has(const struct files *f, const char *name);

/**
 * files_source() - the content of one file; any thread
 * @ret_size: may be NULL
 * Return: 0 with @ret owned by the caller, to be closed before @f; -ENOENT; -EBADMSG if it is not a
 * regular file.
 */
int files_source(struct files *f, const char *name, struct source **ret, uint64_t *ret_size,
	struct err *err);

/** files_read() - the whole of a small file, owned by the caller, NUL-terminated; -EFBIG above @max
 */
int files_read(struct files *f, const char *name, size_t max, char **ret, size_t *ret_len,
	struct err *err);

/**
 * files_tmp() - an unlinked file for reading and writing
 * @dir: NULL: $TMPDIR, else /var/tmp
 * Return: the fd, owned by the caller, or a negative errno with a text.
 */
int files_tmp(const char *dir, struct err *err);

/**
 * files_spool_take_fd() - everything of a file or pipe, unpacked, into an unlinked file
 * @in_fd: consumed, also on failure
 * Return: the fd, owned by the caller, or a negative errno with a text.
 */
int files_spool_take_fd(int in_fd, const char *tmp_dir, struct err *err);

DEFINE_CLEANUP(struct files *, files, files_close)
#define auto_files auto_cleanup(files) struct files *
