/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Entries made below a directory that somebody hostile may change at the same time
 *
 * Each is made by its one name in a directory that is held as an fd; nothing follows a link, and
 * nothing is written into what was there before, but a regular file that cannot be replaced because
 * something is mounted on it.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

struct put {
	bool overwrite; /* a directory and anything else may replace each other */
	bool own_ids; /* who calls owns what is made; else put_meta says */
	mode_t mask; /* permission bits that entries may have */
};

struct put_meta {
	mode_t mode;
	uid_t uid; /* not looked at with own_ids */
	gid_t gid;
	struct timespec mtime;
};

/**
 * put_dir() - make a directory, or take the one that is there
 * @ret_is_new: its metadata are to be set by put_finish(), once it is full
 * Return: an fd, owned by the caller; -ENOTDIR if something else is there.
 */
int put_dir(const struct put *p, int dirfd, const char *name, bool *ret_is_new);

/**
 * put_file() - make an empty file in place of what is there
 * Return: an fd to write to, owned by the caller; -EISDIR if a directory is there.
 */
int put_file(const struct put *p, int dirfd, const char *name);

/** put_symlink() - the same for a symbolic link, with its owner and time */
int put_symlink(const struct put *p, int dirfd, const char *name, const char *target,
	const struct put_meta *meta);

/** put_fifo() - the same for a named pipe */
int put_fifo(const struct put *p, int dirfd, const char *name, const struct put_meta *meta);

/** put_finish() - owner, mode and time of what was made; @fd not of O_PATH */
int put_finish(const struct put *p, int fd, const struct put_meta *meta);
