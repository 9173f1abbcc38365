/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Extended headers of pax archives: records "LEN KEY=VALUE\n".  Pure.
 *
 * Spec: POSIX pax(1), "pax Extended Header"; keys SCHILY.* of star, LIBARCHIVE.* of bsdtar,
 * RHT.* and GNU.sparse.* of GNU tar.  Unknown keys are skipped.
 */

#include "base/str.h"
#include "image/tarmap.h"
#include "overlay/index.h"

/* What a global header may set, too. */
struct tarpax_values {
	bool has_uid, has_gid, has_mtime;
	uint64_t uid, gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
};

struct tarpax_xattr {
	size_t name, value; /* offsets in tarpax.bytes */
	size_t name_len, value_len;
};

struct tarpax {
	struct tarpax_values values;
	bool has_size, has_dev_major, has_dev_minor, has_real_size;
	uint64_t size, dev_major, dev_minor, real_size;
	struct buf path, link, sparse_name; /* empty: not given */

	/* sparse formats 0.0, 0.1 and 1.0; -1: not given */
	int64_t sparse_major, sparse_minor, n_pieces, piece_off;
	struct tarmap *map; /* gets the pieces; not ours */

	struct tarpax_xattr *xattrs; /* in the order of the records; a name may occur twice */
	size_t n_xattrs, xattrs_room;
	struct buf bytes; /* names and values of xattrs */
};

/** tarpax_clear() - forget a member, keep the memory; also before the first use of a zeroed one */
void tarpax_clear(struct tarpax *x);
void tarpax_done(struct tarpax *x);

/**
 * tarpax_read() - take the records of an extended header
 * Return: 0; -EBADMSG with @ret_why; -ENOMEM.
 */
int tarpax_read(struct tarpax *x, const char *p, size_t len, const char **ret_why);

/** tarpax_read_global() - of a global header; one that names or sizes members is refused */
int tarpax_read_global(struct tarpax_values *v, const char *p, size_t len, const char **ret_why);
