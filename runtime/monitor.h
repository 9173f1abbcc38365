/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Waits for a running container: passes signals in, moves the terminal's bytes, takes the exit code
 */

#include "base/err.h"
#include "runtime/tty.h"

#include <signal.h>

struct monitor {
	int pidfd; /* of the container's first process, borrowed */
	struct tty *tty; /* NULL: the container has no terminal; borrowed */
	int root_pidfd; /* of the process that serves the root file system; -1: none.  Borrowed */
	int net_pidfd; /* of the network process; -1: none.  Borrowed */
	sigset_t passed; /* signals that go to the container */
	sigset_t before; /* mask to restore */
	int signal_fd; /* -1: signals are not held back */
};

/**
 * monitor_init() - from here on signals wait for monitor_run() instead of ending this process
 */
int monitor_init(struct monitor *m, struct err *err);

/**
 * monitor_run() - until the container's first process has ended
 * Return: its exit code, or 128 + signal; a negative errno.
 */
int monitor_run(struct monitor *m, struct err *err);

/** monitor_done() - restore the signal mask */
void monitor_done(struct monitor *m);
