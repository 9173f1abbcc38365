/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Uppers of other overlay filesystems: what they spell differently is spelled as we do, once
 *
 *      .wh..wh..opq, user.fuseoverlayfs.opaque, trusted.overlay.opaque    user.overlay.opaque = y
 *      .wh.NAME, an empty file                                            NAME, a 0/0 device
 *      NAME, a 0/0 device                                   ADOPT_NAMES:  .wh.NAME
 *      .wh.NAME beside a directory NAME                                   the directory is opaque
 *      trusted.overlay.redirect, .metacopy                                user.overlay.…
 *
 * What stood there before is understood by those who wrote it and what stands there then, too, so
 * the upper can go back to them.  A crash between any two steps leaves an upper that means the same.
 */

enum adopt_flags {
	ADOPT_NAMES = 1 << 0, /* whiteouts are names; the files of that kind stay as they are */
};

/** adopt_upper() - @fd: the tree, borrowed; 0 or a negative errno */
int adopt_upper(int fd, enum adopt_flags flags);
