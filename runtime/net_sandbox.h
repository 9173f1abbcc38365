/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the network process gives up before it touches the first packet: files, privileges,
 * system calls
 */

#include "base/err.h"
#include "runtime/seccomp_net.h"

/**
 * net_sandbox_root() - a mount namespace of our own whose root is empty, and stays so
 *
 * Takes the rights that the process has, or those of a new user namespace.
 *
 * Return: 0; -EPERM, -ENOSPC, -EUSERS and the like where namespaces are not to be had (nothing
 * has changed then, or only the process's own namespaces); with a text.
 */
int net_sandbox_root(struct err *err);

enum net_sandbox_flags {
	NET_SANDBOX_BIND = 1 << 0, /* keep CAP_NET_BIND_SERVICE: ports may be published later */
	NET_SANDBOX_ADMIN = 1 << 1, /* keep CAP_NET_ADMIN */
};

/**
 * net_sandbox_seal() - give up capabilities, set no_new_privs, load a seccomp filter
 * @flags: enum net_sandbox_flags
 */
int net_sandbox_seal(enum seccomp_net_kind kind, unsigned flags, struct err *err);
