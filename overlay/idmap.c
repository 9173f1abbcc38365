/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of ids: a sorted list of ranges. */
#include "overlay/idmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool overlaps(uint32_t a, uint32_t b, uint32_t n_a, uint32_t n_b)
{
	return (uint64_t)a < (uint64_t)b + n_b && (uint64_t)b < (uint64_t)a + n_a;
}

int idmap_add(struct idmap *m, uint32_t inside, uint32_t outside, uint32_t n)
{
	struct idmap_range *v;
	size_t at = 0;

	/* UINT32_MAX is "no id" to the kernel, so no range may reach it. */
	if (n == 0 || n > UINT32_MAX - inside || n > UINT32_MAX - outside)
		return -EINVAL;
	for (size_t i = 0; i < m->n; i++) {
		if (overlaps(inside, m->v[i].inside, n, m->v[i].n) ||
			overlaps(outside, m->v[i].outside, n, m->v[i].n))
			return -EINVAL;
		if (m->v[i].inside < inside)
			at = i + 1;
	}
	if (m->n == LIMIT_IDMAP_RANGES)
		return -E2BIG;
	v = reallocarray(m->v, m->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	m->v = v;
	memmove(v + at + 1, v + at, (m->n - at) * sizeof(*v));
	v[at] = (struct idmap_range){ inside, outside, n };
	m->n++;
	return 0;
}

void idmap_done(struct idmap *m)
{
	free(m->v);
	memset(m, 0, sizeof(*m));
}

bool idmap_out(const struct idmap *m, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++)
		if (id >= m->v[i].inside && id - m->v[i].inside < m->v[i].n) {
			*ret = m->v[i].outside + (id - m->v[i].inside);
			return true;
		}
	return false;
}

bool idmap_in(const struct idmap *m, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++)
		if (id >= m->v[i].outside && id - m->v[i].outside < m->v[i].n) {
			*ret = m->v[i].inside + (id - m->v[i].outside);
			return true;
		}
	return false;
}
