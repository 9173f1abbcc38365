/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Between libfuse's low-level calls and overlay/ops.h.  Private to the fuse_*.c files. */

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "overlay/fs.h"

#include <stdbool.h>

/* What a session hands to the handlers as userdata. */
struct fuse_adapter {
	struct ovl_fs *fs;
	struct fuse_session *se; /* for notifications */
	struct fuse_seek *seek; /* NULL: without a writeback cache there is nothing to wait for */
	bool no_open; /* answer OPEN, OPENDIR and CREATE with ENOSYS */
	bool read_only;
	bool no_writeback;
	bool no_xattrs;
	bool no_acl;
	bool ino32;
	bool expires; /* the kernel shall not remember for ever */
	double timeout_s;
};

#define FUSE_ADAPTER_FOREVER_S 1e9

/** fuse_adapter_ops() - the table of handlers */
const struct fuse_lowlevel_ops *fuse_adapter_ops(void);

/**
 * fuse_adapter_write_flags() - the flags of the WRITE request that this thread is about to handle
 * libfuse before 3.17 does not pass FUSE_WRITE_KILL_SUIDGID on, so the session reads it off the
 * request.
 */
void fuse_adapter_write_flags(uint32_t flags);
