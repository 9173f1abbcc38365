/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The directory that is unpacked into, and what tells a half-unpacked one from any other
 *
 *      DIR/.lamina-unpack-SHA256-HEX/state    locked while somebody unpacks; says how
 *                                   /NUMBER   a name of each inode that has several
 *
 * No image can have a member of that name: the name is the hash of all the image's layers.
 */

#include "image/unpack.h"

struct unpack_target {
	int dirfd; /* open for reading; its mode is 0700 while it is filled */
	int mark_fd; /* the directory in it */
	int lock_fd; /* of "state" */
	char name[32 + DIGEST_TEXT_BYTES]; /* of that directory */
	bool resumed; /* files of an earlier run can be trusted where they are complete */
};

/**
 * unpack_target_open() - make or take over the directory
 * @path: as a person typed it; the last component is not followed if it is a symlink
 * Return: 0, unpack_target_done() it; errors of img_unpack().
 */
int unpack_target_open(struct unpack_target *ret, const char *path, const struct idx_digest *chain,
	enum unpack_ownership ownership, struct err *err);

/** unpack_target_complete() - nothing is missing but the root's own metadata: the mark goes */
int unpack_target_complete(struct unpack_target *t, struct err *err);
void unpack_target_done(struct unpack_target *t);
