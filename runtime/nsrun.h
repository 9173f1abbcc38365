/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Something short, done inside of a network namespace that the caller is not in */

#include "base/err.h"

typedef int (*nsrun_fn)(void *ctx, struct err *err);

/**
 * nsrun() - call @fn in a child that is in @netns_fd, and wait for its end
 * @netns_fd: -1: a new namespace, owned by the caller's user namespace
 * @ret_netns_fd: an fd of the namespace that @fn ran in, owned by the caller; NULL: not wanted
 *
 * What @fn writes to memory is lost.  Return: what @fn does, with its text; an error of setns(2).
 */
int nsrun(int netns_fd, nsrun_fn fn, void *ctx, int *ret_netns_fd, struct err *err);
