/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Processes that serve a network from outside of it: a fork that sets itself up, reports how that
 * went, and goes on after its caller
 */

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct netproc {
	const char *name; /* at most 15 bytes, for ps(1) */
	/*
	 * Runs in the child: set up, netproc_report(), serve.  A failure that it returns before the
	 * report is reported; the process ends when it returns.
	 */
	int (*main)(void *ctx, int *report_fd, struct err *err);
	void *ctx;
	/* fds that the child keeps besides stderr, -1: none; sorted, with room for one more */
	int *keep;
	size_t n_keep;
};

/** netproc_report() - in the child: all is well, with @len bytes of results; ends the fd */
int netproc_report(int *report_fd, const void *result, size_t len);

/**
 * netproc_start() - fork, and wait for the report
 * @ret_result: @len bytes, what the child has reported with it
 *
 * The child has left the caller's session, signals have their default action in it, its stdin and
 * stdout are /dev/null.  Forks without exec: call it from a process with one thread.
 *
 * Return: 0; the child's failure with its text.  The child has been reaped then.
 */
int netproc_start(
	const struct netproc *p, void *ret_result, size_t len, pid_t *ret_pid, struct err *err);

/** netproc_close_others() - close all fds from 3 on but the n in @keep, which is sorted */
void netproc_close_others(int *keep, size_t n);
