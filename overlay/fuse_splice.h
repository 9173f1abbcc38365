/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Large READs of bytes that lie in a row in one file: from its page cache to the kernel's own,
 * without a copy and without page faults in between
 *
 *      lower or upper file ─ splice ─▶ pipe, behind the reply's header ─ splice ─▶ /dev/fuse
 */

#include "overlay/fuse_adapter.h"

#include <stddef.h>

/**
 * fuse_splice_serve() - answer a request if it is one of these
 * @fd:      where it was read
 * @request: as it was read; aligned
 *
 * Return: true if the request was answered and is nobody else's business.  False also if the file
 * is shorter than it should be, or cannot be read: op_read() finds out and says so.
 */
bool fuse_splice_serve(const struct fuse_adapter *a, int fd, const void *request, size_t len);
