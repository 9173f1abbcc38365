/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How many names of a lower inode are left, where they cannot be counted: index/<origin>.names
 *
 * The lower of directories knows the names that were looked up.  Those that were removed before the
 * last mount, or before the kernel forgot the inode, it does not know; so the count is kept.  It is
 * the target of a symlink, which appears complete.  A regular file that has its copy in index/ says
 * it in an attribute instead (meta_keep_names()).
 *
 * Should it fail, or the daemon die between a removal and this, a link count is wrong.  Any thread;
 * the caller holds the inode's lock over a change.  Specification: doc/on-disk.md, "index/".
 */

#include "overlay/upper.h"

/** name_counts_get() - false if there is none */
bool name_counts_get(struct upper *up, uint64_t origin, uint32_t *ret);
void name_counts_set(struct upper *up, uint64_t origin, uint32_t n);
void name_counts_del(struct upper *up, uint64_t origin);

/** name_counts_parse() - is it the name of such an entry?  Pure. */
bool name_counts_parse(const char *name, uint64_t *ret_origin);
