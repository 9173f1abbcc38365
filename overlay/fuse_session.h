/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Serves an ovl_fs to the kernel through a /dev/fuse descriptor (libfuse's low-level loop). */

#include "overlay/fs.h"

struct ovl_session_opts {
	unsigned int n_threads; /* 0: one per processor, at most 8 */
	int ready_fd; /* -1, or: one byte is written once the kernel's INIT is answered; borrowed */
	bool no_open_off; /* do not answer OPEN and OPENDIR with ENOSYS (see doc/overlay.md) */
	bool debug;
	bool read_only; /* the mount is */
	bool no_writeback; /* each write(2) is sent at once */
	bool no_xattrs; /* ENOSYS to all that concerns them */
	bool no_acl;
	bool ino32; /* inode numbers of 32 bits */
	bool expires; /* somebody else changes the layers: opens are announced and nothing is
			 remembered for longer than @timeout_s */
	double timeout_s; /* with @expires */
	const char *mountpoint; /* unmounted lazily on SIGTERM; NULL: somebody else's business */
};

/**
 * ovl_serve() - answer requests until the filesystem is unmounted or SIGTERM comes
 * @fuse_fd: an open /dev/fuse whose mount exists already; consumed
 *
 * SIGTERM with a mountpoint: what is dirty is written, the mount is detached, and open files are
 * served until the last is closed or a second SIGTERM comes.  Without one: returns at once.
 * SIGHUP and SIGPIPE are ignored from then on, and the umask is 0.
 *
 * Return: 0 after an unmount or SIGTERM; a negative errno.
 */
int ovl_serve(struct ovl_fs *fs, int fuse_fd, const struct ovl_session_opts *opts, struct err *err);

/** ovl_fuse_version() - of libfuse, as it is loaded */
const char *ovl_fuse_version(void);
