/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: doctor.  Each check runs in a process of its own: some enter namespaces, and stay there. */
#include "runtime/doctor.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/cli/cli.h"

#include <fcntl.h>
#include <sys/wait.h>

struct doctor_opts {
	bool json;
};

/* What a check found. */
struct finding {
	int code; /* 0: all is well */
	struct err err;
};

static void __attribute__((noreturn))
be_check(const struct doctor_check *c, struct img_store *s, int fd)
{
	struct finding f = { .err = ERR_INIT };
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What is worth a warning elsewhere is told here by the finding. */
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	f.code = c->probe(s, &f.err);
	if (f.code > 0)
		f.code = 0;
	(void)fd_write_all(fd, &f, sizeof(f));
	_exit(0);
}

static int run_check(
	const struct doctor_check *c, struct img_store *s, struct finding *ret, struct err *err)
{
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		be_check(c, s, fds[1]);
	(void)close(fds[1]);
	n = pid < 0 ? -1 : read(fds[0], ret, sizeof(*ret));
	(void)close(fds[0]);
	if (pid < 0)
		return err_set(err, -errno, "cannot start a process");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(*ret)) {
		*ret = (struct finding){ .code = -EIO };
		err_say(&ret->err, -EIO, "the check itself was killed");
	}
	return 0;
}

static json_t *as_json(const struct doctor_check *c, const struct finding *f)
{
	return json_pack("{s:s, s:b, s:b, s:s?, s:s?, s:s?}", "name", c->name, "ok", f->code == 0,
		"vital", c->is_vital, "why", f->code ? f->err.text : NULL, "without",
		f->code ? c->without : NULL, "hint",
		f->code && f->err.hint[0] ? f->err.hint : NULL);
}

static void print_finding(const struct doctor_check *c, const struct finding *f)
{
	if (f->code == 0) {
		printf("ok    %s\n", c->name);
		return;
	}
	printf("%s  %s: %s\n      without it: %s\n", c->is_vital ? "FAIL" : "warn", c->name,
		f->err.text, c->without);
	if (f->err.hint[0])
		printf("      hint: %s\n", f->err.hint);
}

/* Without a store most can be checked all the same. */
static int check_all(struct img_store *s, json_t *all, int *ret_worst, struct err *err)
{
	for (const struct doctor_check *c = doctor_checks; c->name; c++) {
		struct finding f = { 0 };
		int r;

		(void)fflush(stdout);
		r = run_check(c, s, &f, err);
		if (r < 0)
			return r;
		if (f.code && (c->is_vital || *ret_worst == 0))
			*ret_worst = c->is_vital ? 2 : 1;
		if (!all)
			print_finding(c, &f);
		else if (json_array_append_new(all, as_json(c, &f)) < 0)
			return err_set(err, -ENOMEM, "cannot print JSON");
	}
	return 0;
}

static int run_doctor(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct doctor_opts *o = opts;
	auto_json *all = o->json ? json_array() : NULL;
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	int worst = 0, r = img_store_open(&s, cli->root, &err);

	if (r >= 0)
		r = check_all(s, all, &worst, &err);
	img_store_close(s);
	if (r >= 0 && all && (json_dumpf(all, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0))
		r = err_set(&err, -EIO, "cannot print");
	if (r < 0) {
		err_wrap(&err, r, "cannot check this machine");
		return cli_fail(&err);
	}
	return worst;
}

static const struct args_opt doctor_table[] = {
	{ "json", 0, ARGS_FLAG, offsetof(struct doctor_opts, json), NULL, "print JSON" },
	{ 0 },
};

const struct cli_verb cli_verbs_doctor[] = {
	{ "doctor", "[--json]", "check what this machine lacks, and say what to type", doctor_table,
		sizeof(struct doctor_opts), 0, 0, false, run_doctor,
		"Exit code: 0 all is well, 1 something works less well, 2 containers cannot run." },
	{ 0 },
};
