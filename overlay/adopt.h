/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Uppers of other overlay filesystems: what they spell differently is spelled as we do, once
 *
 *      .wh..wh..opq, user.fuseoverlayfs.opaque, trusted.overlay.opaque    user.overlay.opaque = y
 *      .wh.NAME, an empty file                                            NAME, a 0/0 device
 *      trusted.overlay.redirect, .metacopy                                user.overlay.…
 *
 * What stood there before is understood by those who wrote it and what stands there then, too, so
 * the upper can go back to them.  A crash between any two steps leaves an upper that means the same.
 */

/** adopt_upper() - @fd: the tree, borrowed; 0 or a negative errno */
int adopt_upper(int fd);
