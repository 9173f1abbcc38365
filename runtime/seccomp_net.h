/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The system calls of the network process, once it runs: everything else answers EPERM */

#include "base/err.h"

enum seccomp_net_kind {
	SECCOMP_NET_SOCKETS, /* IPv4 and IPv6 sockets (abstract unix ones stay out of reach); no files */
	SECCOMP_NET_FILES, /* reading files; no sockets but those that are open */
	SECCOMP_NET_RELAY, /* as the first, and moving bytes between sockets */
	SECCOMP_NET_INSIDE, /* making sockets, and messages on those that are open */
};

/**
 * seccomp_net_load() - filter this process for good
 *
 * No kind makes processes, executes, signals others or gets new executable memory.
 *
 * Return: 0, also where the kernel has no seccomp; a negative errno with a text.
 */
int seccomp_net_load(enum seccomp_net_kind kind, struct err *err);
