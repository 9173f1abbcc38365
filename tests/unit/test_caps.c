/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(names_and_numbers_agree)
{
	for (int i = 0; i < CAPS_N; i++)
		CHECK_INT(caps_from_name(caps_name(i)), ==, i);
	CHECK_INT(caps_from_name("chown"), ==, 0);
	CHECK_INT(caps_from_name("Cap_Sys_Admin"), ==, 21);
	CHECK_INT(caps_from_name("CAP_"), ==, -EINVAL);
	CHECK_INT(caps_from_name(""), ==, -EINVAL);
	CHECK(!caps_name(-1));
	CHECK(!caps_name(CAPS_N));
}

TEST(adding_and_dropping)
{
	static const struct {
		const char *add[3], *drop[3];
		int want;
		uint64_t set;
		const char *error;
	} cases[] = {
		{ { 0 }, { 0 }, 0, CAPS_DEFAULT, "" },
		{ { "net_admin" }, { "CAP_KILL" }, 0, (CAPS_DEFAULT | CAPS_BIT(12)) & ~CAPS_BIT(5),
			"" },
		{ { 0 }, { "all" }, 0, 0, "" },
		{ { "ALL" }, { 0 }, 0, CAPS_ALL, "" },
		{ { "all" }, { "sys_admin" }, 0, CAPS_ALL & ~CAPS_BIT(21), "" },
		{ { "chown" }, { "all" }, 0, CAPS_BIT(0), "" },
		{ { "fly" }, { 0 }, -EINVAL, 0, "--cap-add 'fly': no such capability" },
		{ { 0 }, { "fly" }, -EINVAL, 0, "--cap-drop 'fly': no such capability" },
		{ { "kill" }, { "CAP_KILL" }, -EINVAL, 0,
			"capability CAP_KILL is both added and dropped" },
		{ { "all" }, { "all" }, -EINVAL, 0, "all capabilities are both added and dropped" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_strv add = { 0 }, drop = { 0 };
		struct err err = ERR_INIT;
		uint64_t set = 0;

		for (size_t k = 0; cases[i].add[k]; k++)
			CHECK_INT(strv_add(&add, cases[i].add[k]), ==, 0);
		for (size_t k = 0; cases[i].drop[k]; k++)
			CHECK_INT(strv_add(&drop, cases[i].drop[k]), ==, 0);
		CHECK_INT(caps_change(CAPS_DEFAULT, &add, &drop, &set, &err), ==, cases[i].want);
		CHECK(set == cases[i].set);
		CHECK_STR(err.text, cases[i].error);
	}
}
