/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Layers of an additional store: checked once, then known by what stat(2) says
 *
 *      verified/sha256-HEX      in the own store: inode, size and times of the tar and the index
 *                               that were compared with the digest
 */

#include "image/store_dir.h"

/**
 * layer_check_foreign() - are the tar and index of another store what the digest says?
 * @s:      the own store, where the check is noted
 * @from:   the store that has the layer; nothing is written to it
 * @tar_fd: its layer.tar
 *
 * Reads all of it the first time, and when inode, size or times have changed.
 * Return: 0; -EBADMSG if the layer or its index is damaged; others of reading.
 */
int layer_check_foreign(struct img_store *s, struct img_store *from,
	const struct idx_digest *diff_id, int tar_fd, struct err *err);
