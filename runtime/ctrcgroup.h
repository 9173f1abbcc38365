/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cgroup of a container of the store: limits, and a place to stop all of its processes */

#include "runtime/cgroup.h"
#include "runtime/record.h"

/**
 * ctrcgroup_prepare() - make it, below where the caller is, and set the limits
 * @ret_path: below the mount, owned by the caller; NULL where none may be made
 * @ret_fd:   of it; -1
 * Return: 0, also if there is none and no limit was asked for; else what is missing.
 */
int ctrcgroup_prepare(const char *id, const struct spec_resources *res, char **ret_path,
	int *ret_fd, struct err *err);

/**
 * ctrcgroup_probe() - can containers get a cgroup, with the controllers that limits need?
 * Return: 0; -EOPNOTSUPP or what forbids it, with a text.
 */
int ctrcgroup_probe(struct err *err);

/** ctrcgroup_open() - of a running container; -EOPNOTSUPP with a text if it has none */
int ctrcgroup_open(const struct record *r, struct err *err);

/** ctrcgroup_is_frozen() - whether a running container is paused */
bool ctrcgroup_is_frozen(const struct record *r);

/** ctrcgroup_remove() - after the end */
void ctrcgroup_remove(const char *path);
