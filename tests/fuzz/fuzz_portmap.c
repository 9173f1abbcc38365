/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the command line: ports, volumes, variables, limits, signals; one a line. */
#include "base/str.h"
#include "runtime/portmap.h"
#include "runtime/signame.h"
#include "runtime/spec_env.h"
#include "runtime/ulimit.h"
#include "runtime/volume.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

static void try_volumes(const char *word)
{
	int (*const parse[])(const char *, struct volume *, struct err *) = { volume_parse,
		volume_parse_mount, volume_parse_tmpfs, volume_parse_device };

	for (size_t i = 0; i < ARRAY_SIZE(parse); i++) {
		auto_volume v = { 0 };

		if (parse[i](word, &v, NULL) < 0)
			continue;
		assert(v.dest[0] == '/' && v.dest[1] && !strstr(v.dest, "/../"));
		assert(!str_ends(v.dest, "/..") && !str_ends(v.dest, "/"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char *const caller[] = { "HOME=/", "LC_ALL=C", NULL };
	auto_free char *copy = strndup((const char *)data, len);
	char *rest = copy, *word;
	auto_portmap map = { 0 };
	auto_strv env = { 0 };
	struct spec_rlimit limit;

	(void)env_add_file(&env, (const char *)data, len, caller, NULL);
	while (copy && (word = strsep(&rest, "\n"))) {
		int sig = signame_parse(word);

		assert(sig < 0 || (sig > 0 && sig <= LIMIT_SIGNAL));
		(void)portmap_add(&map, word, NULL);
		(void)ulimit_parse(word, &limit, NULL);
		try_volumes(word);
	}
	assert(map.n <= LIMIT_NET_FORWARDS);
	for (size_t i = 0; i < map.n; i++)
		assert(map.v[i].guest_port != 0);
	return 0;
}
