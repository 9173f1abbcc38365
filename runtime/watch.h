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

/* One of the standard streams, where the program must not have ours itself. */
struct watch_copy {
	int from_fd, to_fd; /* -1: none, or at its end; owned if it is not a standard stream */
	struct tty_pipe pipe;
};

struct watch {
	int pidfd; /* of the program, a child; borrowed */
	struct tty *tty; /* NULL: it has no terminal; borrowed */
	sigset_t passed; /* signals that go to it */
	sigset_t before; /* mask to restore */
	int signal_fd; /* -1: signals are not held back */
	struct watch_copy copies[3];
};

/**
 * watch_pipes() - pipes for those of our standard streams that are terminals
 * @stdio: of the program, as of struct stage; what becomes a pipe is replaced.  -1 stays
 * A terminal in a container's hands could be fed with input for the caller's shell.
 * @ret_inside: ends to be closed when the program has them; -1 where there is none
 */
int watch_pipes(struct watch *w, int stdio[3], int ret_inside[3], struct err *err);

/** watch_init() - from here on signals wait for watch_run() instead of ending this process; first */
int watch_init(struct watch *w, struct err *err);

/**
 * watch_run() - until the program has ended
 * Return: its exit code, or 128 + signal; a negative errno.
 */
int watch_run(struct watch *w, struct err *err);

/** watch_done() - restore the signal mask */
void watch_done(struct watch *w);
