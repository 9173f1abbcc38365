/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/args.h"
#include "tests/unit/test.h"

#include <errno.h>

struct opts {
	bool it, tty, no_proxy;
	const char *name;
	struct strv env;
	uint64_t n;
};

static const struct args_opt table[] = {
	{ "interactive", 'i', ARGS_FLAG, offsetof(struct opts, it), NULL, "" },
	{ "tty", 't', ARGS_FLAG, offsetof(struct opts, tty), NULL, "" },
	{ "proxy", 0, ARGS_FLAG_ON, offsetof(struct opts, no_proxy), NULL, "" },
	{ "name", 0, ARGS_STRING, offsetof(struct opts, name), "NAME", "" },
	{ "env", 'e', ARGS_LIST, offsetof(struct opts, env), "K=V", "" },
	{ "n", 'n', ARGS_U64, offsetof(struct opts, n), "N", "" },
	{ 0 },
};

static int parse(struct opts *o, bool stop, char **pos, struct err *err, int n, char **argv)
{
	memset(o, 0, sizeof(*o));
	return args_parse(table, o, n, argv, stop, pos, err);
}
#define PARSE(o, stop, pos, err, ...)                                                              \
	parse(o, stop, pos, err, (int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)),        \
		(char *[]){ __VA_ARGS__ })

TEST(all_spellings_of_an_option)
{
	struct opts o;
	char *pos[16];

	CHECK_INT(PARSE(&o, false, pos, NULL, "-it", "-eA=1", "a", "--env", "B=2", "--env=C=3",
			  "--name=x", "-n", "7", "b"),
		==, 2);
	CHECK(o.it && o.tty);
	CHECK_INT(o.env.n, ==, 3);
	CHECK_STR(o.env.v[0], "A=1");
	CHECK_STR(o.env.v[2], "C=3");
	CHECK_STR(o.name, "x");
	CHECK_INT(o.n, ==, 7);
	CHECK_STR(pos[1], "b");
	CHECK_STR(pos[2], NULL);
	args_done(table, &o);
}

TEST(the_command_of_run_keeps_its_own_options)
{
	struct opts o;
	char *pos[16];

	CHECK_INT(PARSE(&o, true, pos, NULL, "-i", "image", "ls", "-t"), ==, 3);
	CHECK(o.it && !o.tty);
	CHECK_STR(pos[2], "-t");
	CHECK_INT(PARSE(&o, false, pos, NULL, "--", "-t"), ==, 1);
	CHECK(!o.tty);
}

TEST(what_is_on_can_be_turned_off)
{
	struct opts o;
	char *pos[16];

	CHECK_INT(PARSE(&o, false, pos, NULL, "--proxy", "x"), ==, 1);
	CHECK(!o.no_proxy);
	CHECK_INT(PARSE(&o, false, pos, NULL, "--proxy=false", "x"), ==, 1);
	CHECK(o.no_proxy);
	CHECK_INT(PARSE(&o, false, pos, NULL, "--proxy=false", "--proxy=true"), ==, 0);
	CHECK(!o.no_proxy);
}

TEST(wrong_options_are_named)
{
	struct opts o;
	char *pos[16];
	struct err err = ERR_INIT;

	CHECK_INT(PARSE(&o, false, pos, &err, "--nme", "x"), ==, -EINVAL);
	CHECK_STR(err.text, "unknown option '--nme'");
	CHECK_STR(err.hint, "the nearest option is '--name'");
	CHECK_INT(PARSE(&o, false, pos, &err, "--name"), ==, -EINVAL);
	CHECK_INT(PARSE(&o, false, pos, &err, "-x"), ==, -EINVAL);
	CHECK_INT(PARSE(&o, false, pos, &err, "-n", "many"), ==, -EINVAL);
	CHECK_INT(PARSE(&o, false, pos, &err, "--tty=maybe"), ==, -EINVAL);
}
