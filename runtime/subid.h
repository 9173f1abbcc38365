/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* /etc/subuid and /etc/subgid.  Pure. */

#include "overlay/idmap.h"

#include <stddef.h>
#include <sys/types.h>

/**
 * subid_append() - add a user's ranges to a map, each behind the last id inside
 * @data: content of the file, @len bytes; lines "NAME:FIRST:COUNT" or "UID:FIRST:COUNT"
 * @name: of the user, or its decimal uid where it has none
 *
 * Lines that are malformed or belong to others are skipped; so are ranges that overlap one of the
 * map, and those beyond LIMIT_IDMAP_RANGES.
 *
 * Return: 0; -ENOMEM.
 */
int subid_append(const char *data, size_t len, const char *name, uid_t uid, struct idmap *m);

/**
 * subid_clip() - leave of a map only what exists in the namespace that it leads to
 * @exists: ids of that namespace: the inside of its own map (/proc/self/uid_map)
 * @m:      changed in place; what is left closes up inside
 *
 * In a container the files may promise ranges that the container itself was not given.
 *
 * Return: 0; -ENOMEM, with @m unchanged.
 */
int subid_clip(const struct idmap *exists, struct idmap *m);
