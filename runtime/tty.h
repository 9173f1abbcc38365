/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The user's terminal while a container has one of its own
 *
 *      user's terminal (raw) ⇄ monitor ⇄ pty master │ pty slave = the container's terminal
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define TTY_BUF_BYTES 16384

/* One direction: bytes that were read and not yet written. */
struct tty_pipe {
	char data[TTY_BUF_BYTES];
	size_t off, len;
};

struct tty {
	int in_fd, out_fd; /* the user's side, borrowed; in_fd -1: no input (any more) */
	int master_fd; /* owned; -1: the container's side is closed */
	int raw_fd; /* the terminal that was made raw, borrowed; -1: none */
	struct termios saved;
	struct tty_pipe to_container, to_user;
};

/**
 * tty_init() - prepare the relay; the user's terminal is not touched yet
 * @in_fd: -1: the container's terminal gets no input
 */
void tty_init(struct tty *t, int in_fd, int out_fd);

/**
 * tty_attach() - begin: size of the container's terminal, then raw mode of the user's
 * @master_fd: consumed
 */
int tty_attach(struct tty *t, int master_fd, struct err *err);

/** tty_resize() - give the container's terminal the size of the user's; for SIGWINCH */
void tty_resize(const struct tty *t);

struct pollfd;

/** tty_poll_fill() - what to wait for: fills @p[0] and @p[1], unused ones with fd -1 */
void tty_poll_fill(const struct tty *t, struct pollfd *p);

/** tty_poll_done() - move what can be moved after poll(2) */
void tty_poll_done(struct tty *t, const struct pollfd *p);

/** tty_drain() - the container has ended: show what it wrote before */
void tty_drain(struct tty *t);

/** tty_done() - restore the user's terminal and close; may be called twice */
void tty_done(struct tty *t);
