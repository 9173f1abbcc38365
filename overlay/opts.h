/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The command line of lamina-overlay: that of fuse-overlayfs, and the words of kernel overlayfs and
 * of FUSE beside.  Pure: no I/O; any thread.
 *
 * A word that makes no sense here is accepted with a warning; one that nobody knows is an error.
 */

#include "base/err.h"
#include "base/str.h"
#include "overlay/idmap.h"

#include <stdbool.h>
#include <stdint.h>

enum opts_action {
	OPTS_MOUNT,
	OPTS_CHECK, /* --check UPPER */
	OPTS_FINISH, /* --finish UPPER */
	OPTS_HELP,
	OPTS_VERSION,
};

enum opts_flags {
	OPTS_FOREGROUND = 1 << 0,
	OPTS_DEBUG = 1 << 1,
	OPTS_READ_ONLY = 1 << 2, /* asked for; a mount without upperdir is, too */
	OPTS_VOLATILE = 1 << 3,
	OPTS_NO_WRITEBACK = 1 << 4,
	OPTS_NO_XATTRS = 1 << 5,
	OPTS_NO_ACL = 1 << 6,
	OPTS_STATIC_NLINK = 1 << 7,
	OPTS_INO32 = 1 << 8,
	OPTS_REDIRECT = 1 << 9,
	OPTS_METACOPY = 1 << 10,
	OPTS_SQUASH_UID = 1 << 11,
	OPTS_SQUASH_GID = 1 << 12,
	OPTS_SINGLE_THREAD = 1 << 13,
	OPTS_ANNOUNCE_OPENS = 1 << 14,
	OPTS_NO_SUID = 1 << 15,
	OPTS_NO_DEV = 1 << 16,
	OPTS_NO_EXEC = 1 << 17,
	OPTS_ATIME = 1 << 18,
	OPTS_ALLOW_OTHER = 1 << 19,
	OPTS_NO_DIRATIME = 1 << 20,
	OPTS_SUID = 1 << 21,
	OPTS_DEV = 1 << 22,
	OPTS_COUNT_NLINK = 1 << 23,
};

#define OPTS_TIMEOUT_FOREVER 1e9
#define LIMIT_OPTS_LAYERS    4096

struct opts {
	enum opts_action action;
	enum opts_flags flags;
	struct strv lowers; /* the top one first, unescaped */
	char *upper, *work; /* NULL: none */
	char *context; /* SELinux label for mount(2); NULL: none */
	char *source; /* fsname; NULL: the default */
	const char *mountpoint; /* borrowed; of --check and --finish: the upper */
	struct idmap uids, gids; /* n 0: the same */
	uint32_t squash_uid, squash_gid;
	uint32_t xattr_permissions; /* 0, 1, 2 */
	double timeout_s;
	struct strv warnings; /* words that are ignored */
};

/**
 * opts_parse() - a whole command line
 * @ret: opts_done() it, also after an error
 * Return: 0; -EINVAL with a text.
 */
int opts_parse(struct opts *ret, int argc, char *const argv[], struct err *err);

/** opts_parse_words() - one argument of -o */
int opts_parse_words(struct opts *o, const char *words, struct err *err);

void opts_done(struct opts *o);

/** opts_usage() - the text of --help */
const char *opts_usage(void);
