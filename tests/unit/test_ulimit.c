/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ulimit.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sys/resource.h>

TEST(limits_as_people_write_them)
{
	static const struct {
		const char *text;
		int want, resource;
		uint64_t soft, hard;
	} cases[] = {
		{ "nofile=1024", 0, RLIMIT_NOFILE, 1024, 1024 },
		{ "nofile=1024:4096", 0, RLIMIT_NOFILE, 1024, 4096 },
		{ "RLIMIT_CPU=5", 0, RLIMIT_CPU, 5, 5 },
		{ "core=-1", 0, RLIMIT_CORE, UINT64_MAX, UINT64_MAX },
		{ "core=0:unlimited", 0, RLIMIT_CORE, 0, UINT64_MAX },
		{ "core=unlimited:0", -EINVAL, 0, 0, 0 },
		{ "nofile=5:4", -EINVAL, 0, 0, 0 },
		{ "nofile", -EINVAL, 0, 0, 0 },
		{ "nofile=", -EINVAL, 0, 0, 0 },
		{ "nofile=1:", -EINVAL, 0, 0, 0 },
		{ "nofile=1:2:3", -EINVAL, 0, 0, 0 },
		{ "nofile=-2", -EINVAL, 0, 0, 0 },
		{ "sky=1", -EINVAL, 0, 0, 0 },
		{ "=1", -EINVAL, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec_rlimit l = { 0 };

		CHECK_INT(ulimit_parse(cases[i].text, &l, NULL), ==, cases[i].want);
		CHECK_INT(l.resource, ==, cases[i].resource);
		CHECK(l.soft == cases[i].soft && l.hard == cases[i].hard);
		if (l.name)
			CHECK_INT(ulimit_resource(l.name), ==, l.resource);
	}
}
