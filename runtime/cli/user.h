/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who a program of a container is, by the files of its root */

#include "base/str.h"
#include "runtime/userdb.h"

/**
 * user_find() - resolve -u and --group-add
 * @root_fd: of the root file system, whose links lead nowhere outside; borrowed
 * @name:    as of userdb_resolve(); NULL: root
 * @groups:  supplementary ones, by name or number; NULL: none
 */
int user_find(int root_fd, const char *name, const struct strv *groups, struct userdb_user *ret,
	struct err *err);

/* One that programs of a container will look for. */
struct user_entry {
	uint32_t uid, gid;
	const char *name; /* NULL: the number */
	const char *gecos; /* NULL: none */
	const char *home;
};

/**
 * user_add() - lines for a user and a group in the root's files, where their numbers have none
 * An image without /etc/passwd or /etc/group gets none.
 */
int user_add(int root_fd, const struct user_entry *e, struct err *err);
