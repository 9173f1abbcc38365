/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* index/ in memory: origins and upper inodes, found by either.  Any thread. */

#include <stdbool.h>
#include <stdint.h>

struct origin_map;

struct origin_map *origin_map_new(void);
void origin_map_free(struct origin_map *m);
/** origin_map_add() - 0; -EEXIST if the origin is there; -ENOMEM */
int origin_map_add(struct origin_map *m, uint64_t origin, uint64_t ino);
void origin_map_del(struct origin_map *m, uint64_t origin);
bool origin_map_by_origin(struct origin_map *m, uint64_t origin, uint64_t *ret_ino);
bool origin_map_by_ino(struct origin_map *m, uint64_t ino, uint64_t *ret_origin);
/** origin_map_each() - calls @fn for a snapshot: it may change the map */
void origin_map_each(
	struct origin_map *m, void (*fn)(void *ctx, uint64_t origin, uint64_t ino), void *ctx);
