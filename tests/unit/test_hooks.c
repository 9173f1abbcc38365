/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hooks.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>

/* A hook of the kind createRuntime: `sh -c SCRIPT`. */
struct shell {
	const char *args[4], *env[2];
	struct spec_hook hook;
	struct spec spec;
};

static void shell_init(struct shell *s, const char *script, const char *env)
{
	*s = (struct shell){ .args = { "sh", "-c", script, NULL }, .env = { env, NULL } };
	s->hook = (struct spec_hook){ .path = "/bin/sh", .args = { s->args, 3 } };
	if (env)
		s->hook.env = (struct spec_list){ s->env, 1 };
	s->spec.hooks[SPEC_HOOK_CREATE_RUNTIME] = (struct spec_hooks){ &s->hook, 1 };
}

static int run(struct shell *s, const char *state, struct err *err)
{
	return hooks_run(&s->spec, SPEC_HOOK_CREATE_RUNTIME, state, strlen(state), err);
}

TEST(a_hook_reads_the_state)
{
	struct err err = ERR_INIT;
	struct shell s;

	shell_init(&s, "read x && test \"$x\" = state", NULL);
	CHECK_INT(run(&s, "state\n", &err), ==, 0);
	/* One that reads nothing is no failure. */
	shell_init(&s, "exit 0", NULL);
	CHECK_INT(run(&s, "state\n", &err), ==, 0);
}

TEST(the_environment_is_its_own_or_ours)
{
	struct err err = ERR_INIT;
	struct shell s;

	CHECK_INT(setenv("TEST_HOOKS_WORD", "ours", 1), ==, 0);
	shell_init(&s, "test \"$TEST_HOOKS_WORD\" = ours", NULL);
	CHECK_INT(run(&s, "", &err), ==, 0);
	shell_init(&s, "test -z \"$TEST_HOOKS_WORD\" && test \"$A\" = b", "A=b");
	CHECK_INT(run(&s, "", &err), ==, 0);
}

TEST(a_failure_says_what_the_hook_said)
{
	struct err err = ERR_INIT;
	struct shell s;

	shell_init(&s, "echo why; echo not >&2; exit 9", NULL);
	CHECK_INT(run(&s, "", &err), ==, -EIO);
	CHECK(strstr(err.text, "createRuntime") && strstr(err.text, "exited with 9") &&
		strstr(err.text, "why"));
	/* More than is kept, and more than a pipe holds. */
	shell_init(&s, "head -c 200000 /dev/zero | tr '\\0' x; exit 1", NULL);
	CHECK_INT(run(&s, "", &err), ==, -EIO);
	CHECK(strstr(err.text, "exited with 1"));
	shell_init(&s, "exit 0", NULL);
	s.hook.path = "/nowhere/hook";
	CHECK_INT(run(&s, "", &err), ==, -ENOENT);
}

TEST(a_slow_hook_is_ended)
{
	struct err err = ERR_INIT;
	struct shell s;

	shell_init(&s, "exec sleep 1000", NULL);
	s.hook.timeout_s = 1;
	CHECK_INT(run(&s, "", &err), ==, -ETIMEDOUT);
	/* What it leaves behind, with its output still open, is not waited for. */
	shell_init(&s, "sleep 2 & exit 0", NULL);
	s.hook.timeout_s = 100;
	CHECK_INT(run(&s, "", &err), ==, 0);
}

TEST(the_first_failure_ends_it)
{
	struct spec_hook two[2];
	struct err err = ERR_INIT;
	struct shell bad, good;

	shell_init(&bad, "exit 3", NULL);
	shell_init(&good, "exit 4", NULL);
	two[0] = bad.hook;
	two[1] = good.hook;
	bad.spec.hooks[SPEC_HOOK_CREATE_RUNTIME] = (struct spec_hooks){ two, 2 };
	CHECK_INT(run(&bad, "", &err), ==, -EIO);
	CHECK(strstr(err.text, "exited with 3"));
}
