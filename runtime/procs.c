/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of containers (the contract is in the header). */
#include "runtime/procs.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define STAT_FIELDS 24

/* ---- texts of /proc ---- */

static void copy_printable(const char *from, size_t len, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++)
		ret[n++] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? '?' : from[i];
	ret[n] = '\0';
}

int procs_parse_stat(const char *text, struct proc_row *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	long long f[STAT_FIELDS + 1] = { 0 };
	char *end;

	if (!open || !close || close < open || strlen(close) < 4)
		return -EBADMSG;
	copy_printable(open + 1, (size_t)(close - open - 1), ret->name, sizeof(ret->name));
	ret->state = close[2];
	end = (char *)(uintptr_t)close + 3;
	for (int i = 4; i <= STAT_FIELDS; i++) {
		const char *s = end;

		f[i] = strtoll(s, &end, 10);
		if (end == s)
			return -EBADMSG;
	}
	ret->pid = (pid_t)strtol(text, NULL, 10);
	ret->ppid = (pid_t)f[4];
	ret->pgid = (pid_t)f[5];
	ret->tty = (uint32_t)f[7];
	ret->user_ticks = (uint64_t)f[14];
	ret->system_ticks = (uint64_t)f[15];
	ret->gone_ticks = (uint64_t)f[16] + (uint64_t)f[17];
	ret->nice = f[19];
	ret->n_threads = (uint64_t)f[20];
	ret->start_ticks = (uint64_t)f[22];
	ret->virtual_bytes = (uint64_t)f[23];
	ret->resident_bytes = (uint64_t)f[24] * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

/* What stands behind a word at the start of a line, or NULL. */
static const char *line_of(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
		if (strncmp(text, word, len) == 0)
			return text + len;
	return NULL;
}

int procs_parse_status(const char *text, struct proc_row *ret)
{
	const char *uids = line_of(text, "Uid:"), *gids = line_of(text, "Gid:");
	const char *nspid = line_of(text, "NSpid:");
	size_t len = nspid ? strcspn(nspid, "\n") : 0;

	if (!uids || !gids || sscanf(uids, "%" SCNu32 "%" SCNu32, &ret->ruid, &ret->uid) != 2 ||
		sscanf(gids, "%" SCNu32 "%" SCNu32, &ret->rgid, &ret->gid) != 2)
		return -EBADMSG;
	while (len > 0 && nspid[len - 1] >= '0' && nspid[len - 1] <= '9')
		len--;
	ret->inner_pid = nspid ? (pid_t)strtol(nspid + len, NULL, 10) : 0;
	return 0;
}

/* ---- /proc ---- */

static int read_text(int dirfd, const char *name, char *buf, size_t size)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return (int)n;
}

static int read_row(int dirfd, struct proc_row *ret)
{
	char text[LIMIT_PROCS_ARGS_BYTES], args[LIMIT_PROCS_ARGS_BYTES];
	int r = read_text(dirfd, "stat", text, sizeof(text)), n;

	if (r >= 0)
		r = procs_parse_stat(text, ret);
	if (r >= 0)
		r = read_text(dirfd, "status", text, sizeof(text));
	if (r >= 0)
		r = procs_parse_status(text, ret);
	if (r < 0)
		return r;
	n = read_text(dirfd, "cmdline", text, sizeof(text));
	while (n > 0 && text[n - 1] == '\0')
		n--;
	for (int i = 0; i < n; i++)
		text[i] = text[i] ? text[i] : ' ';
	copy_printable(text, n > 0 ? (size_t)n : 0, args, sizeof(args));
	/* Threads of the kernel, and what has ended, have none. */
	ret->args = n > 0 ? strdup(args) : str_format("[%s]", ret->name);
	return ret->args ? 0 : -ENOMEM;
}

static ino_t pid_namespace(int dirfd)
{
	struct stat st;

	return fstatat(dirfd, "ns/pid", &st, 0) == 0 ? st.st_ino : 0;
}

static int add_row(struct procs *p, const struct proc_row *row)
{
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct proc_row *v = reallocarray(p->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = room;
	}
	p->v[p->n++] = *row;
	return 0;
}

void procs_done(struct procs *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].args);
	free(p->v);
	*p = (struct procs){ 0 };
}

static int compare_rows(const void *a, const void *b)
{
	const struct proc_row *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* @p: sorted */
static const struct proc_row *find(const struct procs *p, pid_t pid)
{
	const struct proc_row key = { .pid = pid };

	return p->n ? bsearch(&key, p->v, p->n, sizeof(key), compare_rows) : NULL;
}

struct loading {
	struct procs all;
	ino_t ns; /* 0: that of the host */
};

static int load_entry(void *ctx, int dirfd, const struct dirent *de)
{
	struct loading *l = ctx;
	struct proc_row row = { 0 };
	auto_fd fd = -1;
	int r;

	if (de->d_name[0] < '1' || de->d_name[0] > '9')
		return 0;
	fd = openat(dirfd, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || read_row(fd, &row) < 0)
		return 0; /* it has ended */
	row.is_inside = l->ns && pid_namespace(fd) == l->ns;
	r = add_row(&l->all, &row);
	if (r < 0)
		free(row.args);
	return r;
}

/* Whether @init is the process or an ancestor of it. */
static bool descends(const struct procs *all, const struct proc_row *row, pid_t init)
{
	for (size_t steps = 0; row && steps < all->n; steps++) {
		if (row->pid == init)
			return true;
		row = find(all, row->ppid);
	}
	return false;
}

/* Keep those of the container. */
static int pick(struct procs *all, pid_t init)
{
	auto_free bool *is_own = calloc(all->n + 1, sizeof(*is_own));
	size_t n = 0;

	if (!is_own)
		return -ENOMEM;
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), compare_rows);
	for (size_t i = 0; i < all->n; i++)
		is_own[i] = all->v[i].is_inside || descends(all, &all->v[i], init);
	for (size_t i = 0; i < all->n; i++) {
		if (is_own[i])
			all->v[n++] = all->v[i];
		else
			free(all->v[i].args);
	}
	all->n = n;
	for (size_t i = 0; i < n; i++) {
		const struct proc_row *parent = find(all, all->v[i].ppid);

		all->v[i].inner_ppid = parent ? parent->inner_pid : 0;
	}
	return 0;
}

int procs_load(const struct record *r, struct procs *ret, struct err *err)
{
	struct loading l = { .ns = 0 };
	char path[32];
	auto_fd init = -1;
	struct stat st;
	int code;

	snprintf(path, sizeof(path), "/proc/%d", (int)r->init.pid);
	init = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (init < 0)
		return err_say(err, -ESRCH, "container '%s' is not running", r->name);
	l.ns = pid_namespace(init);
	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == l.ns)
		l.ns = 0;
	code = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = at_list_take_fd(code < 0 ? -errno : code, load_entry, &l);
	if (code >= 0)
		code = pick(&l.all, r->init.pid);
	if (code < 0) {
		procs_done(&l.all);
		return err_set(err, code, "cannot list the processes");
	}
	*ret = l.all;
	return 0;
}
