/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Tar archives in memory, right ones and, with a hand on the blocks, wrong ones. */

#include "base/str.h"

struct tar_entry {
	const char *name;
	char type; /* 0: '0' */
	const char *link;
	const char *data;
	size_t len; /* of data; 0: strlen(data) */
	uint32_t mode; /* 0: 0644 */
	uint32_t uid, gid;
	int64_t mtime; /* 0 or more */
	const char *pax; /* "key=value\n…" for an x header in front; values without line feeds */
};

/** make_tar_add() - append a ustar member with its data; aborts if out of memory */
void make_tar_add(struct buf *tar, const struct tar_entry *e);

/** make_tar_pax() - append an extended header of @type, x or g, with these records */
void make_tar_pax(struct buf *tar, char type, const char *records);

/** make_tar_raw() - append an extended header of @type with any bytes as its body */
void make_tar_raw(struct buf *tar, char type, const void *body, size_t len);

/** make_tar_block() - append a block with right magic and checksum and nothing else */
uint8_t *make_tar_block(struct buf *tar, const char *name, char type, uint64_t size);

/** make_tar_fix() - write the checksum of a header block anew */
void make_tar_fix(uint8_t *block);

/** make_tar_end() - two blocks of zeros */
void make_tar_end(struct buf *tar);
