/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * -v HOST:PATH:O: a directory of the host that the container can change for itself alone
 *
 *      containers/<id>/overlays/N/merged     the kernel's overlay of HOST and N/upper, mounted in the
 *                                            monitor's mount namespace, so it ends with the monitor
 *
 * What was changed is thrown away at the next start, and with the container.
 */

#include "base/err.h"
#include "base/str.h"

#define LIMIT_VOLOVER 64 /* such volumes of a container */

/** volover_path() - where the Nth is seen; owned by the caller, NULL: no memory */
char *volover_path(const char *store_path, const char *id, size_t n);

/**
 * volover_mount() - make and mount all of them
 * @dirfd:   the container's directory
 * @sources: absolute paths; the Nth of them is the Nth overlay
 * In the parent namespace, and a mount namespace that belongs to it.
 */
int volover_mount(int dirfd, const struct strv *sources, struct err *err);
