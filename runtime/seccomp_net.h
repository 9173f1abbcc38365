/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The system calls of the network process, once it runs: everything else answers EPERM */

#include "base/err.h"

/**
 * seccomp_net_load() - filter this process for good
 *
 * Sockets of IPv4 and IPv6 only (abstract unix sockets of the host stay out of reach), files only
 * in the root that the process has, no new processes, no exec, no new executable memory.
 *
 * Return: 0, also where the kernel has no seccomp; a negative errno with a text.
 */
int seccomp_net_load(struct err *err);
