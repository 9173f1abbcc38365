/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Moves bytes of a lower file into a descriptor; holes stay holes. */

#include "overlay/lower.h"

/**
 * copy_from_lower() - copy @len bytes from @off to @fd at @to
 * @ret_done: bytes that were covered, holes included; less than @len only at the end of the file
 */
int copy_from_lower(struct lower *l, uint64_t handle, uint64_t off, uint64_t len, int fd,
	uint64_t to, uint64_t *ret_done);

/** copy_fd_range() - between files: copy_file_range(2), else by hand */
int copy_fd_range(int in, uint64_t off, uint64_t len, int out, uint64_t to, uint64_t *ret_done);
