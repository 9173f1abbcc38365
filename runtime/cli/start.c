/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: start, init, restart, attach
 *
 * A start makes a monitor process as `run` does; its image is looked up by id, since names move on.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/attach.h"
#include "runtime/cli/boot.h"
#include "runtime/cli/ctl.h"

#include <signal.h>

struct start_opts {
	struct ctl_choice choice;
	bool attach, interactive, all;
	const char *detach_keys;
	/* not options */
	unsigned int flags; /* enum ctr_start_flags */
	int exit_code; /* with --attach; else 0 */
};

/* ---- the monitor ---- */

static void __attribute__((noreturn))
be_monitor(const struct cli *cli, const char *id, int sock, unsigned int flags)
{
	struct ctr_start_opts opts = { .client = sock, .flags = flags };
	struct err err = ERR_INIT;
	struct boot b;
	int r, code;

	fd_close_inherited(3);
	boot_init(&b);
	r = img_store_open(&b.store, cli->root, &err);
	if (r >= 0)
		r = boot_open(&b, id, &err);
	if (r >= 0)
		r = boot_network(&b, &err);
	if (r >= 0)
		r = boot_root(&b, &err);
	if (r >= 0)
		r = boot_start(&b, &opts, &err);
	code = boot_monitor(&b, opts.client, r, &err);
	boot_done(&b);
	_exit(code);
}

/* ---- the client ---- */

static int has_terminal(const struct ctl *ctl, const char *id, bool *ret, struct err *err)
{
	auto_spec *spec = NULL;
	int r = control_spec(&ctl->c, id, &spec, err);

	if (r >= 0)
		*ret = spec->process->terminal;
	return r;
}

/* Until the container ends or is left: 0 or the exit code; a negative errno. */
static int look_on(struct client *c, struct client_opts *o, const char *keys, struct err *err)
{
	int r = 0;

	if (o->terminal && o->input)
		r = detach_parse(keys ? keys : DETACH_DEFAULT, &o->detach, err);
	if (r >= 0)
		r = client_run(c, o, err);
	if (r == -ECANCELED)
		return 0;
	return r == -EPIPE ? 128 + SIGPIPE : r;
}

/* It stands and waits: its monitor is told to go on. */
static int start_initialized(
	const struct ctl *ctl, const struct record *rec, struct client *c, struct err *err)
{
	int r;

	c->sock = attach_connect(ctl->c.rundir_fd, rec->id);
	if (c->sock < 0)
		return err_set(err, c->sock, "cannot reach the container's monitor");
	r = client_hold_signals(c, err);
	if (r >= 0)
		r = attach_send_kind(c->sock, ATTACH_START);
	return r;
}

struct start_arg {
	const struct cli *cli;
	struct start_opts *o;
};

static int start_record(
	struct ctl *ctl, const struct control_ctr *ctr, const struct start_arg *a, struct err *err)
{
	struct client_opts co = { .input = a->o->interactive && ctr->opts.interactive,
		.pass_signals = true };
	struct client c = CLIENT_INIT;
	char id[CLIENT_ID_BYTES];
	bool attach = a->o->flags & CTR_ATTACHED;
	int sock, r;

	r = has_terminal(ctl, ctr->record.id, &co.terminal, err);
	(void)fflush(NULL);
	if (r >= 0 && ctr->record.state == CTR_CREATED)
		r = start_initialized(ctl, &ctr->record, &c, err);
	else if (r >= 0)
		r = client_fork(&c, &sock, err);
	if (r == 0 && ctr->record.state != CTR_CREATED)
		be_monitor(a->cli, ctr->record.id, sock, a->o->flags);
	if (r >= 0)
		r = client_wait_started(&c, id, &a->o->exit_code, err);
	if (r >= 0 && attach)
		r = a->o->exit_code = look_on(&c, &co, a->o->detach_keys, err);
	client_done(&c, r < 0);
	return r < 0 ? r : 0;
}

static int start_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct start_arg *a = arg;
	auto_control_ctr c = { 0 };
	int r;

	r = control_open(&ctl->c, ref, &c, err);
	if (r < 0)
		return r;
	if (c.record.state == CTR_PAUSED) {
		err_say(err, -EBUSY, "it is paused");
		return err_hint(err, -EBUSY, "lamina unpause %s", ref);
	}
	/* What runs, runs. */
	if (c.record.state == CTR_RUNNING ||
		(c.record.state == CTR_CREATED && a->o->flags & CTR_WAIT_START))
		return 0;
	return start_record(ctl, &c, a, err);
}

static bool is_startable(const struct record *r)
{
	return r->state == CTR_CONFIGURED || r->state == CTR_CREATED || r->state == CTR_STOPPED;
}

static int start_all(struct cli *cli, struct start_opts *o, const char *verb, int argc, char **argv)
{
	struct start_arg a = { cli, o };
	const struct ctl_each each = { .verb = verb,
		.argc = argc,
		.argv = argv,
		.all = o->all ? is_startable : NULL,
		.choice = &o->choice,
		.act = start_one,
		.arg = &a,
		.quiet = o->flags & CTR_ATTACHED };
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	code = ctl_open(&ctl, cli, 0, &err) < 0 ? cli_fail(&err) : ctl_each(&ctl, &each);
	ctl_close(&ctl);
	/* What the container, or its monitor, ended with says more than that it failed. */
	return o->exit_code ? o->exit_code : code;
}

static int run_start(struct cli *cli, void *opts, int argc, char **argv)
{
	struct start_opts *o = opts;
	struct err err = ERR_INIT;

	if (o->attach || o->interactive)
		o->flags = CTR_ATTACHED;
	if (o->flags && (argc + o->choice.latest != 1 || o->all || o->choice.filter.n > 0)) {
		err_say(&err, -EINVAL, "one container at a time can be looked at");
		return cli_fail(&err);
	}
	return start_all(cli, o, "start", argc, argv);
}

static int run_init(struct cli *cli, void *opts, int argc, char **argv)
{
	struct start_opts *o = opts;

	o->flags = CTR_WAIT_START;
	return start_all(cli, o, "init", argc, argv);
}

/* ---- restart ---- */

struct restart_opts {
	struct ctl_choice choice;
	bool all;
	const char *time;
};

struct restart_arg {
	struct start_arg start;
	const struct restart_opts *o;
};

static int restart_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct restart_arg *a = arg;
	auto_control_ctr c = { 0 };
	uint64_t timeout;
	int r;

	r = control_open(&ctl->c, ref, &c, err);
	if (r < 0)
		return r;
	timeout = c.opts.stop_timeout_s;
	if (a->o->time && str_to_u64(a->o->time, INT32_MAX, &timeout) < 0)
		return err_say(err, -EINVAL, "--time takes seconds, not '%s'", a->o->time);
	if (c.record.auto_remove && state_is_live(c.record.state))
		return err_say(err, -EINVAL, "it goes when it ends (--rm)");
	r = control_stop(&ctl->c, &c.record, timeout, err);
	if (r < 0)
		return r;
	c.record.state = CTR_STOPPED;
	return start_record(ctl, &c, &a->start, err);
}

static int run_restart(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct restart_opts *o = opts;
	struct start_opts start = { 0 };
	struct restart_arg a = { { cli, &start }, o };
	const struct ctl_each each = { .verb = "restart",
		.argc = argc,
		.argv = argv,
		.all = o->all ? ctl_is_any : NULL,
		.choice = &o->choice,
		.act = restart_one,
		.arg = &a };
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	code = ctl_open(&ctl, cli, 0, &err) < 0 ? cli_fail(&err) : ctl_each(&ctl, &each);
	ctl_close(&ctl);
	return code;
}

/* ---- attach ---- */

struct attach_opts {
	struct ctl_choice choice;
	bool no_stdin;
	const char *sig_proxy, *detach_keys;
};

static int attach(struct ctl *ctl, const char *ref, const struct attach_opts *o, struct err *err)
{
	struct client_opts co = { .pass_signals = !o->sig_proxy || !str_eq(o->sig_proxy, "false") };
	struct client c = CLIENT_INIT;
	auto_control_ctr ctr = { 0 };
	int r;

	r = control_open(&ctl->c, ref, &ctr, err);
	if (r >= 0)
		r = has_terminal(ctl, ctr.record.id, &co.terminal, err);
	if (r < 0)
		return r;
	if (!state_is_live(ctr.record.state)) {
		err_say(err, -ESRCH, "container '%s' is not running", ctr.record.name);
		return err_hint(err, -ESRCH, "lamina start --attach %s", ref);
	}
	co.input = ctr.opts.interactive && !o->no_stdin;
	c.sock = attach_connect(ctl->c.rundir_fd, ctr.record.id);
	if (c.sock < 0)
		return err_set(err, c.sock, "cannot reach the container's monitor");
	r = client_hold_signals(&c, err);
	if (r >= 0)
		r = look_on(&c, &co, o->detach_keys, err);
	client_done(&c, false);
	return r;
}

static int run_attach(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct attach_opts *o = opts;
	struct err err = ERR_INIT;
	char latest[CTR_ID_LEN + 1] = "";
	const char *ref = argc > 0 ? argv[0] : latest;
	struct ctl ctl;
	int r;

	if ((argc > 0) == o->choice.latest) {
		err_say(&err, -EINVAL, "a container, or --latest");
		return cli_fail(&err);
	}
	r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0 && o->choice.latest)
		r = ctl_latest(&ctl, latest, &err);
	if (r >= 0)
		r = attach(&ctl, ref, opts, &err);
	ctl_close(&ctl);
	if (r >= 0)
		return r;
	err_wrap(&err, r, "cannot attach to '%s'", ref);
	return cli_fail(&err);
}

#define DETACH_KEYS(type)                                                                          \
	{                                                                                          \
		"detach-keys", 0, ARGS_STRING, offsetof(struct type, detach_keys), "KEYS",         \
			"keys that leave it running; ctrl-p,ctrl-q"                                \
	}

static const struct args_opt start_table[] = {
	{ "all", 0, ARGS_FLAG, offsetof(struct start_opts, all), NULL, "all that do not run" },
	{ "attach", 'a', ARGS_FLAG, offsetof(struct start_opts, attach), NULL,
		"show its output, end with its exit code" },
	DETACH_KEYS(start_opts),
	CTL_FILTER(struct start_opts, choice, 'f'),
	{ "interactive", 'i', ARGS_FLAG, offsetof(struct start_opts, interactive), NULL,
		"pass standard input on, too" },
	CTL_LATEST(struct start_opts, choice),
	{ 0 },
};

static const struct args_opt init_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct start_opts, all), NULL, "all that do not run" },
	{ 0 },
};

static const struct args_opt restart_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct restart_opts, all), NULL, "all containers" },
	CTL_FILTER(struct restart_opts, choice, 'f'),
	CTL_LATEST(struct restart_opts, choice),
	{ "time", 't', ARGS_STRING, offsetof(struct restart_opts, time), "SECONDS",
		"how long to wait before it is killed" },
	{ 0 },
};

static const struct args_opt attach_table[] = {
	DETACH_KEYS(attach_opts),
	CTL_LATEST(struct attach_opts, choice),
	{ "no-stdin", 0, ARGS_FLAG, offsetof(struct attach_opts, no_stdin), NULL,
		"look on, without input" },
	{ "sig-proxy", 0, ARGS_STRING, offsetof(struct attach_opts, sig_proxy), "true|false",
		"whether signals go to the container; true" },
	{ 0 },
};

const struct cli_verb cli_verbs_start[] = {
	{ "start", "[OPTION]… CONTAINER…", "start containers that were made or have ended",
		start_table, sizeof(struct start_opts), 0, -1, false, run_start,
		.enters_container = true },
	{ "init", "CONTAINER…",
		"make the namespaces and mounts of containers, and wait with the command until "
		"'lamina start'",
		init_table, sizeof(struct start_opts), 0, -1, false, run_init,
		.enters_container = true },
	{ "restart", "[OPTION]… CONTAINER…", "stop containers and start them again", restart_table,
		sizeof(struct restart_opts), 0, -1, false, run_restart, .enters_container = true },
	{ "attach", "[OPTION]… CONTAINER",
		"look at what a container writes, pass input and signals to it", attach_table,
		sizeof(struct attach_opts), 0, 1, false, run_attach },
	{ 0 },
};
