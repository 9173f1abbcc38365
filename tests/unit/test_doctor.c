/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of ids that two users have are seen, and the profile for AppArmor is one that can be typed. */
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/doctor.h"
#include "runtime/userns.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(ranges_of_two_users)
{
	static const struct {
		const char *data;
		int want;
	} cases[] = {
		{ "", 0 },
		{ "dev:100000:65536\nother:165536:65536\n", 0 },
		{ "dev:100000:65536\nother:165535:65536\n", -EEXIST },
		{ "other:1:100001\ndev:100000:65536", -EEXIST },
		{ "dev:100000:65536\n1000:100000:65536\n", 0 }, /* the same user, by number */
		{ "1000:100000:10\nother:100009:1\n", -EEXIST },
		{ "a:1:10\nb:1:10\n", 0 }, /* others among themselves */
		{ "dev:100000:65536\nother:100000:0\nnonsense\n::\nx:y:z\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;

		CHECK_INT(doctor_subid_overlap("/etc/subuid", cases[i].data, "dev", 1000, &err), ==,
			cases[i].want);
		CHECK_INT(strlen(err.hint) > 0, ==, cases[i].want != 0);
	}
}

TEST(the_profile_names_the_program)
{
	struct err err = ERR_INIT;

	CHECK_INT(userns_hint_profile(&err, -EPERM, "/opt/lamina"), ==, -EPERM);
	CHECK_STR(err.hint, "as root: printf 'abi <abi/4.0>,\\nprofile lamina /opt/lamina "
			    "flags=(unconfined) {\\n"
			    "  userns,\\n}\\n' > /etc/apparmor.d/lamina && apparmor_parser -r "
			    "/etc/apparmor.d/lamina");
}
