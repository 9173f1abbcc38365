/* SPDX-License-Identifier: Apache-2.0 */
/* The options of lamina-overlay: one argument of -o a line. */
#include "overlay/opts.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct opts o = { .timeout_s = OPTS_TIMEOUT_FOREVER };
	auto_free char *copy = strndup((const char *)data, len);
	char *rest = copy, *line;

	while (copy && (line = strsep(&rest, "\n")))
		(void)opts_parse_words(&o, line, NULL);
	assert(o.lowers.n <= LIMIT_OPTS_LAYERS);
	for (size_t i = 0; i < o.lowers.n; i++)
		assert(o.lowers.v[i][0]);
	assert(o.timeout_s >= 0 && o.timeout_s <= OPTS_TIMEOUT_FOREVER);
	assert(o.xattr_permissions <= 2);
	opts_done(&o);
	return 0;
}
