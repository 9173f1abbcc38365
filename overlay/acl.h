/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* POSIX ACLs as extended attributes (linux/posix_acl_xattr.h): ids, modes, inheritance. */

#include "overlay/state.h"

#define ACL_ACCESS	"system.posix_acl_access"
#define ACL_DEFAULT	"system.posix_acl_default"
#define LIMIT_ACL_BYTES (4 + 8 * 1024)

bool acl_is_name(const char *name);

enum acl_direction { ACL_TO_CLIENT, ACL_TO_IMAGE };

/**
 * acl_map() - rewrite the ids of an ACL in place, between the image's and the client's numbering
 * Return: 0; -EINVAL if it is malformed or an id has no counterpart.
 */
int acl_map(const struct ovl_fs *fs, void *value, size_t len, enum acl_direction direction);

/**
 * acl_inherit() - what a new inode gets from its directory's default ACL.  Pure.
 * @dflt:   the default ACL, rewritten to be the access ACL of the new inode
 * @mode:   what was asked for; becomes what the inode gets
 *
 * Return: 1 if @dflt has to be set as access ACL, 0 if the mode says it all, -EINVAL.
 */
int acl_inherit(void *dflt, size_t len, uint32_t *mode);
