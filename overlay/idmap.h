/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Maps of ids: a sorted list of ranges.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_range {
	uint32_t inside; /* first id of the image or container */
	uint32_t outside; /* first id of what the map leads to */
	uint32_t n;
};

#define LIMIT_IDMAP_RANGES 340 /* what the kernel takes in uid_map, user_namespaces(7) */

struct idmap {
	struct idmap_range *v; /* sorted by inside */
	size_t n;
};

/** idmap_add() - append a range; 0, -EINVAL (overlap, wrap, n 0), -E2BIG, -ENOMEM */
int idmap_add(struct idmap *m, uint32_t inside, uint32_t outside, uint32_t n);
void idmap_done(struct idmap *m);

/** idmap_out() - inside -> outside; false if @id is not mapped */
bool idmap_out(const struct idmap *m, uint32_t id, uint32_t *ret);
/** idmap_in() - outside -> inside; false if @id is not mapped */
bool idmap_in(const struct idmap *m, uint32_t id, uint32_t *ret);
