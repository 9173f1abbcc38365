/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tars of ours: pax, strict, and the same bytes for the same tree
 *
 * What ustar's fields can hold stands there; everything else has a pax record, sorted by its key:
 * names of more than 100 bytes or not of ASCII, times with a fraction, big ids and sizes, extended
 * attributes, maps of sparse files (GNU's format 1.0).  No names of users, no process ids.
 * Spec: POSIX pax(1); the GNU tar manual, "Storing Sparse Files".
 */

#include "base/err.h"
#include "base/str.h"
#include "overlay/index_format.h"

#include <sys/stat.h>
#include <sys/uio.h>

struct tarwrite {
	int fd; /* borrowed; written front to back, may be a pipe */
	uint64_t n_bytes; /* written so far */
	struct buf head; /* of the member on its way */
	struct buf records;
};

struct tarwrite_xattr {
	const char *name; /* without '=', which a record cannot hold */
	const void *value;
	size_t len;
};

/* One member; everything is borrowed for the call. */
struct tarwrite_member {
	const char *path; /* relative, not ""; directories get their slash here */
	const char *link; /* target of a symlink, or path of a hard link's first name */
	bool is_hardlink;
	uint32_t mode; /* with S_IFMT; no sockets */
	uint32_t uid, gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t dev_major, dev_minor;
	uint64_t size; /* of a file, holes included */
	const struct tarwrite_xattr *xattrs;
	size_t n_xattrs;
	const struct idx_extent *map; /* of a sparse file: what is data; tar_off is not looked at */
	size_t n_map;
	bool is_sparse;
};

/**
 * tarwrite_member() - the headers of a member
 *
 * For a file the data has to follow by tarwrite_data(), exactly as much as size says, or for a
 * sparse one as much as the map says, and then tarwrite_pad().
 * Return: 0; -EINVAL for what a tar cannot hold (a socket, an attribute with '='); write errors.
 */
int tarwrite_member(struct tarwrite *w, const struct tarwrite_member *m, struct err *err);
/** tarwrite_data() - @iov may point into mappings that only system calls may touch; changed */
int tarwrite_data(struct tarwrite *w, struct iovec *iov, int n, struct err *err);
int tarwrite_pad(struct tarwrite *w, struct err *err);
/** tarwrite_end() - the end marker */
int tarwrite_end(struct tarwrite *w, struct err *err);
void tarwrite_done(struct tarwrite *w);
