/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Definitions of named networks in the store
 *
 *      networks/NAME.json   struct net_def, replaced in one step
 *      networks/.lock       held exclusively from reading to writing
 */

#include "runtime/netdef.h"

#define LIMIT_NETWORKS 1024

struct netstore {
	int dirfd;
	int lock_fd;
};

#define NETSTORE_INIT                                                                              \
	{                                                                                          \
		.dirfd = -1, .lock_fd = -1                                                         \
	}

/** netstore_open() - lock the networks of a store; waits.  @store_fd: its root, borrowed */
int netstore_open(struct netstore *ret, int store_fd, struct err *err);
void netstore_close(struct netstore *s);

/** netstore_read() - 0 and @ret, ended with netdef_done(); -ENOENT with a text and a hint */
int netstore_read(const struct netstore *s, const char *name, struct net_def *ret, struct err *err);

/** netstore_write() - make or replace a definition */
int netstore_write(const struct netstore *s, const struct net_def *d, struct err *err);

/** netstore_list() - the names of all networks, sorted */
int netstore_list(const struct netstore *s, struct strv *ret, struct err *err);

/** netstore_remove() - 0; -ENOENT */
int netstore_remove(const struct netstore *s, const char *name, struct err *err);

/** netstore_is_alive() - does the holder of a lease live?  (struct net_wish) */
bool netstore_is_alive(const struct proc_id *holder);

static inline void cleanup_netstore(struct netstore *s)
{
	netstore_close(s);
}
#define auto_netstore __attribute__((cleanup(cleanup_netstore))) struct netstore
