/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who looks at a container: the command that started it, or `lamina attach`
 *
 *      client_fork() ─┬─ child:  the monitor (runtime/container.h)
 *                     └─ caller: client_wait_started() ─▶ client_run() ─▶ exit code
 *
 * The client's terminal is in raw mode while it looks, and has its mode back afterwards, whatever
 * ends it but SIGKILL.  Signals that the client gets go to the container.
 */

#include "base/err.h"
#include "runtime/detach.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define CLIENT_ID_BYTES 65

struct client {
	int sock; /* to the monitor; -1: none */
	pid_t pid; /* of the monitor, if it is a child; else 0 */
	int signal_fd; /* -1: signals are not held back */
	sigset_t before;
};

#define CLIENT_INIT                                                                                \
	{                                                                                          \
		.sock = -1, .signal_fd = -1                                                        \
	}

struct client_opts {
	bool input; /* our standard input goes to the container */
	bool terminal; /* the container has one: ours becomes raw if it is one */
	bool pass_signals;
	bool no_stdout, no_stderr; /* what it writes there is not shown */
	struct detach detach;
};

/** client_hold_signals() - from here on they wait for client_run() */
int client_hold_signals(struct client *c, struct err *err);

/**
 * client_fork() - start a monitor process, in a session of its own
 * Return: 1 in the caller; 0 in the child, whose end of the socket is @ret_sock; a negative errno.
 */
int client_fork(struct client *c, int *ret_sock, struct err *err);

/**
 * client_wait_started() - until the monitor says that the program runs, or why not
 * @ret_id: the container's id
 * @ret_exit_code: after a failure, what to exit with
 * Return: 0; what the monitor failed with; -EINTR after a signal.
 */
int client_wait_started(
	struct client *c, char ret_id[static CLIENT_ID_BYTES], int *ret_exit_code, struct err *err);

/** client_failed() - in the monitor: tell the client why there is no container */
void client_failed(int sock, int code, int exit_code, const struct err *err);

/**
 * client_run() - move bytes and signals until the container ends
 * Return: its exit code; -ECANCELED after the detach keys; -ECONNRESET if the monitor was killed.
 */
int client_run(struct client *c, struct client_opts *o, struct err *err);

/** client_done() - close; a monitor that is to end is waited for, so that nothing of it is left */
void client_done(struct client *c, bool wait);
