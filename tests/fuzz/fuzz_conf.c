/* SPDX-License-Identifier: Apache-2.0 */
/* lamina.conf: what is accepted holds absolute paths within the limits. */
#include "image/conf.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

static const char *lookup(void *ctx, const char *name)
{
	return name[0] == 'X' ? NULL : "/value";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err = ERR_INIT;
	struct conf c = { 0 };
	int r = conf_parse(&c, (const char *)data, len, "file", lookup, NULL, &err);

	assert(r == 0 || err.text[0]);
	assert(!c.root || c.root[0] == '/');
	assert(c.additional_stores.n <= LIMIT_CONF_ADDITIONAL);
	for (size_t i = 0; i < c.additional_stores.n; i++) {
		assert(c.additional_stores.v[i][0] == '/');
		assert(strlen(c.additional_stores.v[i]) <= LIMIT_CONF_VALUE + sizeof("/value"));
	}
	conf_done(&c);
	return 0;
}
