/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where containers-storage keeps a user's images. */

#include "base/err.h"

#define LIMIT_STORAGE_CONF_BYTES (1U << 20)

/**
 * cstorage_root() - the storage's directory
 * $CONTAINERS_STORAGE_CONF or storage.conf says it: a user's own file by `graphroot`, the system's
 * by `rootless_storage_path`, for root by `graphroot`; else it is the usual place.
 *
 * Return: 0 with @ret owned by the caller; -EBADMSG for a file that is not valid.
 * Spec: containers-storage.conf(5).
 */
int cstorage_root(char **ret, struct err *err);
