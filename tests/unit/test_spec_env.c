/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/spec_env.h"
#include "tests/unit/test.h"

#include <errno.h>

static const char *join(const struct strv *sv, struct buf *out)
{
	out->len = 0;
	(void)buf_add_str(out, "");
	for (size_t i = 0; i < sv->n; i++)
		(void)buf_printf(out, "%s%s", i ? "|" : "", sv->v[i]);
	return out->data ? out->data : "";
}

static char *const caller[] = { "HOME=/root", "LC_ALL=C", "LC_TIME=de", "EMPTY=", "odd", NULL };

TEST(a_name_stands_once)
{
	auto_strv env = { 0 };
	auto_buf text = { 0 };

	CHECK_INT(env_set(&env, "A=1"), ==, 0);
	CHECK_INT(env_set(&env, "AB=2"), ==, 0);
	CHECK_INT(env_set(&env, "A=3=4"), ==, 0);
	CHECK_INT(env_set_default(&env, "A", "5"), ==, 0);
	CHECK_INT(env_set_default(&env, "C", "6"), ==, 0);
	CHECK_INT(env_set_default(&env, "D", NULL), ==, 0);
	CHECK_STR(join(&env, &text), "A=3=4|AB=2|C=6");
	CHECK_STR(env_get(&env, "A"), "3=4");
	CHECK_STR(env_get(&env, "B"), NULL);
}

TEST(variables_of_the_command_line)
{
	static const struct {
		const char *option;
		int want;
		const char *env;
	} cases[] = {
		{ "A=b", 0, "A=b" },
		{ "A=", 0, "A=" },
		{ "HOME", 0, "HOME=/root" },
		{ "HOM", 0, "" },
		{ "UNSET", 0, "" },
		{ "odd", 0, "" },
		{ "LC_*", 0, "LC_ALL=C|LC_TIME=de" },
		{ "EMPTY", 0, "EMPTY=" },
		{ "=x", -EINVAL, "" },
		{ "", -EINVAL, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_strv env = { 0 };
		auto_buf text = { 0 };

		CHECK_INT(env_add_option(&env, cases[i].option, caller, NULL), ==, cases[i].want);
		CHECK_STR(join(&env, &text), cases[i].env);
	}
}

TEST(files_of_variables)
{
	static const char good[] = "# comment\n\n  A=1\nHOME\r\nB=x y # kept\n\tC=\"q\"";
	static const char space[] = "A=1\nB C=2\n";
	static const char nul[] = "A=1\0\n";
	auto_strv env = { 0 }, other = { 0 };
	auto_buf text = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(env_add_file(&env, good, strlen(good), caller, &err), ==, 0);
	CHECK_STR(join(&env, &text), "A=1|HOME=/root|B=x y # kept|C=\"q\"");
	CHECK_INT(env_add_file(&other, space, strlen(space), caller, &err), ==, -EINVAL);
	CHECK_STR(err.text, "line 2: white space in a name");
	CHECK_INT(env_add_file(&other, nul, sizeof(nul) - 1, caller, &err), ==, -EINVAL);
	CHECK_STR(err.text, "line 1 holds a NUL");
}

TEST(entrypoint_and_command)
{
	static const struct {
		const char *image, *entrypoint, *command[3];
		const char *args; /* NULL: nothing to run */
	} cases[] = {
		{ "{}", NULL, { 0 }, NULL },
		{ "{\"Cmd\":[\"sh\"]}", NULL, { 0 }, "sh" },
		{ "{\"Cmd\":[\"sh\"]}", NULL, { "ls", "-l" }, "ls|-l" },
		{ "{\"Entrypoint\":[\"e\",\"1\"],\"Cmd\":[\"c\"]}", NULL, { 0 }, "e|1|c" },
		{ "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", NULL, { "x" }, "e|x" },
		{ "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "mine", { 0 }, "mine" },
		{ "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "mine", { "x" }, "mine|x" },
		{ "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "", { "x" }, "x" },
		{ "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "", { 0 }, NULL },
		{ "{\"Entrypoint\":[\"e\"]}", "[\"a\", \"b\"]", { "x" }, "a|b|x" },
		{ "{}", "[broken", { 0 }, "[broken" },
		{ "{\"Entrypoint\":null,\"Cmd\":[\"\"]}", NULL, { 0 }, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json *image = NULL;
		auto_strv args = { 0 };
		auto_buf text = { 0 };
		size_t n = 0;
		int r;

		while (cases[i].command[n])
			n++;
		CHECK_INT(json_parse(cases[i].image, strlen(cases[i].image), "it", &image, NULL),
			==, 0);
		r = args_combine(image, cases[i].entrypoint, (char *const *)cases[i].command, n,
			&args, NULL);
		CHECK_INT(r, ==, cases[i].args ? 0 : -EINVAL);
		CHECK_STR(join(&args, &text), cases[i].args ? cases[i].args : "");
	}
}
