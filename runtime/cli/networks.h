/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the verbs of named networks share */

#include "image/store.h"
#include "runtime/netstore.h"

/* The store and the lock of its networks, for one verb. */
struct networks {
	struct img_store *store;
	struct netstore net;
};

struct cli;
/** networks_prune() - remove networks that nobody uses, and print their names */
int networks_prune(const struct cli *cli, struct err *err);

/** networks_open() - networks_close() is called either way */
int networks_open(const struct cli *cli, struct networks *ret, struct err *err);
void networks_close(struct networks *n);

/** networks_read() - all of them; @ret is ended with networks_free(), also after an error */
int networks_read(const struct networks *n, struct net_def **ret, size_t *ret_n, struct err *err);
void networks_free(struct net_def *v, size_t n);

/** networks_users() - how many containers are in a network now */
size_t networks_users(const struct net_def *d);
