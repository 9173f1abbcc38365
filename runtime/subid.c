/* SPDX-License-Identifier: Apache-2.0 */
/* Subordinate ids (the contract is in the header). */
#include "runtime/subid.h"

#include "base/cleanup.h"
#include "base/str.h"

static uint32_t next_inside(const struct idmap *m)
{
	return m->n == 0 ? 0 : m->v[m->n - 1].inside + m->v[m->n - 1].n;
}

/* "FIRST:COUNT" of a line that is the user's. */
static int append_range(char *range, struct idmap *m)
{
	char *colon = strchr(range, ':');
	uint64_t first, n;
	int r;

	if (!colon)
		return 0;
	*colon = '\0';
	if (str_to_u64(range, UINT32_MAX, &first) < 0 || str_to_u64(colon + 1, UINT32_MAX, &n) < 0)
		return 0;
	r = idmap_add(m, next_inside(m), (uint32_t)first, (uint32_t)n);
	return r == -ENOMEM ? r : 0;
}

int subid_append(const char *data, size_t len, const char *name, uid_t uid, struct idmap *m)
{
	auto_free char *copy = strndup(data, len);
	char *rest = copy, *line;
	char number[16];
	int r;

	if (!copy)
		return -ENOMEM;
	snprintf(number, sizeof(number), "%u", (unsigned int)uid);
	while ((line = strsep(&rest, "\n"))) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		if (!str_eq(line, name) && !str_eq(line, number))
			continue;
		r = append_range(colon + 1, m);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The part of [first, first + n) that is in @range is appended to @m. */
static int append_common(
	struct idmap *m, uint64_t first, uint64_t n, const struct idmap_range *range)
{
	uint64_t end = first + n, range_end = (uint64_t)range->inside + range->n;
	int r;

	if (first < range->inside)
		first = range->inside;
	if (end > range_end)
		end = range_end;
	if (first >= end)
		return 0;
	r = idmap_add(m, next_inside(m), (uint32_t)first, (uint32_t)(end - first));
	return r == -ENOMEM ? r : 0;
}

int subid_clip(const struct idmap *exists, struct idmap *m)
{
	struct idmap left = { 0 };
	int r = 0;

	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; r == 0 && k < exists->n; k++)
			r = append_common(&left, m->v[i].outside, m->v[i].n, &exists->v[k]);
	if (r < 0) {
		idmap_done(&left);
		return r;
	}
	idmap_done(m);
	*m = left;
	return 0;
}
