/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Giving a whole tree to somebody: -v …:U */

#include <sys/types.h>

#define LIMIT_CHOWNTREE_DEPTH 512 /* directories, each held open */

/**
 * chowntree() - give what @fd names, and all below it, to a user; no link is followed
 * @fd: O_PATH of a file or directory, borrowed
 * Return: 0; -E2BIG beyond the limit; an errno of fchownat(2), and part of it is done.
 */
int chowntree(int fd, uid_t uid, gid_t gid);
