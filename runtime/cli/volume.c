/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: volume create, volume ls, volume inspect, volume rm, volume prune. */
#include "runtime/cli/volume.h"

#include "base/cleanup.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/out.h"
#include "runtime/volstore.h"

/* ---- create ---- */

struct create_opts {
	struct strv label;
	bool ignore;
};

static int run_create(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct create_opts *o = opts;
	auto_free char *name = NULL;
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r;

	r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0)
		r = volstore_create(ctl.c.store_fd, argc ? argv[0] : NULL, &o->label,
			o->ignore ? VOLSTORE_EXISTING : 0, &name, &err);
	ctl_close(&ctl);
	if (r >= 0 && printf("%s\n", name) >= 0)
		return 0;
	err_wrap(&err, r, "cannot make a volume");
	return cli_fail(&err);
}

/* ---- ls ---- */

struct ls_opts {
	bool quiet, json;
	const char *format;
};

static int volume_rows(const struct ctl *ctl, json_t *rows, struct err *err)
{
	auto_strv names = { 0 };
	int r = volstore_list(ctl->c.store_fd, &names, err);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		json_t *row = NULL;

		r = volstore_inspect(
			ctl->c.store_fd, img_store_path(ctl->store), names.v[i], &row, err);
		if (r == -ENOENT) /* it was removed meanwhile */
			r = 0;
		else if (r >= 0 && json_array_append_new(rows, row) < 0)
			r = err_set(err, -ENOMEM, "cannot list the volumes");
	}
	return r;
}

static int run_ls(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct ls_opts *o = opts;
	auto_json *rows = json_array();
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r;

	r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0)
		r = volume_rows(&ctl, rows, &err);
	if (r >= 0)
		r = out_rows(rows,
			o->json	    ? "json"
			: o->quiet  ? "{{.Name}}"
			: o->format ? o->format
				    : "table {{.Driver}}\t{{.Name}}",
			&err);
	ctl_close(&ctl);
	return r < 0 ? cli_fail(&err) : 0;
}

/* ---- inspect ---- */

struct inspect_opts {
	const char *format;
};

static int run_inspect(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct inspect_opts *o = opts;
	auto_json *rows = json_array();
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r;

	r = ctl_open(&ctl, cli, 0, &err);
	for (int i = 0; r >= 0 && i < argc; i++) {
		json_t *row = NULL;

		r = volstore_inspect(
			ctl.c.store_fd, img_store_path(ctl.store), argv[i], &row, &err);
		if (r >= 0 && json_array_append_new(rows, row) < 0)
			r = err_set(&err, -ENOMEM, "cannot inspect '%s'", argv[i]);
	}
	if (r >= 0)
		r = out_rows(rows, o->format ? o->format : "json", &err);
	ctl_close(&ctl);
	return r < 0 ? cli_fail(&err) : 0;
}

/* ---- rm, prune ---- */

struct rm_opts {
	bool force, all;
};

static int rm_one(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	const struct rm_opts *o = arg;
	int r;

	if (o->force) {
		auto_strv users = { 0 };

		r = volstore_users(ctl->c.store_fd, ref, &users, err);
		for (size_t i = 0; r >= 0 && i < users.n; i++)
			r = control_remove(&ctl->c, users.v[i], CONTROL_FORCE, err);
		if (r < 0)
			return r;
	}
	r = volstore_remove(ctl->c.store_fd, ref, err);
	return r == -ENOENT && o->force ? 0 : r;
}

static int run_rm(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct rm_opts *o = opts;
	struct ctl_each each = {
		.verb = "remove volume", .argc = argc, .argv = argv, .act = rm_one, .arg = opts
	};
	struct err err = ERR_INIT;
	auto_strv names = { 0 };
	struct ctl ctl;
	int code = 0;

	if (ctl_open(&ctl, cli, CTL_ENTER, &err) < 0 ||
		(o->all && volstore_list(ctl.c.store_fd, &names, &err) < 0)) {
		code = cli_fail(&err);
	} else if (!o->all || names.n > 0) {
		if (o->all) {
			each.argc = (int)names.n;
			each.argv = names.v;
		}
		code = ctl_each(&ctl, &each);
	}
	ctl_close(&ctl);
	return code;
}

struct prune_opts {
	bool all, force;
};

/* Whether it goes: unused, and unless --all was given, one that nobody named. */
static bool is_prunable(const struct ctl *ctl, const char *name, bool all)
{
	auto_strv users = { 0 };
	auto_json *j = NULL;

	if (volstore_users(ctl->c.store_fd, name, &users, NULL) < 0 || users.n > 0)
		return false;
	if (all)
		return true;
	return volstore_inspect(ctl->c.store_fd, "", name, &j, NULL) == 0 &&
	       json_is_true(json_object_get(j, "Anonymous"));
}

int volume_prune(struct ctl *ctl, bool all, struct err *err)
{
	auto_strv names = { 0 };
	int r = volstore_list(ctl->c.store_fd, &names, err);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		if (!is_prunable(ctl, names.v[i], all))
			continue;
		r = volstore_remove(ctl->c.store_fd, names.v[i], err);
		if (r >= 0)
			printf("%s\n", names.v[i]);
		else if (r == -EBUSY || r == -ENOENT)
			r = 0;
	}
	return r;
}

static int run_prune(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r;

	if (!o->force && !cli_ask(o->all ? "Remove all volumes that no container uses?"
					 : "Remove unnamed volumes that no container uses?"))
		return 0;
	r = ctl_open(&ctl, cli, CTL_ENTER, &err);
	if (r >= 0)
		r = volume_prune(&ctl, o->all, &err);
	ctl_close(&ctl);
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct args_opt create_table[] = {
	{ "ignore", 0, ARGS_FLAG, offsetof(struct create_opts, ignore), NULL,
		"no error if it is there already" },
	{ "label", 'l', ARGS_LIST, offsetof(struct create_opts, label), "NAME=VALUE",
		"a label of the volume" },
	{ 0 },
};

static const struct args_opt ls_table[] = {
	{ "format", 0, ARGS_STRING, offsetof(struct ls_opts, format), "TEMPLATE",
		"a line for each: '{{.Name}}'" },
	{ "json", 0, ARGS_FLAG, offsetof(struct ls_opts, json), NULL, "print JSON" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct ls_opts, quiet), NULL, "print names alone" },
	{ 0 },
};

static const struct args_opt inspect_table[] = {
	{ "format", 'f', ARGS_STRING, offsetof(struct inspect_opts, format), "TEMPLATE",
		"print this of each: '{{.Mountpoint}}'" },
	{ 0 },
};

static const struct args_opt rm_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct rm_opts, all), NULL, "all that are not used" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct rm_opts, force), NULL,
		"remove containers that use it, too" },
	{ 0 },
};

static const struct args_opt prune_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct prune_opts, all), NULL, "those with a name, too" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct prune_opts, force), NULL, "do not ask" },
	{ 0 },
};

const struct cli_verb cli_verbs_volume[] = {
	{ "volume create", "[OPTION]… [NAME]", "make a volume, print its name", create_table,
		sizeof(struct create_opts), 0, 1, false, run_create },
	{ "volume inspect", "[OPTION]… NAME…", "print everything about volumes", inspect_table,
		sizeof(struct inspect_opts), 1, -1, false, run_inspect },
	{ "volume ls", "[OPTION]…", "list volumes", ls_table, sizeof(struct ls_opts), 0, 0, false,
		run_ls },
	{ "volume prune", "[OPTION]…", "remove volumes that no container uses", prune_table,
		sizeof(struct prune_opts), 0, 0, false, run_prune },
	{ "volume rm", "[OPTION]… NAME…", "remove volumes", rm_table, sizeof(struct rm_opts), 0, -1,
		false, run_rm },
	{ 0 },
};
