/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * SEEK_DATA and SEEK_HOLE where the kernel holds data that we do not have yet
 *
 *      LSEEK ─ handler ─▶ queue ─ this thread ─▶ invalidate the inode's pages ─▶ WRITE … ─ handlers
 *                                            └──▶ lseek(2) on the upper file ─▶ reply
 *
 * With the writeback cache the kernel asks without writing back what is dirty (Linux 6.18), and
 * what it holds would look like a hole: cp(1) would make zeros of it.  To invalidate pages is to
 * write them first.  The writes need handlers, so no handler waits for them: a thread of its own does.
 */

#include "overlay/fuse_adapter.h"

struct fuse_seek;

/** fuse_seek_new() - start the thread; NULL if that is impossible */
struct fuse_seek *fuse_seek_new(void);

/**
 * fuse_seek_free() - answer what is queued and end the thread; while the session still exists
 * Return: 0; -EBUSY if it waits for writes that nobody serves any more, which ends with the process:
 * the session has to stay.
 */
int fuse_seek_free(struct fuse_seek *s);

/** fuse_seek_request() - take a request over; it is replied to later, or at once without memory */
void fuse_seek_request(struct fuse_seek *s, fuse_req_t req, fuse_ino_t ino, off_t off, int whence);
