/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * FUSE_TMPFILE (O_TMPFILE), which libfuse before 3.17 does not know: read off the descriptor and
 * answered beside it
 */

#include "overlay/fuse_adapter.h"

#include <stddef.h>

/**
 * fuse_tmpfile_serve() - answer a request if it is one of these
 * @fd:      where it was read
 * @request: as it was read; aligned
 *
 * Return: true if the request was answered and is nobody else's business.
 */
bool fuse_tmpfile_serve(const struct fuse_adapter *a, int fd, const void *request, size_t len);
