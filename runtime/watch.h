/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Waits for a program that a command runs in the foreground: passes signals in, moves the
 * terminal's bytes, takes the exit code
 *
 * A container of the store has a monitor instead (runtime/monitor.h).
 */

#include "base/err.h"
#include "runtime/tty.h"

#include <signal.h>

struct watch {
	int pidfd; /* of the program, a child; borrowed */
	struct tty *tty; /* NULL: it has no terminal; borrowed */
	sigset_t passed; /* signals that go to it */
	sigset_t before; /* mask to restore */
	int signal_fd; /* -1: signals are not held back */
};

/** watch_init() - from here on signals wait for watch_run() instead of ending this process */
int watch_init(struct watch *w, struct err *err);

/**
 * watch_run() - until the program has ended
 * Return: its exit code, or 128 + signal; a negative errno.
 */
int watch_run(struct watch *w, struct err *err);

/** watch_done() - restore the signal mask */
void watch_done(struct watch *w);
