/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: stop, kill, wait, rm. */
#include "base/cleanup.h"
#include "runtime/cli/ctl.h"
#include "runtime/signame.h"

#include <signal.h>

/* ---- stop ---- */

struct stop_opts {
	bool all, ignore;
	const char *time;
};

static int stop_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct stop_opts *o = arg;
	auto_control_ctr c = { 0 };
	uint64_t timeout;
	int r;

	r = control_open(&ctl->c, ref, &c, err);
	if (r < 0)
		return r == -ENOENT && o->ignore ? 0 : r;
	timeout = c.opts.stop_timeout_s;
	if (o->time && str_to_u64(o->time, INT32_MAX, &timeout) < 0)
		return err_say(err, -EINVAL, "--time takes seconds, not '%s'", o->time);
	return control_stop(&ctl->c, &c.record, timeout, err);
}

static int run_on_each(struct cli *cli, unsigned int flags, const struct ctl_each *each)
{
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	code = ctl_open(&ctl, cli, flags, &err) < 0 ? cli_fail(&err) : ctl_each(&ctl, each);
	ctl_close(&ctl);
	return code;
}

static int run_stop(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct stop_opts *o = opts;
	const struct ctl_each each = { .verb = "stop",
		.argc = argc,
		.argv = argv,
		.all = o->all ? ctl_is_live : NULL,
		.act = stop_one,
		.arg = opts };

	return run_on_each(cli, 0, &each);
}

/* ---- kill ---- */

struct kill_opts {
	bool all;
	const char *signal;
	int sig;
};

static int kill_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct kill_opts *o = arg;
	auto_control_ctr c = { 0 };
	int r = control_open(&ctl->c, ref, &c, err);

	return r < 0 ? r : control_kill(&c.record, o->sig, err);
}

static int run_kill(struct cli *cli, void *opts, int argc, char **argv)
{
	struct kill_opts *o = opts;
	const struct ctl_each each = { .verb = "kill",
		.argc = argc,
		.argv = argv,
		.all = o->all ? ctl_is_live : NULL,
		.act = kill_one,
		.arg = opts };
	struct err err = ERR_INIT;

	o->sig = o->signal ? signame_parse(o->signal) : SIGKILL;
	if (o->sig < 0) {
		err_say(&err, -EINVAL, "signal '%s' is not known", o->signal);
		return cli_fail(&err);
	}
	return run_on_each(cli, 0, &each);
}

/* ---- wait ---- */

static int wait_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	auto_control_ctr c = { 0 };
	int r = control_open(&ctl->c, ref, &c, err);

	if (r >= 0)
		r = control_wait(&ctl->c, &c.record, err);
	if (r >= 0)
		printf("%d\n", r);
	return r;
}

static int run_wait(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct ctl_each each = {
		.verb = "wait for", .argc = argc, .argv = argv, .act = wait_one, .quiet = true
	};

	return run_on_each(cli, 0, &each);
}

/* ---- rm ---- */

struct rm_opts {
	bool force, all, volumes, ignore;
};

static int rm_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct rm_opts *o = arg;
	unsigned int flags = (o->force ? CONTROL_FORCE : 0) | (o->volumes ? CONTROL_VOLUMES : 0);
	int r = control_remove(&ctl->c, ref, flags, err);

	return r == -ENOENT && o->ignore ? 0 : r;
}

/* Also what cannot be read, or is being made: nothing that can be removed is passed by. */
static int rm_all(struct ctl *ctl, const struct rm_opts *o)
{
	struct err first = ERR_INIT;
	auto_strv ids = { 0 };
	int code = 0;

	if (record_list(ctl->c.store_fd, &ids, &first) < 0)
		return cli_fail(&first);
	for (size_t i = 0; i < ids.n; i++) {
		struct err why = ERR_INIT;
		int r = rm_one(ctl, ids.v[i], (void *)(uintptr_t)o, &why);

		/* It runs, is being made, or removed itself. */
		if (r == -EBUSY || r == -ENOENT)
			continue;
		if (r < 0)
			code = cli_fail(&why);
		else
			printf("%s\n", ids.v[i]);
	}
	return code;
}

static int run_rm(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct rm_opts *o = opts;
	const struct ctl_each each = {
		.verb = "remove", .argc = argc, .argv = argv, .act = rm_one, .arg = opts
	};
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	code = ctl_open(&ctl, cli, CTL_ENTER, &err) < 0 ? cli_fail(&err) : 0;
	if (code == 0) {
		record_sweep(ctl.c.store_fd, ctl.c.rundir_fd);
		code = o->all && argc == 0 ? rm_all(&ctl, o) : ctl_each(&ctl, &each);
	}
	ctl_close(&ctl);
	return code;
}

static const struct args_opt stop_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct stop_opts, all), NULL, "all that run" },
	{ "ignore", 'i', ARGS_FLAG, offsetof(struct stop_opts, ignore), NULL,
		"no error if there is none" },
	{ "time", 't', ARGS_STRING, offsetof(struct stop_opts, time), "SECONDS",
		"how long to wait before it is killed" },
	{ 0 },
};

static const struct args_opt kill_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct kill_opts, all), NULL, "all that run" },
	{ "signal", 's', ARGS_STRING, offsetof(struct kill_opts, signal), "SIGNAL",
		"by name or number; KILL" },
	{ 0 },
};

static const struct args_opt rm_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct rm_opts, all), NULL, "all that have ended" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct rm_opts, force), NULL,
		"end those that run; no error if there is none" },
	{ "ignore", 'i', ARGS_FLAG, offsetof(struct rm_opts, ignore), NULL,
		"no error if there is none" },
	{ "volumes", 'v', ARGS_FLAG, offsetof(struct rm_opts, volumes), NULL,
		"with their volumes that nobody gave a name" },
	{ 0 },
};

const struct cli_verb cli_verbs_stop[] = {
	{ "stop", "[OPTION]… CONTAINER…", "stop containers by their stop signal, then by SIGKILL",
		stop_table, sizeof(struct stop_opts), 0, -1, false, run_stop },
	{ "kill", "[OPTION]… CONTAINER…", "send a signal to containers", kill_table,
		sizeof(struct kill_opts), 0, -1, false, run_kill },
	{ "wait", "CONTAINER…", "wait until containers have ended, print their exit codes", NULL, 0,
		1, -1, false, run_wait },
	{ "rm", "[OPTION]… CONTAINER…", "remove containers", rm_table, sizeof(struct rm_opts), 0,
		-1, false, run_rm },
	{ 0 },
};
