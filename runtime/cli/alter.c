/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: rename, pause, unpause. */
#include "base/cleanup.h"
#include "runtime/cli/ctl.h"
#include "runtime/ctrcgroup.h"

/* ---- rename ---- */

static int run_rename(struct cli *cli, void *opts, int argc, char **argv)
{
	struct err err = ERR_INIT;
	char id[CTR_ID_LEN + 1];
	struct ctl ctl;
	int r;

	r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0)
		r = record_find(ctl.c.store_fd, argv[0], id, &err);
	if (r >= 0)
		r = record_rename(ctl.c.store_fd, id, argv[1], &err);
	ctl_close(&ctl);
	if (r >= 0)
		return 0;
	err_wrap(&err, r, "cannot rename '%s'", argv[0]);
	return cli_fail(&err);
}

/* ---- pause, unpause ---- */

struct pause_opts {
	bool all;
};

static int freeze_one(struct ctl *ctl, const char *ref, bool on, struct err *err)
{
	auto_control_ctr c = { 0 };
	int r = control_open(&ctl->c, ref, &c, err);

	if (r < 0)
		return r;
	if (c.record.state != CTR_RUNNING && c.record.state != CTR_PAUSED)
		return err_say(err, -ESRCH, "it is %s", state_word(c.record.state));
	if (!on && c.record.state != CTR_PAUSED)
		return err_say(err, -EINVAL, "it is not paused");
	return control_freeze(&c.record, on, err);
}

static int pause_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	return freeze_one(ctl, ref, true, err);
}

static int unpause_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	return freeze_one(ctl, ref, false, err);
}

static bool is_running(const struct record *r)
{
	return r->state == CTR_RUNNING && !ctrcgroup_is_frozen(r);
}

static bool is_paused(const struct record *r)
{
	return r->state == CTR_RUNNING && ctrcgroup_is_frozen(r);
}

static int run_pause(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct pause_opts *o = opts;
	const struct ctl_each each = { .verb = "pause",
		.argc = argc,
		.argv = argv,
		.all = o->all ? is_running : NULL,
		.act = pause_one };

	return ctl_run(cli, 0, &each);
}

static int run_unpause(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct pause_opts *o = opts;
	const struct ctl_each each = { .verb = "unpause",
		.argc = argc,
		.argv = argv,
		.all = o->all ? is_paused : NULL,
		.act = unpause_one };

	return ctl_run(cli, 0, &each);
}

static const struct args_opt pause_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct pause_opts, all), NULL, "all that run" },
	{ 0 },
};

static const struct args_opt unpause_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct pause_opts, all), NULL, "all that are paused" },
	{ 0 },
};

const struct cli_verb cli_verbs_alter[] = {
	{ "rename", "CONTAINER NAME", "give a container another name", NULL, 0, 2, 2, false,
		run_rename },
	{ "pause", "[--all] CONTAINER…", "stop all processes of containers where they are",
		pause_table, sizeof(struct pause_opts), 0, -1, false, run_pause },
	{ "unpause", "[--all] CONTAINER…", "let the processes of paused containers go on",
		unpause_table, sizeof(struct pause_opts), 0, -1, false, run_unpause },
	{ 0 },
};
