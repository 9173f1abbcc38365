/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A merged index and its one layer tar from a table, for tests that need an image without a tar. */

#include "overlay/index.h"

#include <stddef.h>
#include <stdint.h>

struct fake_entry {
	const char *path; /* clean; "" for the root, which may be left out; parents come first */
	uint32_t mode; /* with S_IFMT; 0 for another name of @data's inode */
	uint32_t uid, gid;
	const char *data; /* content, symlink target, or the path that a hard link names */
	uint64_t size; /* of a file; 0: strlen(data).  Behind data there is a hole */
	uint64_t hole; /* bytes of hole before the content: the file is sparse */
	const char *xattr; /* "NAME=VALUE"; may be NULL */
	uint64_t dev; /* of a device: major << 32 | minor */
	int64_t mtime_sec;
};

/**
 * fake_image() - build the files
 * @ret_index: memory file with the index, at most 4096 entries; owned by the caller
 * @ret_tar:   memory file with the content
 *
 * The k-th entry has the tar header at k times 512 plus the content before it.
 * Return: 0, or a negative errno.
 */
int fake_image(const struct fake_entry *v, size_t n, int *ret_index, int *ret_tar);
