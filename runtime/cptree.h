/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Trees copied into and out of containers, which may change them meanwhile
 *
 *      directory, name ─ walk by fds ─┬▶ directory, name     runtime/put.h
 *      tar ───────────────────────────┘└▶ tar
 *
 * Links in a tree are copied, never followed.  What the kernel shows in proc, sysfs and the like is
 * no part of a tree.  Devices and sockets are left out and counted; hard links become files of their
 * own; extended attributes are not copied.
 */

#include "base/err.h"
#include "base/str.h"
#include "image/source.h"
#include "overlay/idmap.h"
#include "runtime/put.h"

#include <stdint.h>

#define LIMIT_CPTREE_DEPTH 1000 /* each level holds two fds */

struct cptree {
	struct put put;
	bool give; /* all that is made belongs to uid and gid */
	uid_t uid; /* as the caller sees them */
	gid_t gid;
	const struct idmap *uids, *gids; /* the container's ids -> the caller's, for tars; an empty
					    one: the same */
	uint64_t n_left_out;
	struct buf path; /* for messages; buf_done() it */
	unsigned int depth;
};

/** cptree_copy() - copy one entry, with all that is below it, to @to_name in @to */
int cptree_copy(struct cptree *c, int from, const char *from_name, int to, const char *to_name,
	struct err *err);

/** cptree_copy_file() - copy the open file @from, not its directory entry; @to is open for writing */
int cptree_copy_file(struct cptree *c, int from, int to, struct err *err);

/**
 * cptree_copy_dir() - copy an open directory, with all that is below it, to @to_name in @to
 * @from: open for reading; negative: it is made empty
 * @st:   what it is to look like
 */
int cptree_copy_dir(struct cptree *c, int from, const struct stat *st, int to, const char *to_name,
	struct err *err);

/** cptree_copy_contents() - copy what is in the directory @from into the directory @to */
int cptree_copy_contents(struct cptree *c, int from, int to, struct err *err);

/** cptree_to_tar() - write the file or directory @from, below the name @name, to @fd as a tar */
int cptree_to_tar(struct cptree *c, int from, const char *name, int fd, struct err *err);

/**
 * cptree_from_tar() - make what a tar has below a directory
 * @root: names of the tar and links on the way to them are resolved as if this were "/", borrowed
 * @dir:  path below @root that the names start from
 *
 * Return: 0; -EBADMSG for a damaged tar; -EINVAL for names with "..".
 */
int cptree_from_tar(
	struct cptree *c, struct source *src, int root, const char *dir, struct err *err);
