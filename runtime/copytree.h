/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Copies what an image has at a place onto the tmpfs that will hide it ("tmpcopyup"). */

#define LIMIT_COPYTREE_DEPTH   64
#define LIMIT_COPYTREE_ENTRIES 65536
#define LIMIT_COPYTREE_BYTES   (256LL << 20)

/**
 * copytree() - copy directories, regular files and symlinks with owner and mode
 * @from: a directory, open in any way; symlinks in it are copied, never followed
 * @to:   an empty directory
 *
 * Other kinds of files are left out.  Return: 0; -E2BIG above a limit; another negative errno.
 */
int copytree(int from, int to);

/** copytree_to_disk() - the same onto a disk, which is its own limit; only the depth is bounded */
int copytree_to_disk(int from, int to);
