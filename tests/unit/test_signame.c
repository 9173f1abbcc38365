/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "runtime/signame.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>

TEST(signals_have_many_spellings)
{
	static const struct {
		const char *name;
		int want;
	} cases[] = {
		{ "SIGTERM", SIGTERM },
		{ "TERM", SIGTERM },
		{ "sigterm", SIGTERM },
		{ "15", SIGTERM },
		{ "1", SIGHUP },
		{ "64", 64 },
		{ "0", -EINVAL },
		{ "65", -EINVAL },
		{ "-1", -EINVAL },
		{ "15x", -EINVAL },
		{ "99999999999999999999", -EINVAL },
		{ "RTMIN", 34 },
		{ "SIGRTMIN+3", 37 },
		{ "RTMIN+30", 64 },
		{ "RTMIN+31", -EINVAL },
		{ "RTMIN-1", -EINVAL },
		{ "RTMAX-30", 34 },
		{ "RTMAX", 64 },
		{ "RTMAX+1", -EINVAL },
		{ "CLD", SIGCHLD },
		{ "", -EINVAL },
		{ "SIG", -EINVAL },
		{ "NOPE", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_INT(signame_parse(cases[i].name), ==, cases[i].want);
}

TEST(standard_signals_have_a_name)
{
	for (int sig = 1; sig < 32; sig++)
		CHECK_INT(signame_parse(signame_text(sig)), ==, sig);
	CHECK(!signame_text(0));
	CHECK(!signame_text(40));
}
