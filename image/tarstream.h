/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A tar archive, member by member, from a source of bytes; nothing is ever read twice
 *
 * Ours and not libarchive's, which was tried (3.6.2): it normalises the Unicode of names, cuts them
 * at NUL, drops global headers, gets negative fractions of seconds wrong, takes numbers that are
 * none, looks for the next header behind a damaged one, believes sparse maps that do not add up,
 * takes seconds for an ACL of many entries, and exits when out of memory.
 */

#include "base/err.h"
#include "image/source.h"
#include "image/tarhead.h"

#include <stdint.h>

struct tarstream;

/** tarstream_new() - @src is borrowed until tarstream_free(); 0 or -ENOMEM */
int tarstream_new(struct tarstream **ret, struct source *src);
void tarstream_free(struct tarstream *ts);

struct tar_member {
	const struct tarhead *head; /* borrowed until the next call */
	uint64_t hdr_off; /* in the archive: of the first block that belongs to the member */
	uint64_t data_off; /* of the first stored byte */
};

/**
 * tarstream_next() - go to the next member, over what was not read of the last one
 * Return: 1 with @ret filled; 0 at the end of the archive, behind which nothing was read; -EBADMSG
 * for a damaged one, with the member's name or place; -ENOMEM; errors of the source.
 */
int tarstream_next(struct tarstream *ts, struct tar_member *ret, struct err *err);

/**
 * tarstream_data() - the next stored bytes of the member
 * Return: 1 with a piece that is valid until the next call; 0 behind the last; else as
 * tarstream_next().  Where a sparse file's bytes belong, head->map tells.
 */
int tarstream_data(
	struct tarstream *ts, const uint8_t **ret_data, size_t *ret_len, struct err *err);

/** tarstream_at() - bytes of the archive that were consumed */
uint64_t tarstream_at(const struct tarstream *ts);
