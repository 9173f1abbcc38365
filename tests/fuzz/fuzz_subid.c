/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/subuid: ranges of a map never overlap and never pass the limit. */
#include "runtime/subid.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct idmap map = { 0 };

	(void)idmap_add(&map, 0, 1000, 1);
	(void)subid_append((const char *)data, len, "user", 1000, &map);
	assert(map.n <= LIMIT_IDMAP_RANGES);
	for (size_t i = 1; i < map.n; i++)
		assert(map.v[i].inside == map.v[i - 1].inside + map.v[i - 1].n);
	idmap_done(&map);
	return 0;
}
