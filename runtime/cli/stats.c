/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: stats. */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/out.h"
#include "runtime/cli/progress.h"
#include "runtime/ctrstats.h"

#include <inttypes.h>
#include <poll.h>
#include <time.h>

#define INTERVAL_S     5
#define MAX_INTERVAL_S 3600
#define TABLE                                                                                      \
	"table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t"        \
	"{{.BlockIO}}\t{{.PIDs}}\t{{.CPUTime}}"

struct stats_opts {
	bool all, no_stream, json, no_trunc, no_reset;
	const char *format, *interval;
};

/* A container at the look before. */
struct last {
	char id[CTR_ID_LEN + 1];
	uint64_t cpu_ns, at_ns;
};

struct look {
	const struct stats_opts *o;
	struct ctl ctl;
	struct strv refs; /* none: all that run */
	struct last *last;
	size_t n_last;
	bool told; /* where the numbers come from */
};

static uint64_t now_ns(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Since the last look; at the first one, since the start. */
static double cpu_percent(struct look *l, const struct record *r, const struct ctrstats *s)
{
	struct last *e = NULL, *v;
	uint64_t now = now_ns();
	double percent;

	for (size_t i = 0; i < l->n_last && !e; i++)
		if (str_eq(l->last[i].id, r->id))
			e = &l->last[i];
	if (e) {
		uint64_t passed = now > e->at_ns ? now - e->at_ns : 1;

		percent = s->cpu_ns > e->cpu_ns
				  ? (double)(s->cpu_ns - e->cpu_ns) * 100 / (double)passed
				  : 0;
	} else {
		time_t secs = time(NULL) - r->started_s;

		percent = (double)s->cpu_ns / 1e7 / (double)(secs > 0 ? secs : 1);
		v = reallocarray(l->last, l->n_last + 1, sizeof(*v));
		if (!v)
			return percent;
		l->last = v;
		e = &v[l->n_last++];
		snprintf(e->id, sizeof(e->id), "%s", r->id);
	}
	e->cpu_ns = s->cpu_ns;
	e->at_ns = now;
	return percent;
}

static json_t *pair_of(uint64_t a, uint64_t b)
{
	char x[PROGRESS_BYTES_BYTES], y[PROGRESS_BYTES_BYTES];

	progress_bytes(a, x);
	progress_bytes(b, y);
	return json_sprintf("%s / %s", x, y);
}

static json_t *percent_of(double percent)
{
	return json_sprintf("%.2f%%", percent);
}

/* For templates; with --format json the keys are podman's. */
static json_t *row_of(
	struct look *l, const struct record *r, const struct ctrstats *s, bool as_json)
{
	static const char *const ours[] = { "ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO",
		"BlockIO", "PIDs", "CPUTime", "Source" };
	static const char *const json[] = { "id", "name", "cpu_percent", "mem_usage", "mem_percent",
		"net_io", "block_io", "pids", "cpu_time", "source" };
	const char *const *k = as_json ? json : ours;
	double memory = s->memory_limit ? (double)s->memory * 100 / (double)s->memory_limit : 0;

	return json_pack("{s:s%, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:s}", k[0], r->id,
		(size_t)(l->o->no_trunc || as_json ? CTR_ID_LEN : CTR_SHORT_ID_LEN), k[1], r->name,
		k[2], percent_of(cpu_percent(l, r, s)), k[3], pair_of(s->memory, s->memory_limit),
		k[4], percent_of(memory), k[5], pair_of(s->net_in, s->net_out), k[6],
		pair_of(s->block_in, s->block_out), k[7], (json_int_t)s->n_tasks, k[8],
		json_sprintf("%.2fs", (double)s->cpu_ns / 1e9), k[9],
		s->from_cgroup ? "cgroup" : "processes");
}

static int add_one(struct look *l, const char *ref, bool must_run, json_t *rows, struct err *err)
{
	bool as_json = l->o->json || (l->o->format && str_eq(l->o->format, "json"));
	auto_control_ctr c = { 0 };
	struct ctrstats s;
	int r = control_open(&l->ctl.c, ref, &c, err);

	if (r >= 0 && !state_is_live(c.record.state))
		r = err_say(err, -ESRCH, "container '%s' is not running", c.record.name);
	if (r >= 0)
		r = ctrstats_load(&c.record, &s, err);
	if (r < 0)
		return !must_run && (r == -ESRCH || r == -ENOENT) ? 0 : r;
	if (!s.from_cgroup && !l->told) {
		fprintf(stderr,
			"lamina: no cgroup counts for '%s': these are sums over the "
			"processes that live now\n",
			c.record.name);
		l->told = true;
	}
	return json_array_append_new(rows, row_of(l, &c.record, &s, as_json)) < 0
		       ? err_set(err, -ENOMEM, "cannot print the list")
		       : 0;
}

static int print_once(struct look *l, struct err *err)
{
	const char *format = l->o->json ? "json" : l->o->format ? l->o->format : TABLE;
	auto_json *rows = json_array();
	auto_strv all = { 0 };
	const struct strv *refs = l->refs.n ? &l->refs : &all;
	int r = 0;

	if (!l->refs.n)
		r = record_list(l->ctl.c.store_fd, &all, err);
	for (size_t i = 0; r >= 0 && i < refs->n; i++)
		r = add_one(l, refs->v[i], l->refs.n > 0, rows, err);
	if (r >= 0 && !l->o->no_stream && !l->o->no_reset && isatty(STDOUT_FILENO))
		printf("\033[2J\033[H");
	if (r >= 0)
		r = out_rows(rows, format, err);
	if (r >= 0 && fflush(stdout) != 0)
		r = err_set(err, -errno, "cannot print the list");
	return r;
}

static int parse_interval(const struct stats_opts *o, int *ret_ms, struct err *err)
{
	uint64_t secs = INTERVAL_S;

	if (o->interval && (str_to_u64(o->interval, MAX_INTERVAL_S, &secs) < 0 || secs == 0))
		return err_say(err, -EINVAL, "--interval takes seconds, 1 to %d, not '%s'",
			MAX_INTERVAL_S, o->interval);
	*ret_ms = (int)secs * 1000;
	return 0;
}

static int run_stats(struct cli *cli, void *opts, int argc, char **argv)
{
	struct look l = { .o = opts, .ctl = CTL_INIT };
	struct err err = ERR_INIT;
	int interval_ms = 0, r = parse_interval(l.o, &interval_ms, &err);

	for (int i = 0; r >= 0 && i < argc; i++)
		r = strv_add(&l.refs, argv[i]);
	if (r >= 0)
		r = ctl_open(&l.ctl, cli, CTL_ENTER, &err);
	if (r >= 0)
		r = print_once(&l, &err);
	while (r >= 0 && !l.o->no_stream) {
		(void)poll(NULL, 0, interval_ms);
		r = print_once(&l, &err);
		/* Those that were named have ended. */
		if (r == -ESRCH || r == -ENOENT) {
			r = 0;
			break;
		}
	}
	ctl_close(&l.ctl);
	strv_done(&l.refs);
	free(l.last);
	if (r >= 0)
		return 0;
	err_wrap(&err, r, "cannot tell what containers use");
	return cli_fail(&err);
}

static const struct args_opt stats_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct stats_opts, all), NULL,
		"taken, without effect: others than those that run use nothing" },
	{ "format", 0, ARGS_STRING, offsetof(struct stats_opts, format), "TEMPLATE",
		"a line for each: '{{.Name}} {{.CPUPerc}}', 'table …', or json" },
	{ "interval", 'i', ARGS_STRING, offsetof(struct stats_opts, interval), "SECONDS",
		"between two looks; 5" },
	{ "json", 0, ARGS_FLAG, offsetof(struct stats_opts, json), NULL, "print JSON" },
	{ "no-reset", 0, ARGS_FLAG, offsetof(struct stats_opts, no_reset), NULL,
		"do not clear the screen" },
	{ "no-stream", 0, ARGS_FLAG, offsetof(struct stats_opts, no_stream), NULL,
		"look once, and end" },
	{ "no-trunc", 0, ARGS_FLAG, offsetof(struct stats_opts, no_trunc), NULL,
		"print whole ids" },
	{ 0 },
};

const struct cli_verb cli_verbs_stats[] = {
	{ "stats", "[OPTION]… [CONTAINER]…", "tell what running containers use", stats_table,
		sizeof(struct stats_opts), 0, -1, false, run_stats },
	{ 0 },
};
