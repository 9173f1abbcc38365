/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process that serves a container's root file system
 *
 *      image (merged index, layer tars) ─┐
 *      upper directory ──────────────────┴─▶ root process ──/dev/fuse──▶ detached mount
 *
 * It stands in the parent user namespace, outside of the container.  It ends when the mount goes,
 * which goes with the container's mount namespace.
 */

#include "base/err.h"
#include "image/store.h"

#include <sys/types.h>

struct rootproc {
	pid_t pid;
	int pidfd; /* -1: none */
	int sock; /* to it; its end tells the root process that the monitor has ended */
};

#define ROOTPROC_INIT                                                                              \
	{                                                                                          \
		.pidfd = -1, .sock = -1                                                            \
	}

struct rootproc_opts {
	struct img_store *store; /* borrowed */
	const struct img *img; /* borrowed */
	int upper_dirfd; /* state directory of the upper, borrowed */
	const struct idmap *uids, *gids; /* the container's ids here; NULL: all as they are */
	const int *close_fds; /* of the monitor, not to be kept by the root process */
	size_t n_close_fds;
	bool throw_away; /* nobody will look at the upper afterwards: fsync is not waited for */
};

/**
 * rootproc_start() - start serving an image with an upper
 * @ret_mount: the root's mount, attached nowhere, owned by the caller
 *
 * Returns at once; what goes wrong in the process shows as an error of the first access to the
 * mount, and rootproc_explain() then knows more.
 */
int rootproc_start(
	struct rootproc *ret, const struct rootproc_opts *opts, int *ret_mount, struct err *err);

/**
 * rootproc_start_guard() - the same process without a file system to serve
 * For a root that needs none: what it then does is rootproc_guard() alone.
 */
int rootproc_start_guard(struct rootproc *ret, const struct rootproc_opts *opts, struct err *err);

/**
 * rootproc_explain() - after a failure: was it the root process?
 * Return: its error and text if it has failed, else @code with @err as it is.
 */
int rootproc_explain(const struct rootproc *rp, int code, struct err *err);

/** rootproc_guard() - should the monitor die, the root process kills this one; @pidfd borrowed */
void rootproc_guard(const struct rootproc *rp, int pidfd);

enum rootproc_end_flags { ROOTPROC_KILL = 1 << 0 /* what it has not written may be lost */ };

/** rootproc_end() - wait until it has ended; the mount must be gone, or ROOTPROC_KILL given */
void rootproc_end(struct rootproc *rp, enum rootproc_end_flags flags);
