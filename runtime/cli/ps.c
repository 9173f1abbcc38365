/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: ps. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/record.h"

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
	int64_t since = r->state == CTR_STOPPED	  ? r->finished_s
			: state_is_live(r->state) ? r->started_s
						  : r->created_s;
	int64_t age = now > since ? now - since : 0, n = 0;
	size_t u = 0;

	while (u + 1 < ARRAY_SIZE(units) && age < units[u].secs)
		u++;
	n = age / units[u].secs;
	if (r->state == CTR_CONFIGURED)
		snprintf(ret, size, "Created");
	else if (r->state == CTR_CREATED)
		snprintf(ret, size, "Initialized");
	else if (r->state != CTR_STOPPED)
		snprintf(ret, size, "Up %lld %s%s%s", (long long)n, units[u].name,
			n == 1 ? "" : "s", r->state == CTR_PAUSED ? " (Paused)" : "");
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
		state_is_live(r->state) ? (int)r->init.pid : 0, "exitCode", r->exit_code, "created",
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
		if (o->all || state_is_live(rec.state)) {
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

const struct cli_verb cli_verbs_ps[] = {
	{ "ps", "[--all]", "list containers", ps_table, sizeof(struct ps_opts), 0, 0, false,
		run_ps },
	{ 0 },
};
