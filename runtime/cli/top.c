/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: top. */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/out.h"
#include "runtime/inroot.h"
#include "runtime/procs.h"
#include "runtime/userdb.h"

#include <inttypes.h>
#include <sys/sysmacros.h>
#include <time.h>

/* What is looked at. */
struct top {
	struct ctl ctl;
	struct control_ctr ctr;
	struct spec *spec;
	struct procs procs;
	char *passwd, *group; /* of the container; NULL: none */
	size_t passwd_len, group_len;
	double now_ticks; /* since boot */
};

/* ---- columns ---- */

static double ticks_per_second(void)
{
	return (double)sysconf(_SC_CLK_TCK);
}

/* "1h2m3s", as Go prints durations. */
static char *duration(double seconds)
{
	uint64_t s = seconds > 0 ? (uint64_t)seconds : 0;

	if (s >= 3600)
		return str_format("%" PRIu64 "h%um%us", s / 3600, (unsigned int)(s / 60 % 60),
			(unsigned int)(s % 60));
	return s >= 60 ? str_format("%um%us", (unsigned int)(s / 60), (unsigned int)(s % 60))
		       : str_format("%us", (unsigned int)s);
}

static char *user_name(const struct top *t, uint32_t outside)
{
	const struct userdb_file passwd = { t->passwd, t->passwd_len };
	const struct userdb_file none = { NULL, 0 };
	auto_userdb_user user = { 0 };
	uint32_t uid = outside;
	char number[16];

	if (t->spec->uid_map.n && !idmap_in(&t->spec->uid_map, outside, &uid))
		return strdup("?");
	snprintf(number, sizeof(number), "%" PRIu32, uid);
	if (userdb_resolve(number, &passwd, &none, &user, NULL) < 0 || !user.name)
		return strdup(number);
	return strdup(user.name);
}

/* "NAME:x:GID:…" of a line; groups have no reverse look-up elsewhere. */
static char *group_name(const struct top *t, uint32_t outside)
{
	uint32_t gid = outside;
	const char *line = t->group;

	if (t->spec->gid_map.n && !idmap_in(&t->spec->gid_map, outside, &gid))
		return strdup("?");
	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t name = strcspn(line, ":\n");
		const char *x = line[name] == ':' ? line + name + 1 : NULL;
		const char *number = x ? strchr(x, ':') : NULL;

		if (number && strtoul(number + 1, NULL, 10) == gid &&
			number < line + strcspn(line, "\n"))
			return strndup(line, name);
	}
	return str_format("%" PRIu32, gid);
}

static double elapsed(const struct top *t, const struct proc_row *p)
{
	double ticks = t->now_ticks - (double)p->start_ticks;

	return ticks > 0 ? ticks / ticks_per_second() : 0;
}

static double cpu_seconds(const struct proc_row *p)
{
	return (double)(p->user_ticks + p->system_ticks) / ticks_per_second();
}

#define COLUMN(name)	 static char *name(const struct top *t, const struct proc_row *p)
#define NUMBER(fmt, ...) return str_format(fmt, __VA_ARGS__)

COLUMN(col_user)
{
	return user_name(t, p->uid);
}
COLUMN(col_ruser)
{
	return user_name(t, p->ruid);
}
COLUMN(col_group)
{
	return group_name(t, p->gid);
}
COLUMN(col_rgroup)
{
	return group_name(t, p->rgid);
}
COLUMN(col_pid)
{
	NUMBER("%d", (int)p->inner_pid);
}
COLUMN(col_ppid)
{
	NUMBER("%d", (int)p->inner_ppid);
}
COLUMN(col_hpid)
{
	NUMBER("%d", (int)p->pid);
}
COLUMN(col_pgid)
{
	NUMBER("%d", (int)p->pgid);
}
COLUMN(col_nice)
{
	NUMBER("%" PRId64, p->nice);
}
COLUMN(col_rss)
{
	NUMBER("%" PRIu64, p->resident_bytes / 1024);
}
COLUMN(col_vsz)
{
	NUMBER("%" PRIu64, p->virtual_bytes / 1024);
}
COLUMN(col_state)
{
	NUMBER("%c", p->state);
}
COLUMN(col_comm)
{
	return strdup(p->name);
}
COLUMN(col_args)
{
	return strdup(p->args);
}
COLUMN(col_etime)
{
	return duration(elapsed(t, p));
}
COLUMN(col_time)
{
	return duration(cpu_seconds(p));
}

COLUMN(col_pcpu)
{
	double seconds = elapsed(t, p);

	NUMBER("%.3f", seconds > 0 ? cpu_seconds(p) * 100 / seconds : 0);
}

COLUMN(col_stime)
{
	time_t start = time(NULL) - (time_t)elapsed(t, p);
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&start, &tm))
		(void)strftime(text, sizeof(text), "%H:%M:%S", &tm);
	return strdup(text);
}

COLUMN(col_tty)
{
	unsigned int major_nr = major(p->tty), minor_nr = minor(p->tty);

	if (major_nr >= 136 && major_nr <= 143)
		NUMBER("pts/%u", minor_nr + 256 * (major_nr - 136));
	return p->tty ? str_format("tty%u", minor_nr) : strdup("?");
}

static const struct column {
	const char *name, *header;
	char *(*text)(const struct top *t, const struct proc_row *p);
} columns[] = { { "args", "COMMAND", col_args }, { "comm", "COMMAND", col_comm },
	{ "etime", "ELAPSED", col_etime }, { "group", "GROUP", col_group },
	{ "hpid", "HPID", col_hpid }, { "nice", "NI", col_nice }, { "pcpu", "%CPU", col_pcpu },
	{ "pgid", "PGID", col_pgid }, { "pid", "PID", col_pid }, { "ppid", "PPID", col_ppid },
	{ "rgroup", "RGROUP", col_rgroup }, { "rss", "RSS", col_rss },
	{ "ruser", "RUSER", col_ruser }, { "state", "STATE", col_state },
	{ "stime", "STIME", col_stime }, { "time", "TIME", col_time }, { "tty", "TTY", col_tty },
	{ "user", "USER", col_user }, { "vsz", "VSZ", col_vsz } };

/* ---- choosing them ---- */

#define MAX_COLUMNS 32

struct choice {
	const struct column *v[MAX_COLUMNS];
	size_t n;
};

static int choose_one(struct choice *c, const char *name, size_t len, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (strlen(columns[i].name) == len && memcmp(columns[i].name, name, len) == 0) {
			if (c->n == MAX_COLUMNS)
				return err_say(err, -E2BIG, "too many columns");
			c->v[c->n++] = &columns[i];
			return 0;
		}
	err_say(err, -EINVAL, "there is no column '%.*s'", (int)len, name);
	return err_hint(err, -EINVAL, "lamina top --list-descriptors");
}

/* Words with commas or blanks between. */
static int choose(struct choice *c, int n, char **words, struct err *err)
{
	static char all[] = "user,pid,ppid,pcpu,etime,tty,time,args";
	static char *defaults[] = { all };

	if (n == 0)
		return choose(c, 1, defaults, err);
	for (int i = 0; i < n; i++)
		for (const char *s = words[i]; *s;) {
			size_t len = strcspn(s, ", ");
			int r = len ? choose_one(c, s, len, err) : 0;

			if (r < 0)
				return r;
			s += len + (s[len] != '\0');
		}
	return 0;
}

/* ---- the table ---- */

static void uptime_ticks(struct top *t)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	t->now_ticks = ((double)now.tv_sec + (double)now.tv_nsec / 1e9) * ticks_per_second();
}

static int open_top(struct top *t, const struct cli *cli, const char *ref, struct err *err)
{
	auto_fd init = -1, root = -1;
	int r = ctl_open(&t->ctl, cli, CTL_ENTER, err);

	if (r >= 0)
		r = control_open(&t->ctl.c, ref, &t->ctr, err);
	if (r >= 0)
		r = init = control_init(&t->ctr.record, err);
	if (r >= 0)
		r = control_spec(&t->ctl.c, t->ctr.record.id, &t->spec, err);
	if (r >= 0)
		r = procs_load(&t->ctr.record, &t->procs, err);
	if (r < 0)
		return r;
	uptime_ticks(t);
	/* Names are a nicety: without them there are numbers. */
	root = control_open_root(&t->ctr.record, init, NULL);
	if (root >= 0) {
		(void)inroot_read(
			root, "/etc/passwd", LIMIT_USERDB_BYTES, &t->passwd, &t->passwd_len);
		(void)inroot_read(root, "/etc/group", LIMIT_USERDB_BYTES, &t->group, &t->group_len);
	}
	return 0;
}

static void top_done(struct top *t)
{
	free(t->passwd);
	free(t->group);
	procs_done(&t->procs);
	spec_free(t->spec);
	control_ctr_done(&t->ctr);
	ctl_close(&t->ctl);
}

/* Names come from files of the container, which may hold anything. */
static char *printable(char *cell)
{
	for (char *s = cell; s && *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	return cell;
}

static int print_procs(const struct top *t, const struct choice *c, struct err *err)
{
	auto_strv lines = { 0 };
	auto_buf line = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n; i++)
		r = buf_printf(&line, "%s%s", i ? "\t" : "", c->v[i]->header);
	if (r >= 0)
		r = strv_add(&lines, line.data);
	for (size_t k = 0; r >= 0 && k < t->procs.n; k++) {
		line.len = 0;
		for (size_t i = 0; r >= 0 && i < c->n; i++) {
			auto_free char *cell = printable(c->v[i]->text(t, &t->procs.v[k]));

			r = cell ? buf_printf(&line, "%s%s", i ? "\t" : "", cell) : -ENOMEM;
		}
		if (r >= 0)
			r = strv_add(&lines, line.data);
	}
	if (r >= 0)
		r = out_table(&lines);
	return r < 0 ? err_set(err, r, "cannot print the table") : 0;
}

struct top_opts {
	bool list;
};

static int run_top(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct top_opts *o = opts;
	struct top t = { .ctl = CTL_INIT };
	struct choice choice = { .n = 0 };
	struct err err = ERR_INIT;
	int r;

	for (size_t i = 0; o->list && i < ARRAY_SIZE(columns); i++)
		printf("%s\n", columns[i].name);
	if (o->list)
		return 0;
	if (argc == 0) {
		err_say(&err, -EINVAL, "'lamina top' takes CONTAINER [COLUMN]…");
		return cli_fail(&err);
	}
	r = choose(&choice, argc - 1, argv + 1, &err);
	if (r >= 0)
		r = open_top(&t, cli, argv[0], &err);
	if (r >= 0)
		r = print_procs(&t, &choice, &err);
	top_done(&t);
	if (r >= 0)
		return 0;
	err_wrap(&err, r, "cannot list the processes of '%s'", argv[0]);
	return cli_fail(&err);
}

static const struct args_opt top_table[] = {
	{ "list-descriptors", 0, ARGS_FLAG, offsetof(struct top_opts, list), NULL,
		"print the names of the columns" },
	{ 0 },
};

const struct cli_verb cli_verbs_top[] = {
	{ "top", "CONTAINER [COLUMN]…", "list the processes of a container", top_table,
		sizeof(struct top_opts), 0, -1, false, run_top },
	{ 0 },
};
