/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: ps. */
#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/cli/ctl.h"
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

/* ---- filters ---- */

typedef bool filter(const struct control_ctr *c, const char *value);

static bool by_name(const struct control_ctr *c, const char *value)
{
	return strstr(c->record.name, value);
}

static bool by_id(const struct control_ctr *c, const char *value)
{
	return str_starts(c->record.id, value);
}

static bool by_status(const struct control_ctr *c, const char *value)
{
	return str_eq(state_word(c->record.state), value) ||
	       str_eq(state_name(c->record.state), value);
}

static bool by_exit_code(const struct control_ctr *c, const char *value)
{
	uint64_t code;

	return c->record.state == CTR_STOPPED && str_to_u64(value, 255, &code) == 0 &&
	       c->record.exit_code == (int)code;
}

/* "NAME" or "NAME=VALUE" */
static bool by_label(const struct control_ctr *c, const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < c->opts.labels.n; i++) {
		const char *label = c->opts.labels.v[i];

		if (str_eq(label, value))
			return true;
		if (!strchr(value, '=') && str_starts(label, value) && label[n] == '=')
			return true;
	}
	return false;
}

static bool by_ancestor(const struct control_ctr *c, const char *value)
{
	const char *image = c->record.image ? c->record.image : "";
	const char *id = c->record.image_id ? c->record.image_id : "";
	const char *at = strstr(image, value);

	if (strchr(id, ':') && str_starts(strchr(id, ':') + 1, value))
		return true;
	/* "demo", "demo:latest" and "localhost/demo" are all "localhost/demo:latest". */
	return at && (at == image || at[-1] == '/') &&
	       (at[strlen(value)] == '\0' || at[strlen(value)] == ':');
}

static bool by_volume(const struct control_ctr *c, const char *value)
{
	return strv_has(&c->opts.volumes, value);
}

static bool by_network(const struct control_ctr *c, const char *value)
{
	return str_starts(c->opts.network ? c->opts.network : "slirp", value);
}

static const struct {
	const char *key;
	filter *matches;
} filters[] = { { "name", by_name }, { "id", by_id }, { "status", by_status },
	{ "exited", by_exit_code }, { "label", by_label }, { "ancestor", by_ancestor },
	{ "volume", by_volume }, { "network", by_network } };

static int find_filter(const char *text, size_t *ret, const char **ret_value, struct err *err)
{
	size_t n = strcspn(text, "=");

	for (*ret = 0; *ret < ARRAY_SIZE(filters); ++*ret)
		if (strlen(filters[*ret].key) == n && text[n] == '=' &&
			memcmp(filters[*ret].key, text, n) == 0) {
			*ret_value = text + n + 1;
			return 0;
		}
	return err_say(err, -EINVAL,
		"filter '%.64s' is not name, id, status, exited, label, ancestor, volume or "
		"network, =, and a value",
		text);
}

/* Of one key any may match, of different keys all must. */
static bool is_wanted(const struct ps_opts *o, const struct control_ctr *c)
{
	bool asked[ARRAY_SIZE(filters)] = { 0 }, matched[ARRAY_SIZE(filters)] = { 0 };

	for (size_t i = 0; i < o->filter.n; i++) {
		const char *value;
		size_t f;

		if (find_filter(o->filter.v[i], &f, &value, NULL) < 0)
			return false;
		asked[f] = true;
		matched[f] |= filters[f].matches(c, value);
	}
	for (size_t f = 0; f < ARRAY_SIZE(filters); f++)
		if (asked[f] && !matched[f])
			return false;
	return true;
}

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

/* Who names a state, or an exit code, means those that do not run, too. */
static bool asks_for_state(const struct ps_opts *o)
{
	for (size_t i = 0; i < o->filter.n; i++)
		if (str_starts(o->filter.v[i], "status=") || str_starts(o->filter.v[i], "exited="))
			return true;
	return false;
}

static int load(struct ctl *ctl, const struct ps_opts *o, struct list *ret, struct err *err)
{
	bool any = o->all || o->last || o->latest || asks_for_state(o);
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
		if ((any || state_is_live(c->record.state)) && is_wanted(o, c))
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
	const char *value;
	struct ctl ctl;
	size_t which;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < o->filter.n; i++)
		r = find_filter(o->filter.v[i], &which, &value, &err);
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
