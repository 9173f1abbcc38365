/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: parse, check, and what the engine reads of mounts. */
#include "runtime/idmount.h"
#include "runtime/mountopt.h"
#include "runtime/spec_check.h"
#include "runtime/spec_json.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

/* What was read can be written, and reads the same again. */
static void write_and_read(const struct spec *spec)
{
	auto_json *again = NULL;
	auto_buf text = { 0 };

	if (spec_json_dump(spec->json, &text) < 0)
		return;
	assert(json_parse(text.data, text.len, "it", &again, NULL) == 0);
	assert(json_equal(spec->json, again));
}

/* Its options, and the maps of ids in them: both or none. */
static void read_mount(const struct spec *spec, const struct spec_mount *m)
{
	struct idmap uids = { 0 }, gids = { 0 };
	auto_mountopt mo = { 0 };
	struct err err = ERR_INIT;

	if (mountopt_parse(m->options.v, m->options.n, &mo, &err) < 0)
		return;
	if (idmount_maps(spec, m, &mo, &uids, &gids, &err) == 0)
		assert(uids.n > 0 && gids.n > 0);
	idmap_done(&uids);
	idmap_done(&gids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_spec *spec = NULL, *process = NULL, *resources = NULL;
	struct err err = ERR_INIT;

	(void)spec_parse_process((const char *)data, len, &process, &err);
	(void)spec_parse_resources((const char *)data, len, &resources, &err);
	if (spec_parse((const char *)data, len, &spec, &err) < 0)
		return 0;
	(void)spec_check(spec, &err);
	for (size_t i = 0; i < spec->n_mounts; i++)
		read_mount(spec, &spec->mounts[i]);
	write_and_read(spec);
	return 0;
}
