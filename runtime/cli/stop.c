/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: stop, kill, wait, rm. */
#include "base/cleanup.h"
#include "runtime/cli/ctl.h"
#include "runtime/signame.h"

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>

/* ---- stop ---- */

struct stop_opts {
	struct ctl_choice choice;
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

static int run_stop(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct stop_opts *o = opts;
	const struct ctl_each each = { .verb = "stop",
		.argc = argc,
		.argv = argv,
		.all = o->all ? ctl_is_live : NULL,
		.choice = &o->choice,
		.act = stop_one,
		.arg = opts };

	return ctl_run(cli, 0, &each);
}

/* ---- kill ---- */

struct kill_opts {
	struct ctl_choice choice;
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
		.choice = &o->choice,
		.act = kill_one,
		.arg = opts };
	struct err err = ERR_INIT;

	o->sig = o->signal ? signame_parse(o->signal) : SIGKILL;
	if (o->sig < 0) {
		err_say(&err, -EINVAL, "signal '%s' is not known", o->signal);
		return cli_fail(&err);
	}
	return ctl_run(cli, 0, &each);
}

/* ---- wait ---- */

struct wait_opts {
	struct ctl_choice choice;
	struct strv condition;
	bool ignore;
};

/* The words of podman; what has ended is both stopped and exited. */
static const struct {
	const char *word;
	enum ctr_state state;
} conditions[] = { { "configured", CTR_CONFIGURED }, { "created", CTR_CONFIGURED },
	{ "initialized", CTR_CREATED }, { "running", CTR_RUNNING }, { "stopped", CTR_STOPPED },
	{ "exited", CTR_STOPPED } };

static int find_condition(const char *word, enum ctr_state *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
		if (str_eq(conditions[i].word, word)) {
			*ret = conditions[i].state;
			return 0;
		}
	return err_say(err, -EINVAL,
		"condition '%.32s' is not created, initialized, running, stopped or exited", word);
}

static bool is_met(const struct strv *wanted, enum ctr_state now)
{
	enum ctr_state state = CTR_CONFIGURED;

	for (size_t i = 0; i < wanted->n; i++)
		if (find_condition(wanted->v[i], &state, NULL) == 0 && state == now)
			return true;
	return false;
}

/* Its record is replaced at each change but the last of one that was killed, which its lock tells. */
static int wait_condition(
	struct ctl *ctl, const char *ref, const struct strv *wanted, int *ret_code, struct err *err)
{
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), dirfd = -1;
	char path[32], events[4096];
	auto_control_ctr c = { 0 };
	int r = control_open(&ctl->c, ref, &c, err);

	dirfd = r < 0 ? r : control_open_dir(&ctl->c, c.record.id, err);
	if (dirfd < 0)
		return dirfd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	if (watch < 0 || inotify_add_watch(watch, path, IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return err_set(err, -errno, "cannot watch the container");
	for (;;) {
		auto_control_ctr now = { 0 };
		auto_fd monitor = -1;
		struct pollfd p[2];

		r = control_open(&ctl->c, c.record.id, &now, err);
		if (r < 0)
			return r;
		if (is_met(wanted, now.record.state)) {
			*ret_code = now.record.state == CTR_STOPPED ? now.record.exit_code : -1;
			return 0;
		}
		if (state_is_live(now.record.state))
			monitor = proc_open(&now.record.monitor);
		p[0] = (struct pollfd){ .fd = watch, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = monitor, .events = POLLIN };
		(void)poll(p, 2, -1);
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
}

static int wait_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct wait_opts *o = arg;
	auto_control_ctr c = { 0 };
	enum ctr_state state;
	int r = 0, code = 0;

	for (size_t i = 0; r >= 0 && i < o->condition.n; i++)
		r = find_condition(o->condition.v[i], &state, err);
	if (r >= 0)
		r = control_open(&ctl->c, ref, &c, err);
	if (r == -ENOENT && o->ignore)
		code = -1;
	else if (r >= 0 && o->condition.n > 0)
		r = wait_condition(ctl, ref, &o->condition, &code, err);
	else if (r >= 0)
		r = code = control_wait(&ctl->c, &c.record, err);
	if (r < 0 && !(r == -ENOENT && o->ignore))
		return r;
	printf("%d\n", code);
	return 0;
}

static int run_wait(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct wait_opts *o = opts;
	const struct ctl_each each = { .verb = "wait for",
		.argc = argc,
		.argv = argv,
		.choice = &o->choice,
		.act = wait_one,
		.arg = opts,
		.quiet = true };

	return ctl_run(cli, 0, &each);
}

/* ---- rm ---- */

struct rm_opts {
	struct ctl_choice choice;
	bool force, all, volumes, ignore;
	const char *time;
};

static int stop_before(struct ctl *ctl, const char *ref, const char *time, struct err *err)
{
	struct stop_opts o = { .time = time };

	return stop_one(ctl, ref, &o, err);
}

static int rm_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct rm_opts *o = arg;
	unsigned int flags = (o->force ? CONTROL_FORCE : 0) | (o->volumes ? CONTROL_VOLUMES : 0);
	int r = o->time && o->force ? stop_before(ctl, ref, o->time, err) : 0;

	if (r >= 0)
		r = control_remove(&ctl->c, ref, flags, err);
	return r == -ENOENT && (o->ignore || o->force) ? 0 : r;
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
	const struct ctl_each each = { .verb = "remove",
		.argc = argc,
		.argv = argv,
		.all = o->all ? ctl_is_any : NULL,
		.choice = &o->choice,
		.act = rm_one,
		.arg = opts };
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	code = ctl_open(&ctl, cli, CTL_ENTER, &err) < 0 ? cli_fail(&err) : 0;
	if (code == 0) {
		record_sweep(ctl.c.store_fd, ctl.c.rundir_fd);
		code = o->all && argc == 0 && o->choice.filter.n == 0 ? rm_all(&ctl, o)
								      : ctl_each(&ctl, &each);
	}
	ctl_close(&ctl);
	return code;
}

static const struct args_opt stop_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct stop_opts, all), NULL, "all that run" },
	CTL_CIDFILE(struct stop_opts, choice),
	CTL_FILTER(struct stop_opts, choice, 'f'),
	{ "ignore", 'i', ARGS_FLAG, offsetof(struct stop_opts, ignore), NULL,
		"no error if there is none" },
	CTL_LATEST(struct stop_opts, choice),
	{ "time", 't', ARGS_STRING, offsetof(struct stop_opts, time), "SECONDS",
		"how long to wait before it is killed" },
	{ 0 },
};

static const struct args_opt kill_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct kill_opts, all), NULL, "all that run" },
	CTL_CIDFILE(struct kill_opts, choice),
	CTL_LATEST(struct kill_opts, choice),
	{ "signal", 's', ARGS_STRING, offsetof(struct kill_opts, signal), "SIGNAL",
		"by name or number; KILL" },
	{ 0 },
};

static const struct args_opt wait_table[] = {
	{ "condition", 0, ARGS_LIST, offsetof(struct wait_opts, condition), "STATE",
		"until it is created, initialized, running, stopped or exited" },
	{ "ignore", 0, ARGS_FLAG, offsetof(struct wait_opts, ignore), NULL,
		"-1 if there is none, without an error" },
	CTL_LATEST(struct wait_opts, choice),
	{ 0 },
};

static const struct args_opt rm_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct rm_opts, all), NULL, "all that have ended" },
	CTL_CIDFILE(struct rm_opts, choice),
	CTL_FILTER(struct rm_opts, choice, 0),
	{ "force", 'f', ARGS_FLAG, offsetof(struct rm_opts, force), NULL,
		"end those that run; no error if there is none" },
	{ "ignore", 'i', ARGS_FLAG, offsetof(struct rm_opts, ignore), NULL,
		"no error if there is none" },
	CTL_LATEST(struct rm_opts, choice),
	{ "time", 't', ARGS_STRING, offsetof(struct rm_opts, time), "SECONDS",
		"with --force: how long to wait before it is killed; 0" },
	{ "volumes", 'v', ARGS_FLAG, offsetof(struct rm_opts, volumes), NULL,
		"with their volumes that nobody gave a name" },
	{ 0 },
};

const struct cli_verb cli_verbs_stop[] = {
	{ "stop", "[OPTION]… CONTAINER…", "stop containers by their stop signal, then by SIGKILL",
		stop_table, sizeof(struct stop_opts), 0, -1, false, run_stop },
	{ "kill", "[OPTION]… CONTAINER…", "send a signal to containers", kill_table,
		sizeof(struct kill_opts), 0, -1, false, run_kill },
	{ "wait", "[OPTION]… CONTAINER…",
		"wait until containers have ended, print their exit codes", wait_table,
		sizeof(struct wait_opts), 0, -1, false, run_wait },
	{ "rm", "[OPTION]… CONTAINER…", "remove containers", rm_table, sizeof(struct rm_opts), 0,
		-1, false, run_rm },
	{ 0 },
};
