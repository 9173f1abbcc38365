/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Users and groups of an image: its /etc/passwd and /etc/group against `-u USER[:GROUP]`
 *
 * The files come from an image: any bytes, without limits but the caller's on their size.  Lines
 * that are malformed are skipped.  An id beyond 32 bits is an error and never wraps to 0.  Pure.
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define LIMIT_USERDB_BYTES (4 << 20) /* of each file; for the caller that reads them */
#define LIMIT_USER_GROUPS  4096 /* supplementary */

struct userdb_file {
	const char *data; /* NULL: there is none */
	size_t len;
};

struct userdb_user {
	uint32_t uid, gid;
	char *name; /* NULL: the uid has no entry.  Owned */
	char *home; /* absolute; "/" if there is no entry.  Owned */
	uint32_t *gids; /* supplementary groups, without gid.  Owned */
	size_t n_gids;
};

/**
 * userdb_resolve() - who a container's process is
 * @spec:   "USER", "USER:GROUP", ":GROUP", names or numbers; NULL or "" is root
 * @passwd: @group: the image's files, borrowed
 * @ret:    ended with userdb_user_done()
 *
 * A number without an entry is taken as it is, with group 0 and home "/".  Groups that list the
 * user are supplementary, unless GROUP was given: then there are none.
 *
 * Return: 0; -ENOENT if a name is not in the files; -ERANGE for an id beyond the limit; -E2BIG
 * above LIMIT_USER_GROUPS; -ENOMEM.
 */
int userdb_resolve(const char *spec, const struct userdb_file *passwd,
	const struct userdb_file *group, struct userdb_user *ret, struct err *err);

/** userdb_find_group() - one group, by name or number (`--group-add`); errors as above */
int userdb_find_group(
	const char *name, const struct userdb_file *group, uint32_t *ret, struct err *err);

/** userdb_add_gid() - one more supplementary group, once; 0, -E2BIG or -ENOMEM */
int userdb_add_gid(struct userdb_user *user, uint32_t gid);

void userdb_user_done(struct userdb_user *user);

static inline void cleanup_userdb_user(struct userdb_user *user)
{
	userdb_user_done(user);
}
#define auto_userdb_user __attribute__((cleanup(cleanup_userdb_user))) struct userdb_user
