/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: ps. */
#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/ctrfilter.h"
#include "runtime/cli/out.h"
#include "runtime/describe.h"

#include <stdlib.h>
#include <time.h>

struct ps_opts {
	bool all, json, quiet, no_trunc, latest;
	const char *format;
	uint64_t last;
	struct strv filter;
};

static const struct args_opt ps_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct ps_opts, all), NULL, "those that ended too" },
	{ "filter", 'f', ARGS_LIST, offsetof(struct ps_opts, filter), "KEY=VALUE",
		"name, id, status, exited, label, ancestor, volume or network" },
	{ "format", 0, ARGS_STRING, offsetof(struct ps_opts, format), "TEMPLATE",
		"a line for each: '{{.ID}} {{.Names}}', 'table …', or json" },
	{ "json", 0, ARGS_FLAG, offsetof(struct ps_opts, json), NULL, "print JSON" },
	{ "last", 'n', ARGS_U64, offsetof(struct ps_opts, last), "N",
		"the N newest, in any state" },
	{ "latest", 'l', ARGS_FLAG, offsetof(struct ps_opts, latest), NULL,
		"the newest, in any state" },
	{ "no-trunc", 0, ARGS_FLAG, offsetof(struct ps_opts, no_trunc), NULL, "print whole ids" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct ps_opts, quiet), NULL, "print ids alone" },
	{ 0 },
};

/* ---- the list ---- */

struct list {
	struct control_ctr *v;
	size_t n;
};

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		control_ctr_done(&l->v[i]);
	free(l->v);
}

static int newest_first(const void *a, const void *b)
{
	const struct control_ctr *x = a, *y = b;

	if (x->record.created_ns != y->record.created_ns)
		return x->record.created_ns < y->record.created_ns ? 1 : -1;
	return strcmp(x->record.id, y->record.id);
}

static int load(struct ctl *ctl, const struct ps_opts *o, struct list *ret, struct err *err)
{
	bool any = o->all || o->last || o->latest || ctrfilter_asks_for_state(&o->filter);
	auto_strv ids = { 0 };
	int r = record_list(ctl->c.store_fd, &ids, err);

	if (r < 0)
		return r;
	ret->v = calloc(ids.n + 1, sizeof(*ret->v));
	if (!ret->v)
		return err_set(err, -ENOMEM, "cannot list the containers");
	for (size_t i = 0; i < ids.n; i++) {
		struct control_ctr *c = &ret->v[ret->n];
		struct err why = ERR_INIT;

		r = control_open(&ctl->c, ids.v[i], c, &why);
		/* One that is being made, or removed, is none. */
		if (r < 0 && r != -ENOENT)
			log_warning("ps", "%s", why.text);
		if (r < 0)
			continue;
		if ((any || state_is_live(c->record.state)) && ctrfilter_matches(&o->filter, c))
			ret->n++;
		else
			control_ctr_done(c);
	}
	qsort(ret->v, ret->n, sizeof(*ret->v), newest_first);
	return 0;
}

/* The object of --json; its keys are older than --format, and stay. */
static json_t *json_of(const struct control_ctr *c)
{
	const struct record *r = &c->record;
	json_t *j = json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:i, s:i, s:I}", "id", r->id,
		"name", r->name, "image", r->image, "imageId", r->image_id, "command", r->command,
		"status", state_name(r->state), "pid",
		state_is_live(r->state) ? (int)r->init.pid : 0, "exitCode", r->exit_code, "created",
		(json_int_t)r->created_s);
	json_t *labels = describe_labels(&c->opts.labels);

	(void)json_object_set_new(j, "labels", labels ? labels : json_object());
	return j;
}

/* A table for people has short ids, and commands without control characters that end somewhere. */
static int shorten(json_t *row, const struct ps_opts *o)
{
	const char *command = json_get_str(row, "Command");
	auto_free char *quoted = command ? str_quote(command, strlen(command)) : NULL;
	size_t len = quoted ? strlen(quoted) : 0, max = o->no_trunc ? len : 24;

	if (!o->no_trunc && json_object_set_new(row, "ID",
				    json_stringn(json_get_str(row, "ID"), CTR_SHORT_ID_LEN)) < 0)
		return -ENOMEM;
	/* Not in the middle of a character. */
	if (max > len)
		max = len;
	while (quoted && max > 0 && max < len && ((unsigned char)quoted[max] & 0xc0) == 0x80)
		max--;
	return quoted ? json_object_set_new(row, "Command", json_stringn(quoted, max)) : 0;
}

static int add_row(json_t *rows, const struct control_ctr *c, const struct ps_opts *o, time_t now)
{
	json_t *row = o->json ? json_of(c) : describe_row(c, now);
	bool people = !o->json && !(o->format && str_eq(o->format, "json"));

	if (!row || (people && shorten(row, o) < 0)) {
		json_decref(row);
		return -ENOMEM;
	}
	return json_array_append_new(rows, row) < 0 ? -ENOMEM : 0;
}

static const char *format_of(const struct ps_opts *o)
{
	if (o->json)
		return "json";
	if (o->quiet)
		return "{{.ID}}";
	return o->format ? o->format
			 : "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.Status}}\t{{.Ports}}\t"
			   "{{.Names}}";
}

static int print(struct ctl *ctl, const struct ps_opts *o, struct err *err)
{
	uint64_t max = o->latest ? 1 : o->last ? o->last : UINT64_MAX;
	auto_json *rows = json_array();
	struct list list = { 0 };
	time_t now = time(NULL);
	int r;

	r = load(ctl, o, &list, err);
	for (size_t i = 0; r >= 0 && i < list.n && i < max; i++)
		if (add_row(rows, &list.v[i], o, now) < 0)
			r = err_set(err, -ENOMEM, "cannot list the containers");
	list_done(&list);
	return r < 0 ? r : out_rows(rows, format_of(o), err);
}

static int run_ps(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct ps_opts *o = opts;
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r = ctrfilter_check(&o->filter, &err);

	if (r < 0)
		return cli_fail(&err);
	r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0)
		r = print(&ctl, o, &err);
	ctl_close(&ctl);
	return r < 0 ? cli_fail(&err) : 0;
}

const struct cli_verb cli_verbs_ps[] = {
	{ "ps", "[OPTION]…", "list containers", ps_table, sizeof(struct ps_opts), 0, 0, false,
		run_ps },
	{ 0 },
};
