/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The host's resolv.conf for a process that has no files
 *
 *      network process ──"look"──▶ watcher ──stat──▶ /etc/resolv.conf, through whatever links
 *                      ◀──text, if it is new──
 *
 * The watcher stays outside the empty root, reads that one file and ends with its parent.  It
 * wakes when asked, so a quiet container costs nothing, and no inotify instance is spent (users
 * have 128).
 */

#include "base/err.h"

#include <stddef.h>

#define LIMIT_RESOLV_BYTES 65536

/**
 * net_resolv_start() - start the watcher
 * @ret_sock: to it, owned by the caller; closing it ends the watcher
 * Forks without exec: call it from a process with one thread.
 */
int net_resolv_start(int *ret_sock, struct err *err);

/** net_resolv_ask() - have the watcher look; the answer, if any, makes @sock readable */
void net_resolv_ask(int sock);

/**
 * net_resolv_receive() - the new text
 * @text: LIMIT_RESOLV_BYTES
 * Return: its length; -EAGAIN: none now; -EPIPE: the watcher is gone; another negative errno.
 */
int net_resolv_receive(int sock, char *text);

/** net_resolv_read() - read the file here and now; its length, or a negative errno */
int net_resolv_read(char *text);
