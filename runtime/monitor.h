/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Waits for a running container: passes signals in, moves the bytes of its streams, takes the exit
 * code
 */

#include "base/err.h"
#include "runtime/streams.h"

#include <signal.h>

struct monitor {
	int pidfd; /* of the container's first process, borrowed */
	int root_pidfd; /* of the process that serves the root file system; -1: none.  Borrowed */
	int net_pidfd; /* of the network process; -1: none.  Borrowed */
	struct streams streams;
	uint32_t timeout_s; /* the container is killed then; 0: never */
	int timer_fd; /* of that time; -1: none */
	sigset_t passed; /* signals that go to the container */
	sigset_t before; /* mask to restore */
	int signal_fd; /* -1: signals are not held back */
};

void monitor_init(struct monitor *m);

/** monitor_hold_signals() - from here on signals wait for monitor_run() instead of ending us */
int monitor_hold_signals(struct monitor *m, struct err *err);

/**
 * monitor_wait_start() - until a client asks for the program's start
 * Return: 0; -ECANCELED if the container ended before, or its owner.
 */
int monitor_wait_start(struct monitor *m, struct err *err);

/**
 * monitor_run() - until the container's first process has ended
 * Return: its exit code, or 128 + signal; a negative errno.
 */
int monitor_run(struct monitor *m, struct err *err);

/** monitor_done() - restore the signal mask, close */
void monitor_done(struct monitor *m);
