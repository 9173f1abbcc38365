/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The files of an image, written: into a directory, or one after the other into a tar
 *
 * A directory's files appear by rename, complete; a tar appears under its name when it is finished,
 * unless it is no regular file (a pipe, "-" for stdout).  The bytes of a tar depend on the files
 * alone.
 */

#include "base/cleanup.h"
#include "base/err.h"
#include "image/source.h"

#include <stdbool.h>
#include <stddef.h>

#define SINK_SIZE_UNKNOWN UINT64_MAX

struct sink;

/** sink_open_dir() - made if it is missing */
int sink_open_dir(struct sink **ret, const char *path, struct err *err);

/** sink_open_tar() - @tmp_dir as of files_tmp() */
int sink_open_tar(struct sink **ret, const char *path, const char *tmp_dir, struct err *err);

/** sink_close() - what was not finished goes away, but for whole files of a directory */
void sink_close(struct sink *s);

/** sink_is_dir() - files may be written by several threads, and read again */
bool sink_is_dir(const struct sink *s);

/** sink_has() - was a file of this name and size written? */
bool sink_has(struct sink *s, const char *name, uint64_t size);

/**
 * sink_put() - one file, from a source
 * @name: parents are made
 * @size: in bytes, or SINK_SIZE_UNKNOWN
 * @in:   borrowed, read to its end
 */
int sink_put(struct sink *s, const char *name, uint64_t size, struct source *in, struct err *err);

/** sink_put_data() - one small file; replaces an older one in a directory */
int sink_put_data(struct sink *s, const char *name, const void *data, size_t len, struct err *err);

/**
 * sink_lock() - keep others from changing small files of a directory
 * Return: a lock, ended by closing it; -ENOLCK where the filesystem has no locks, or for a tar.
 */
int sink_lock(struct sink *s);

/** sink_read() - a small file of a directory as it is now; -ENOENT */
int sink_read(struct sink *s, const char *name, size_t max, char **ret, size_t *ret_len);

/** sink_finish() - the tar is complete and takes its name */
int sink_finish(struct sink *s, struct err *err);
