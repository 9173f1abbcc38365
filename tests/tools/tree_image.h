/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A one-layer image made from a directory tree, for tests that mount. */

/**
 * tree_image() - write the merged index and the tar bytes of the tree at @dir
 * The tar is no archive: contents stand where headers and data would, which is all that an index
 * knows about.  Hard links, holes, xattrs, ids and times are kept.
 * Return: 0 or a negative errno.
 */
int tree_image(int dirfd, int index_fd, int tar_fd);
