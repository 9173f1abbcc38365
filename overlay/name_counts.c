/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of names that are left (how it works is said in the header). */
#include "overlay/name_counts.h"

#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX	   ".names"
#define NAME_BYTES (UPPER_ORIGIN_BYTES + sizeof(SUFFIX))
#define TEXT_BYTES 16

static void spell(uint64_t origin, char ret[NAME_BYTES])
{
	upper_origin_name(origin, ret);
	memcpy(ret + UPPER_ORIGIN_BYTES - 1, SUFFIX, sizeof(SUFFIX));
}

bool name_counts_parse(const char *name, uint64_t *ret_origin)
{
	return strlen(name) == UPPER_ORIGIN_BYTES - 1 + sizeof(SUFFIX) - 1 &&
	       str_eq(name + UPPER_ORIGIN_BYTES - 1, SUFFIX) &&
	       upper_origin_parse(name, UPPER_ORIGIN_BYTES - 1, ret_origin);
}

/* Most uppers have none, so nobody has to look. */
static bool has_any(const struct upper *up)
{
	return __atomic_load_n(&up->has_name_counts, __ATOMIC_ACQUIRE);
}

bool name_counts_get(struct upper *up, uint64_t origin, uint32_t *ret)
{
	char name[NAME_BYTES], text[TEXT_BYTES];
	ssize_t len;
	uint64_t n;

	if (!has_any(up))
		return false;
	spell(origin, name);
	len = readlinkat(up->index_fd, name, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	if (str_to_u64(text, UINT32_MAX, &n) < 0)
		return false;
	*ret = (uint32_t)n;
	return true;
}

void name_counts_set(struct upper *up, uint64_t origin, uint32_t n)
{
	char tmp[UPPER_WORK_NAME_BYTES], name[NAME_BYTES], text[TEXT_BYTES];

	spell(origin, name);
	snprintf(text, sizeof(text), "%u", n);
	upper_work_name(up, tmp);
	if (symlinkat(text, up->work_fd, tmp) < 0)
		return;
	if (renameat(up->work_fd, tmp, up->index_fd, name) < 0)
		(void)unlinkat(up->work_fd, tmp, 0);
	else
		__atomic_store_n(&up->has_name_counts, true, __ATOMIC_RELEASE);
}

void name_counts_del(struct upper *up, uint64_t origin)
{
	char name[NAME_BYTES];

	if (!has_any(up))
		return;
	spell(origin, name);
	(void)unlinkat(up->index_fd, name, 0);
}
