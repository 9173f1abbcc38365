/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Lower directories that were renamed: the upper's copy says which lower directory it continues
 *
 *      upper/new/place   user.overlay.redirect = /old/place      continues lower /old/place
 *
 * The lower never changes, so a path from its root names a directory for ever, wherever its copy
 * goes.  Where a lower directory is now is asked for by handle, too; its struct is therefore kept
 * in memory (pinned) from the rename on.  Those of earlier mounts are looked for in the whole
 * upper, once, when the answer depends on them.
 *
 * Specification: doc/on-disk.md, "Dialects".
 */

#include "overlay/state.h"

#define LIMIT_REDIRECT_BYTES 2048 /* of a path that is written; a longer one is not */

/** redirect_path() - the path of a lower directory from the lower's root; -ENAMETOOLONG */
int redirect_path(struct ovl_fs *fs, uint64_t handle, char ret[LIMIT_REDIRECT_BYTES + 1]);

/**
 * redirect_resolve() - the lower directory, or file, that a redirect names
 * @dir:  lower directory that relative names are looked up in, or NODE_NO_HANDLE
 * @text: the attribute's value, any bytes
 * Return: 0; -ENOENT if it leads nowhere or makes no sense; errors of the lower.
 */
int redirect_resolve(
	struct ovl_fs *fs, uint64_t dir, const char *text, size_t len, uint64_t *ret_handle);

/** redirect_read() - the same for the redirect of an upper inode, @name below @dirfd */
int redirect_read(
	struct ovl_fs *fs, uint64_t dir, int dirfd, const char *name, uint64_t *ret_handle);

/** redirect_set() - let an upper directory continue lower @path wherever it stands; lock held */
int redirect_set(struct ovl_fs *fs, struct node *n, const char *path);
/** redirect_clear() - it stands where the lower has it; lock held */
void redirect_clear(struct ovl_fs *fs, struct node *n);

/** redirect_pin() - the struct stays until redirect_unpin(); lock held */
void redirect_pin(struct ovl_fs *fs, struct node *n);
/** redirect_unpin() - lock held, and another reference */
void redirect_unpin(struct ovl_fs *fs, struct node *n);

/** redirect_find_all() - pin the structs of all renamed lower directories, once; no lock held */
int redirect_find_all(struct ovl_fs *fs);
