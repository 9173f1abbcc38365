/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf: whatever comes, an answer; what is accepted leads to names that are valid. */
#include "image/regconf.h"
#include "image/toml.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

static void look_up(const json_t *conf, const char *name)
{
	auto_regconf_places p = { 0 };
	auto_ref ref = { 0 };

	if (regconf_name(conf, name, &ref, NULL) < 0)
		return;
	if (regconf_find(conf, &ref, false, &p, NULL) < 0)
		return;
	assert(p.n >= 1);
	for (size_t i = 0; i < p.n; i++)
		assert(p.v[i].host && p.v[i].path && !strstr(p.v[i].path, ".."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_json *conf = json_object();
	auto_json *plain = NULL;
	struct err err = ERR_INIT;

	if (toml_parse((const char *)data, len, &plain, &err) == 0)
		assert(json_is_object(plain));
	if (regconf_merge(conf, (const char *)data, len, &err) < 0)
		return 0;
	(void)regconf_merge(conf, (const char *)data, len, &err);
	(void)regconf_is_insecure(conf, "a.io");
	look_up(conf, "a");
	look_up(conf, "b/c:1");
	look_up(conf, "a.io/b/c:1");
	look_up(conf, "x.y.a.io/b@sha256:"
		      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	return 0;
}
