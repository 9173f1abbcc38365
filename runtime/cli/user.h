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
