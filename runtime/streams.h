/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What goes into a container and comes out of it
 *
 *      container ── stdout, stderr, or terminal ──▶ log ──▶ clients (runtime/attach.h)
 *                ◀──────── stdin, or terminal ─────────────◀
 *
 * A client that does not read holds the container's output back, as a full pipe does; nothing is
 * dropped.  Part of the monitor's loop: nothing here waits but streams_finish().
 */

#include "base/err.h"
#include "runtime/attach.h"
#include "runtime/logfile.h"
#include "runtime/ttyguard.h"

#include <poll.h>
#include <stdbool.h>

#define LIMIT_CLIENTS  24
#define STREAMS_N_POLL (5 + LIMIT_CLIENTS)

struct streams_client {
	int fd; /* -1: free */
	bool owner; /* the container ends with it */
	bool quiet;
};

struct streams {
	int master_fd, slave_fd; /* of a terminal; the slave so that it never hangs up.  -1: none */
	int in_fd; /* the container's standard input; -1: none, or the terminal */
	int out_fds[2]; /* its output and error output; -1: at their end, or none */
	int listen_fd; /* -1: nobody can come */
	struct logfile *log; /* NULL: none */
	struct streams_client clients[LIMIT_CLIENTS];
	/* what clients in @todo still have to get */
	struct attach_msg out;
	size_t out_len;
	uint32_t todo;
	/* input that the container has not taken */
	struct attach_msg in;
	size_t in_off, in_len;
	bool in_ends; /* behind it */
	struct ttyguard owner_tty; /* the owner's terminal */
	/* what clients asked for, until the monitor has done it */
	bool owner_gone;
	int starter_fd; /* who asked for the start, owned; -1: nobody yet */
};

void streams_init(struct streams *s);

/** streams_add_client() - consumes @fd */
int streams_add_client(struct streams *s, int fd, bool owner);

/** streams_set_terminal() - @master_fd: consumed */
int streams_set_terminal(struct streams *s, int master_fd, struct err *err);

/** streams_set_size() - of the terminal, if there is one */
void streams_set_size(const struct streams *s, uint16_t rows, uint16_t cols);

/** streams_poll_fill() - what to wait for: STREAMS_N_POLL entries */
void streams_poll_fill(const struct streams *s, struct pollfd *p);

/** streams_poll_done() - after poll(2); @pidfd: gets the signals that clients send */
void streams_poll_done(struct streams *s, const struct pollfd *p, int pidfd);

/**
 * streams_drain() - the container has ended: move what it wrote before
 * Return: whether that was all; false if a client does not take it.
 */
bool streams_drain(struct streams *s);

/** streams_finish() - wait until clients took the rest, then tell them the exit code */
void streams_finish(struct streams *s, int exit_code);

void streams_done(struct streams *s);
