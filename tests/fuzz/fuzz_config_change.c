/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a config: lines, one after the other; what they make is still a sane config. */
#include "image/config.h"
#include "image/config_change.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free char *text = strndup((const char *)data, len);
	auto_json *config = json_object();
	char *rest = text, *line;

	if (!text || !config)
		return 0;
	while ((line = strsep(&rest, "\n"))) {
		struct err err = ERR_INIT;
		int r = config_change(config, line, &err);

		assert(r == 0 || r == -EINVAL || r == -ENOMEM);
		assert(r == 0 || err.text[0]);
	}
	/* Keys and values are strings, lists and maps of strings, as a reader wants them. */
	for (void *i = json_object_iter(config); i; i = json_object_iter_next(config, i)) {
		const json_t *v = json_object_iter_value(i);

		assert(json_is_string(v) || json_is_array(v) || json_is_object(v));
		for (size_t k = 0; k < json_array_size(v); k++)
			assert(json_is_string(json_array_get(v, k)));
	}
	return 0;
}
