/* SPDX-License-Identifier: Apache-2.0 */
/* lamina-runtime state, list, ps */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "runtime/cgroup.h"
#include "runtime/oci_cgroup.h"
#include "runtime/oci_state.h"
#include "runtime/spec_json.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

struct list_opts {
	const char *format;
	bool quiet;
};

static const struct args_opt list_opts[] = {
	{ "format", 'f', ARGS_STRING, offsetof(struct list_opts, format), "table|json",
		"how to print" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct list_opts, quiet), NULL, "ids alone" },
	{ 0 },
};

static const struct args_opt ps_opts[] = {
	{ "format", 'f', ARGS_STRING, offsetof(struct list_opts, format), "table|json",
		"how to print" },
	{ 0 },
};

static int print_json(const json_t *doc, struct err *err)
{
	auto_buf text = { 0 };

	if (!doc || spec_json_dump(doc, &text) < 0)
		return err_set(err, -ENOMEM, "cannot print");
	if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout) != 0)
		return err_set(err, -errno, "cannot print");
	return 0;
}

static int check_format(const char *format, bool *ret_json, struct err *err)
{
	*ret_json = format && str_eq(format, "json");
	if (format && !*ret_json && !str_eq(format, "table"))
		return err_say(err, -EINVAL, "--format is table or json, not '%s'", format);
	return 0;
}

/* ---- state ---- */

static int run_state(struct oci *o, void *opts, char **args, struct err *err)
{
	auto_oci_state s = OCI_STATE_INIT;
	struct err ignored = ERR_INIT;
	auto_spec *spec = NULL;
	auto_json *doc = NULL;
	int r = oci_state_read(o, args[0], &s, err);

	if (r < 0)
		return r;
	(void)oci_state_config(&s, &spec, &ignored); /* for its annotations */
	doc = oci_state_json(&s, spec, CTR_MAX_);
	return print_json(doc, err);
}

/* ---- list ---- */

static void print_row(const struct oci_state *s)
{
	printf("%-16s %-8d %-9s %-40s %-31s %s\n", s->id,
		s->status == CTR_STOPPED ? 0 : (int)s->init.pid, state_name(s->status), s->bundle,
		s->created, s->owner);
}

static int run_list(struct oci *o, void *opts, char **args, struct err *err)
{
	const struct list_opts *given = opts;
	auto_json *all = json_array();
	auto_strv ids = { 0 };
	bool json;
	int r = check_format(given->format, &json, err);

	if (r < 0)
		return r;
	r = oci_state_list(o, &ids);
	if (r < 0)
		return err_set(err, r, "cannot list the containers");
	if (!json && !given->quiet)
		printf("%-16s %-8s %-9s %-40s %-31s %s\n", "ID", "PID", "STATUS", "BUNDLE",
			"CREATED", "OWNER");
	for (size_t i = 0; i < ids.n; i++) {
		auto_oci_state s = OCI_STATE_INIT;
		struct err why = ERR_INIT;

		/* Gone since, or being made: neither is a failure. */
		r = oci_state_read(o, ids.v[i], &s, &why);
		if (r < 0) {
			if (r != -ENOENT)
				log_warning("oci", "%s", why.text);
			continue;
		}
		if (given->quiet)
			printf("%s\n", s.id);
		else if (json)
			(void)json_array_append_new(all, oci_state_json(&s, NULL, CTR_MAX_));
		else
			print_row(&s);
	}
	return json && !given->quiet ? print_json(all, err) : 0;
}

/* ---- ps ---- */

struct pids {
	pid_t *v;
	size_t n;
};

static int add_pid(struct pids *p, pid_t pid)
{
	pid_t *more = reallocarray(p->v, p->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->v = more;
	more[p->n++] = pid;
	return 0;
}

static ino_t pidns_of(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Without a cgroup: who is in the pid namespace of the first process, if it has one of its own. */
static int find_by_pidns(pid_t init, struct pids *p)
{
	char text[16];
	DIR *dir = opendir("/proc");
	struct dirent *e;
	ino_t want;
	int r = 0;

	snprintf(text, sizeof(text), "%d", (int)init);
	want = pidns_of(text);
	if (!dir || want == 0 || want == pidns_of("self")) {
		if (dir)
			(void)closedir(dir);
		return add_pid(p, init);
	}
	while (r >= 0 && (e = readdir(dir))) {
		uint64_t pid;

		if (str_to_u64(e->d_name, INT32_MAX, &pid) == 0 && pidns_of(e->d_name) == want)
			r = add_pid(p, (pid_t)pid);
	}
	(void)closedir(dir);
	return r;
}

static int find_pids(const struct oci_state *s, struct pids *p, struct err *err)
{
	auto_fd cgroup = oci_cgroup_open(s);
	int r = s->status == CTR_STOPPED ? 0
		: cgroup >= 0		 ? cgroup_pids(cgroup, &p->v, &p->n)
					 : find_by_pidns(s->init.pid, p);

	return r < 0 ? err_set(err, r, "cannot list the processes") : 0;
}

static bool has_pid(const struct pids *p, const char *line)
{
	for (size_t i = 0; i < p->n; i++)
		if ((long)p->v[i] == strtol(line, NULL, 10))
			return true;
	return false;
}

static int start_ps(char **words, struct proc_run *ret)
{
	auto_strv argv = { 0 };
	int r = strv_add(&argv, "ps");

	if (r >= 0 && !words[0])
		r = strv_add(&argv, "-ef");
	for (; r >= 0 && *words; words++)
		r = strv_add(&argv, *words);
	return r < 0 ? r : proc_run_start(ret, (const char *const *)argv.v);
}

/* ps(1) prints, we choose its lines: by the column that its header calls PID. */
static int print_lines(const struct pids *p, FILE *f, struct err *err)
{
	char line[4096];
	const char *column;
	size_t end;

	if (!fgets(line, sizeof(line), f))
		return err_say(err, -EIO, "'ps' printed nothing");
	column = strstr(line, "PID");
	if (!column)
		return err_say(err, -EINVAL, "'ps' was told not to print pids");
	/* Its numbers end below the end of their heading. */
	end = (size_t)(column - line) + strlen("PID");
	printf("%s", line);
	while (fgets(line, sizeof(line), f)) {
		size_t at = end < strlen(line) ? end : strlen(line);

		while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9')
			at--;
		if (has_pid(p, line + at))
			printf("%s", line);
	}
	return 0;
}

static int print_table(const struct pids *p, char **words, struct err *err)
{
	auto_file f = NULL;
	char text[64];
	struct proc_run run;
	int r = start_ps(words, &run);

	if (r < 0)
		return err_set(err, r, "cannot run 'ps'");
	f = fdopen(dup(run.out_fd), "r");
	r = f ? print_lines(p, f, err) : err_set(err, -errno, "cannot read from 'ps'");
	(void)proc_run_wait(&run, text, sizeof(text));
	return r;
}

static int run_ps(struct oci *o, void *opts, char **args, struct err *err)
{
	const struct list_opts *given = opts;
	auto_oci_state s = OCI_STATE_INIT;
	auto_json *list = json_array();
	struct pids p = { 0 };
	bool json;
	int r = check_format(given->format, &json, err);

	if (r >= 0)
		r = oci_state_read(o, args[0], &s, err);
	if (r >= 0)
		r = find_pids(&s, &p, err);
	for (size_t i = 0; r >= 0 && i < p.n; i++)
		(void)json_array_append_new(list, json_integer(p.v[i]));
	if (r >= 0)
		r = json ? print_json(list, err) : print_table(&p, args + 1, err);
	free(p.v);
	return r;
}

const struct oci_verb oci_verb_state = { "state", "ID", "what a container is, as JSON", NULL, 0, 1,
	1, false, run_state };
const struct oci_verb oci_verb_list = { "list", "[OPTION]…", "all containers", list_opts,
	sizeof(struct list_opts), 0, 0, false, run_list };
const struct oci_verb oci_verb_ps = { "ps", "[OPTION]… ID [PS-OPTION]…",
	"the processes of a container", ps_opts, sizeof(struct list_opts), 1, -1, true, run_ps };
