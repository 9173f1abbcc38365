/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: ps, rm. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/record.h"
#include "runtime/userns.h"

#include <signal.h>
#include <time.h>

static void close_store(struct img_store **s)
{
	img_store_close(*s);
}
#define auto_store __attribute__((cleanup(close_store))) struct img_store

struct ps_opts {
	bool all, json, quiet, no_trunc;
};

static const struct args_opt ps_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct ps_opts, all), NULL, "those that ended too" },
	{ "json", 0, ARGS_FLAG, offsetof(struct ps_opts, json), NULL, "print JSON" },
	{ "no-trunc", 0, ARGS_FLAG, offsetof(struct ps_opts, no_trunc), NULL, "print whole ids" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct ps_opts, quiet), NULL, "print ids alone" },
	{ 0 },
};

/* "Up 5 minutes", "Exited (0) 2 hours ago" */
static void describe_status(const struct record *r, time_t now, char *ret, size_t size)
{
	static const struct {
		int64_t secs;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int64_t since = r->state == CTR_STOPPED ? r->finished_s : r->created_s;
	int64_t age = now > since ? now - since : 0, n = 0;
	size_t u = 0;

	while (u + 1 < ARRAY_SIZE(units) && age < units[u].secs)
		u++;
	n = age / units[u].secs;
	if (r->state != CTR_STOPPED)
		snprintf(ret, size, "Up %lld %s%s", (long long)n, units[u].name, n == 1 ? "" : "s");
	else if (r->exit_code < 0 || !r->finished_s)
		snprintf(ret, size, "Exited (unknown)");
	else
		snprintf(ret, size, "Exited (%d) %lld %s%s ago", r->exit_code, (long long)n,
			units[u].name, n == 1 ? "" : "s");
}

static int add_json(json_t *list, const struct record *r)
{
	json_t *j = json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:i, s:i, s:I}", "id", r->id,
		"name", r->name, "image", r->image, "imageId", r->image_id, "command", r->command,
		"status", state_name(r->state), "pid",
		r->state < CTR_STOPPED ? (int)r->init.pid : 0, "exitCode", r->exit_code, "created",
		(json_int_t)r->created_s);

	return j && json_array_append_new(list, j) == 0 ? 0 : -ENOMEM;
}

static void print_row(const struct ps_opts *o, const struct record *r, time_t now)
{
	int id_len = o->no_trunc ? CTR_ID_LEN : CTR_SHORT_ID_LEN;
	auto_free char *command = r->command ? str_quote(r->command, strlen(r->command)) : NULL;
	char status[64];

	if (o->quiet) {
		printf("%.*s\n", id_len, r->id);
		return;
	}
	describe_status(r, now, status, sizeof(status));
	printf("%-*.*s  %-28s  %-24.24s  %-26s  %s\n", id_len, id_len, r->id,
		r->image ? r->image : "-", command ? command : "", status, r->name ? r->name : "");
}

static int print_containers(int store_fd, const struct ps_opts *o, struct err *err)
{
	auto_json *list = json_array();
	auto_strv ids = { 0 };
	time_t now = time(NULL);
	int r;

	r = record_list(store_fd, &ids, err);
	if (r < 0)
		return r;
	if (!o->json && !o->quiet)
		printf("%-*s  %-28s  %-24s  %-26s  %s\n",
			o->no_trunc ? CTR_ID_LEN : CTR_SHORT_ID_LEN, "ID", "IMAGE", "COMMAND",
			"STATUS", "NAME");
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		struct err why = ERR_INIT;
		struct record rec;
		int read = record_read(store_fd, ids.v[i], &rec, &why);

		/* One that is being made, or removed, is none. */
		if (read < 0 && read != -ENOENT)
			log_warning("ps", "%s", why.text);
		if (read < 0)
			continue;
		if (o->all || rec.state < CTR_STOPPED) {
			if (o->json)
				r = add_json(list, &rec);
			else
				print_row(o, &rec, now);
		}
		record_done(&rec);
	}
	if (r < 0)
		return err_set(err, r, "cannot list the containers");
	if (o->json && (json_dumpf(list, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0))
		return err_set(err, -EIO, "cannot print the list");
	return 0;
}

static int run_ps(struct cli *cli, void *opts, int argc, char **argv)
{
	auto_store *store = NULL;
	struct err err = ERR_INIT;

	if (img_store_open(&store, cli->root, &err) < 0 ||
		print_containers(img_store_dirfd(store), opts, &err) < 0)
		return cli_fail(&err);
	return 0;
}

struct rm_opts {
	bool force, all;
};

static const struct args_opt rm_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct rm_opts, all), NULL, "all that have ended" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct rm_opts, force), NULL,
		"end those that run; no error if there is none" },
	{ 0 },
};

/* Kill the first process and wait for the monitor, which ends soon after it. */
static void end_container(const struct record *rec)
{
	auto_fd init = proc_open(&rec->init);
	auto_fd monitor = proc_open(&rec->monitor);

	if (init >= 0)
		(void)proc_kill(init, SIGKILL);
	if (monitor >= 0)
		(void)proc_wait(monitor);
}

static int remove_one(int store_fd, const char *ref, const struct rm_opts *o, struct err *err)
{
	struct ctr_dir d = CTR_DIR_INIT;
	char id[CTR_ID_LEN + 1];
	struct record rec;
	int r;

	r = record_find(store_fd, ref, id, err);
	if (r < 0)
		return r == -ENOENT && o->force ? 0 : r;
	r = record_read(store_fd, id, &rec, err);
	if (r == -ENOENT && o->force)
		return 0; /* it is being made, or removed */
	if (r < 0 && !o->force)
		return r == -ENOENT ? r : err_hint(err, r, "lamina rm --force %s", ref);
	/* Whether it lives, its lock says; the name goes when another wants it. */
	if (r < 0)
		rec = (struct record){ .state = CTR_STOPPED };
	if (rec.state < CTR_STOPPED && o->force)
		end_container(&rec);
	r = ctr_dir_take(store_fd, id, &d, err);
	if (r == -ENOENT && o->force)
		r = 0; /* it removed itself */
	else if (r >= 0)
		r = ctr_dir_remove(&d, rec.name, err);
	if (r == -EBUSY)
		err_hint(err, r, "lamina rm --force %s", ref);
	record_done(&rec);
	ctr_dir_close(&d);
	return r;
}

static int remove_all(int store_fd, const struct rm_opts *o, struct err *err)
{
	auto_strv ids = { 0 };
	int ret;

	ret = record_list(store_fd, &ids, err);
	for (size_t i = 0; i < ids.n; i++) {
		struct err why = ERR_INIT;
		int r = remove_one(store_fd, ids.v[i], o, &why);

		/* It runs, is being made, or removed itself. */
		if (r == -EBUSY || r == -ENOENT || r >= 0 || ret < 0)
			continue;
		ret = r;
		*err = why;
	}
	return ret;
}

static int run_rm(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct rm_opts *o = opts;
	struct userns ns = USERNS_INIT;
	auto_store *store = NULL;
	struct err err = ERR_INIT;
	int code = 0;

	if (argc == 0 && !o->all) {
		err_say(&err, -EINVAL, "no container was named");
		err_hint(&err, -EINVAL, "lamina rm --all");
		return cli_fail(&err);
	}
	/* What a container wrote may belong to subordinate ids. */
	if (img_store_open(&store, cli->root, &err) < 0 || userns_enter(&ns, &err) < 0)
		return cli_fail(&err);
	record_sweep(img_store_dirfd(store));
	if (o->all && remove_all(img_store_dirfd(store), o, &err) < 0)
		code = cli_fail(&err);
	for (int i = 0; i < argc; i++) {
		if (remove_one(img_store_dirfd(store), argv[i], o, &err) < 0) {
			err_wrap(&err, -EIO, "cannot remove '%s'", argv[i]);
			code = cli_fail(&err);
		} else {
			printf("%s\n", argv[i]);
		}
	}
	userns_leave(&ns);
	return code;
}

const struct cli_verb cli_verbs_ps[] = {
	{ "ps", "[--all]", "list containers", ps_table, sizeof(struct ps_opts), 0, 0, false,
		run_ps },
	{ "rm", "[--force] CONTAINER…", "remove containers", rm_table, sizeof(struct rm_opts), 0,
		-1, false, run_rm },
	{ 0 },
};
