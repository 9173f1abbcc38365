/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Namespaces that a container shares with another: --pid, --uts container:NAME, and ns:PATH
 *
 *      typed        container:NAME  ─nsshare_add()─▶  "pid=container:ID"      kept in options.json
 *      each start   "pid=container:ID"  ─nsshare_resolve()─▶  /proc/PID/ns/pid
 */

#include "base/err.h"
#include "base/str.h"
#include "runtime/spec.h"

/** nsshare_is() - whether the value of such an option names a namespace that exists */
bool nsshare_is(const char *value);

/**
 * nsshare_add() - note a value for which nsshare_is()
 * @store_fd: where the other container is looked up; it need not run
 * Return: 0; -ENOENT, -EINVAL with a text.
 */
int nsshare_add(
	struct strv *shares, int store_fd, enum spec_ns ns, const char *value, struct err *err);

/**
 * nsshare_resolve() - where the namespaces are now
 * @ret_paths: owned by the caller; NULL where nothing is shared
 * Return: 0; -ESRCH if a container does not run.
 */
int nsshare_resolve(
	const struct strv *shares, int store_fd, char *ret_paths[SPEC_NS_MAX_], struct err *err);
