/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The headers of one tar member, read strictly
 *
 * v7, ustar, GNU, star and pax archives.  What two readers could take in two ways is refused: a
 * wrong checksum, numbers that are none, two names, sparse maps that do not add up.
 *
 * Pure: bytes in, facts out; any thread.
 * Spec: POSIX pax(1), "ustar Interchange Format" and "pax Extended Header"; the GNU tar manual,
 * "Basic Tar Format" and "Storing Sparse Files".
 */

#include "image/tarpax.h"

#define LIMIT_TAR_EXT_BYTES (1U << 20) /* body of an extended header, as in Go's archive/tar */
#define LIMIT_TAR_EXTS	    32 /* extended headers in front of a member */

struct tarhead {
	char type; /* '0' file, '1' hard link, '2' symlink, '3' character device, '4' block device,
		    * '5' directory, '6' FIFO */
	struct buf path, link; /* as they stand; no NUL inside */
	uint32_t mode; /* without the type */
	uint64_t uid, gid; /* not negative; not yet limited */
	uint64_t dev_major, dev_minor;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t size; /* of a file, holes included */
	uint64_t stored; /* bytes of data behind the headers, without padding */
	uint64_t head_bytes; /* blocks of headers, global ones and a map of pax 1.0 included */
	uint64_t own_off; /* of the first block that is this member's and not a global header's */
	struct tarmap map; /* of a sparse file */
	bool is_sparse;
	struct tarpax pax; /* for its xattrs */

	/* internal */
	struct tarpax_values global; /* valid until another global header changes it */
	struct buf long_name, long_link;
	bool has_pax, has_long_name, has_long_link, has_acl;
};

#define TARHEAD_END 2

/** tarhead_init() - before the first member of an archive; the struct must then stay in its place
 */
void tarhead_init(struct tarhead *h);
void tarhead_done(struct tarhead *h);

/**
 * tarhead_parse() - read all header blocks of a member
 * @data:     starts with the first header, global ones included
 * @ret_need: on 1, how many bytes are needed at least to go on, more than @len
 * @ret_why:  on -EBADMSG, what is wrong: a constant
 *
 * Return: 0; 1 if more bytes are needed: call again from the front; TARHEAD_END if the archive ends
 * behind global headers; -EBADMSG; -ENOMEM.
 * h->path holds what was found of the name, also on an error.
 */
int tarhead_parse(struct tarhead *h, const uint8_t *data, size_t len, uint64_t *ret_need,
	const char **ret_why);

/** tarhead_is_end() - a block of zeros, which ends an archive */
bool tarhead_is_end(const uint8_t *block);
