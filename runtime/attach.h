/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The socket between a container's monitor and those who look at the container
 *
 *      $XDG_RUNTIME_DIR/lamina/attach/<id>     SOCK_SEQPACKET, there while the monitor lives
 *
 * Messages are struct attach_msg, cut behind what is used of it.  Both ends are of one user and one
 * version of Lamina; still each checks what it gets.
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ATTACH_DATA_BYTES 16384

enum attach_kind {
	/* to the monitor */
	ATTACH_INPUT = 'i', /* data: for the container's standard input */
	ATTACH_END_INPUT = 'e', /* there is no more */
	ATTACH_SIZE = 'w', /* size of the terminal */
	ATTACH_SIGNAL = 's', /* number: for the first process */
	ATTACH_DETACH = 'd', /* the container is to go on without its owner */
	ATTACH_QUIET = 'q', /* this one wants no output, just the exit code */
	ATTACH_START = 'g', /* let the program of an initialized container begin */
	/* from the monitor */
	ATTACH_STARTED = 'S', /* data: the id */
	ATTACH_FAILED = 'F', /* failed: nothing was started */
	ATTACH_STDOUT = 'o', /* data */
	ATTACH_STDERR = 'r', /* data */
	ATTACH_EXIT = 'x', /* number: the exit code; the last message */
};

struct attach_msg {
	int kind;
	union {
		char data[ATTACH_DATA_BYTES];
		int number;
		struct {
			uint16_t rows, cols;
		} size;
		struct {
			int code, exit_code;
			struct err err;
		} failed;
	};
};

/** attach_listen() - make the socket of a container; an fd that accepts, non-blocking */
int attach_listen(int rundir_fd, const char *id, struct err *err);

/** attach_connect() - -ECONNREFUSED or -ENOENT if the container has no monitor */
int attach_connect(int rundir_fd, const char *id);

/** attach_unlink() - remove the socket; for a container whose monitor is gone */
void attach_unlink(int rundir_fd, const char *id);

enum attach_flags { ATTACH_WAIT = 0, ATTACH_TRY = 1 << 0 };

/**
 * attach_send() - one message
 * @len: of the part that goes, from the union's start
 * Return: 0; -EAGAIN with ATTACH_TRY if there is no room; -EPIPE if the other end is gone.
 */
int attach_send(int sock, const struct attach_msg *m, size_t len, enum attach_flags flags);
int attach_send_kind(int sock, enum attach_kind kind);
int attach_send_number(int sock, enum attach_kind kind, int number);

/**
 * attach_recv() - wait for one message; @ret_len: bytes of its union
 * Return: 1; 0 at the end; a negative errno, -EBADMSG for what is no message.
 */
int attach_recv(int sock, struct attach_msg *ret, size_t *ret_len);
