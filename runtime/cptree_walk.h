/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What runtime/cptree.c and runtime/cptree_tar.c share */

#include "runtime/cptree.h"

/** cptree_failed() - "WHAT 'PATH': why"; returns @code */
int cptree_failed(struct cptree *c, int code, const char *what, struct err *err);

/** cptree_meta() - what a copy of an entry is to have */
struct put_meta cptree_meta(const struct cptree *c, const struct stat *st);

/** cptree_each() - @fn for each entry of a directory, c->path being its path */
int cptree_each(struct cptree *c, int from,
	int (*fn)(struct cptree *c, int from, const char *name, void *arg, struct err *err),
	void *arg, struct err *err);

/** cptree_open_dir() - an fd to read from; -EXDEV without a text where the kernel makes the entries */
int cptree_open_dir(struct cptree *c, int from, const char *name, struct err *err);

/** cptree_open_file() - a regular file; -EINVAL for another kind.  Never hangs. */
int cptree_open_file(int from, const char *name, struct stat *st);
