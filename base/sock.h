/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Messages between processes of ours, over a pair of SOCK_SEQPACKET sockets, with an fd or not */

#include <stddef.h>
#include <sys/types.h>

/** sock_pair() - two connected ends, both O_CLOEXEC; 0 or a negative errno */
int sock_pair(int ret[2]);

/**
 * sock_send() - one message
 * @fd: goes with it, borrowed; -1: none
 * Return: 0; -EPIPE if the other end is closed (without a signal).
 */
int sock_send(int sock, const void *data, size_t len, int fd);

/**
 * sock_recv() - wait for one message
 * @ret_fd: the fd that came with it, owned by the caller, else left alone; may be NULL
 * Return: its length, cut to @size; 0 if the other end is closed; a negative errno.
 */
ssize_t sock_recv(int sock, void *data, size_t size, int *ret_fd);
