/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-runtime: finds the verb, parses its options from its table, runs it, reports
 *
 * An error is one line on stderr, and one line in the log that --log names: engines read the whole
 * log as one object.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/oci_state.h"
#include "runtime/selfexe.h"

#include <fcntl.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

static const struct oci_verb *const verbs[] = { &oci_verb_create, &oci_verb_start, &oci_verb_run,
	&oci_verb_exec, &oci_verb_kill, &oci_verb_delete, &oci_verb_state, &oci_verb_list,
	&oci_verb_ps, &oci_verb_pause, &oci_verb_resume, &oci_verb_update, &oci_verb_events,
	&oci_verb_features, &oci_verb_spec };

#define OPT(name, letter, kind, field, meta, help)                                                 \
	{                                                                                          \
		name, letter, kind, offsetof(struct oci, field), meta, help                        \
	}

static const struct args_opt global_opts[] = {
	OPT("root", 0, ARGS_STRING, root, "DIR", "where the states of containers are"),
	OPT("log", 0, ARGS_STRING, log, "WHERE",
		"[file:]PATH, journald:ID or syslog:ID; errors go to stderr too"),
	OPT("log-format", 0, ARGS_STRING, log_format, "text|json", "of the log"),
	OPT("log-level", 0, ARGS_STRING, log_level, "LEVEL", "error, warning or debug"),
	OPT("debug", 0, ARGS_FLAG, debug, NULL, "say on stderr what is done"),
	OPT("cgroup-manager", 0, ARGS_STRING, cgroup_manager, "NAME", "cgroupfs or disabled"),
	OPT("systemd-cgroup", 0, ARGS_FLAG, systemd_cgroup, NULL, "cgroups by systemd"),
	OPT("rootless", 0, ARGS_STRING, rootless, "VALUE", "taken, without effect"),
	OPT("criu", 0, ARGS_STRING, criu, "PATH", "taken, without effect"),
	OPT("version", 'v', ARGS_FLAG, version, NULL, "print the version"),
	OPT("help", 'h', ARGS_FLAG, help, NULL, "print this"),
	{ 0 },
};

/* ---- reporting ---- */

static int log_json(FILE *f, const char *msg)
{
	struct timespec t;
	struct tm tm;
	char text[32], stamp[64];
	auto_json *doc = NULL;
	auto_free char *line = NULL;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	(void)gmtime_r(&t.tv_sec, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "%s.%09ldZ", text, (long)t.tv_nsec);
	doc = json_pack("{s:s, s:s, s:s}", "msg", msg, "level", "error", "time", stamp);
	line = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	return line && fprintf(f, "%s\n", line) > 0 ? 0 : -EIO;
}

static void log_error(const struct oci *o, const char *msg)
{
	const char *where = o->log;
	auto_file f = NULL;

	if (!where)
		return;
	if (str_starts(where, "syslog:") || str_starts(where, "journald:")) {
		openlog(strchr(where, ':') + 1, LOG_PID, LOG_DAEMON);
		syslog(LOG_ERR, "%s", msg);
		closelog();
		return;
	}
	f = fopen(str_starts(where, "file:") ? where + 5 : where, "ae");
	if (f && o->log_format && str_eq(o->log_format, "json"))
		(void)log_json(f, msg);
	else if (f)
		(void)fprintf(f, "%s\n", msg);
}

static int fail(const struct oci *o, const struct err *err, int code)
{
	err_print(err, "lamina-runtime");
	log_error(o, err->text);
	return code;
}

/* ---- help ---- */

static void print_opts(const struct args_opt *o)
{
	for (; o && o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : "",
			o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name,
			o->meta ? " " : "", o->meta ? o->meta : "");
		printf("  %-32s  %s\n", left, o->help);
	}
}

static void print_help(void)
{
	printf("usage: lamina-runtime [OPTION]… VERB [OPTION]… …\n\n");
	print_opts(global_opts);
	printf("\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s  %s\n", verbs[i]->name, verbs[i]->help);
	printf("\n'lamina-runtime VERB --help' tells more about one verb.\n");
}

static void print_verb_help(const struct oci_verb *v)
{
	printf("usage: lamina-runtime %s %s\n\n%s\n", v->name, v->synopsis, v->help);
	if (v->opts) {
		printf("\n");
		print_opts(v->opts);
	}
}

/* ---- running a verb ---- */

static const struct oci_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static bool wants_help(const struct oci_verb *v, char **argv, int n)
{
	for (int i = 0; i < n; i++) {
		if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h"))
			return true;
		if (str_eq(argv[i], "--") || (v->stop_at_positional && argv[i][0] != '-'))
			break;
	}
	return false;
}

static int run_verb(struct oci *o, const struct oci_verb *v, int argc, char **argv)
{
	auto_free char **pos = calloc((size_t)argc + 3, sizeof(*pos));
	auto_free void *opts = calloc(1, v->opts_bytes ? v->opts_bytes : 1);
	struct err err = ERR_INIT;
	int n, r;

	if (!pos || !opts)
		return fail(o, &err, err_set(&err, -ENOMEM, "cannot start") ? OCI_EXIT_FAILED : 0);
	n = args_parse(v->opts, opts, argc, argv, v->stop_at_positional, pos, &err);
	if (n >= 0 && (n < v->min_args || (v->max_args >= 0 && n > v->max_args)))
		n = err_say(&err, -EINVAL, "'%s' takes %s", v->name, v->synopsis);
	r = n;
	if (r >= 0)
		r = oci_root_open(o, &err);
	if (r >= 0)
		r = v->run(o, opts, pos, &err);
	args_done(v->opts, opts);
	cleanup_fd(&o->root_fd);
	return r < 0 ? fail(o, &err, v == &oci_verb_exec ? OCI_EXIT_EXEC : OCI_EXIT_FAILED) : r;
}

static int check_globals(struct oci *o, struct err *err)
{
	const char *manager = o->cgroup_manager;

	if (o->debug || (o->log_level && str_eq(o->log_level, "debug")))
		log_set_level(LOG_LEVEL_DEBUG);
	if (o->log_format && !str_eq(o->log_format, "json") && !str_eq(o->log_format, "text"))
		return err_say(
			err, -EINVAL, "--log-format is text or json, not '%s'", o->log_format);
	if (manager && !str_eq(manager, "cgroupfs") && !str_eq(manager, "systemd") &&
		!str_eq(manager, "disabled"))
		return err_say(err, -EINVAL, "unknown cgroup manager '%s'", manager);
	return 0;
}

/* Some write it with one dash. */
static void fix_argv(int argc, char **argv)
{
	static char no_subreaper[] = "--no-subreaper";

	for (int i = 1; i < argc; i++)
		if (str_eq(argv[i], "-no-subreaper"))
			argv[i] = no_subreaper;
}

int main(int argc, char **argv)
{
	auto_free char **pos = calloc((size_t)argc + 1, sizeof(*pos));
	struct oci o = { .root_fd = -1 };
	struct err err = ERR_INIT;
	const struct oci_verb *v;
	int n, r;

	if (!pos || fd_fill_standard() < 0)
		return OCI_EXIT_FAILED;
	fix_argv(argc, argv);
	n = args_parse(global_opts, &o, argc - 1, argv + 1, true, pos, &err);
	r = n < 0 ? n : check_globals(&o, &err);
	if (r < 0)
		return fail(&o, &err, OCI_EXIT_FAILED);
	if (o.version) {
		printf("lamina-runtime version " LAMINA_VERSION "\nspec: " OCI_SPEC_VERSION "\n");
		return 0;
	}
	if (n == 0 || o.help || str_eq(pos[0], "help")) {
		print_help();
		return n == 0 && !o.help ? OCI_EXIT_FAILED : 0;
	}
	v = find_verb(pos[0]);
	if (!v) {
		err_say(&err, -EINVAL, "unknown verb '%s'", pos[0]);
		err_hint(&err, -EINVAL, "lamina-runtime --help");
		return fail(&o, &err, OCI_EXIT_FAILED);
	}
	if (wants_help(v, pos + 1, n - 1)) {
		print_verb_help(v);
		return 0;
	}
	if (v == &oci_verb_create || v == &oci_verb_run || v == &oci_verb_exec) {
		r = selfexe_protect(argv, &err);
		if (r < 0)
			return fail(&o, &err, OCI_EXIT_FAILED);
	}
	return run_verb(&o, v, n - 1, pos + 1);
}
