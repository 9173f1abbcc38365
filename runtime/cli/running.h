/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A running container whose network a verb changes */

#include "image/store.h"
#include "runtime/network.h"
#include "runtime/record.h"
#include "runtime/userns.h"

/* Seen from the namespace that all containers share. */
struct running {
	struct userns ns;
	struct img_store *store;
	struct record rec;
	int pidfd, netns_fd;
};

/** running_open() - -ESRCH if it does not run; running_close() is called either way */
int running_open(struct running *ret, const char *root, const char *ref, struct err *err);
void running_close(struct running *c);

/** running_place() - where its network is; borrowed from @c */
int running_place(struct running *c, struct network_place *ret, struct err *err);
