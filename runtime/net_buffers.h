/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Memory for libslirp, of which an idle connection takes what it has written to
 *
 * libslirp gives each TCP connection two buffers of 128 KiB.  malloc() writes a header in front of
 * each, so that a page of every buffer comes to be though no byte ever passed through it: 8 KiB a
 * connection.  Here buffers are slots of one reservation, without headers:
 *
 *      │ slot 0 │ slot 1 │ slot 2 │ …  address space alone, until somebody writes
 *
 * libslirp asks GLib for memory, by functions that its .c defines anew for the whole program (a
 * program's own definition comes before a library's): g_malloc(), g_realloc() and g_free().  What
 * has not the size of a buffer comes from malloc(), as GLib's does.
 *
 * What a connection has written to stays until it is empty and trimmed: libslirp's list of
 * connections tells how many bytes lie in both buffers of each.
 */

#include <stddef.h>
#include <stdint.h>

/**
 * net_buffers_reserve() - from now on give slots to buffers
 *
 * Once a process, before threads.  Where so much address space is not to be had, and in programs
 * that check their memory (AddressSanitizer), buffers come from malloc() as before.
 */
void net_buffers_reserve(void);

/* The two buffers of a connection.  Zero: unknown, for slot 0 is never one of a pair. */
struct net_buffers_pair {
	uint16_t a, b;
};

/**
 * net_buffers_newest() - the two slots that were given last
 *
 * Asked when libslirp tells of a connection's fd: it has got both buffers just before.
 *
 * Return: zero if not both were given since this was asked last.
 */
struct net_buffers_pair net_buffers_newest(void);

/** net_buffers_trim() - give the pages of two empty buffers back; they stay in use */
void net_buffers_trim(struct net_buffers_pair pair);

/**
 * net_buffers_next_empty() - find a TCP connection with empty buffers.  Pure
 * @text:   what slirp_connection_info() says, or the rest of it
 * @ret_fd: its fd
 *
 * Return: the rest of the text; NULL if there is none.
 */
const char *net_buffers_next_empty(const char *text, int *ret_fd);

void *g_malloc(size_t size);
void *g_realloc(void *p, size_t size);
void g_free(void *p);
