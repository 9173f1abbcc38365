/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the container's first process: clocks, processors, scheduling, security labels. */
#include "runtime/init.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/inroot.h"
#include "runtime/userdb.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* ---- files of this process in /proc ---- */

/* On a procfs and nothing mounted over it: in a running container, /proc is the container's. */
static int open_self(const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	auto_fd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	int fd;

	if (proc < 0)
		return -errno;
	if (fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return -ENODEV;
	fd = (int)syscall(SYS_openat2, proc, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Before the process becomes somebody who may not write to its own files in /proc. */
int init_oom_score(struct stage *st, struct err *err)
{
	const struct spec_i64 *score = &st->spec->process->oom_score_adj;
	auto_fd fd = -1;
	char text[16];
	int n, r;

	if (!score->set)
		return 0;
	n = snprintf(text, sizeof(text), "%d", (int)score->v);
	fd = open_self("self/oom_score_adj", O_WRONLY);
	r = fd < 0 ? fd : fd_write_all(fd, text, (size_t)n);
	return r < 0 ? err_set(err, r, "cannot set the OOM score to %s", text) : 0;
}

/* ---- security labels ---- */

int init_open_label(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;
	bool apparmor = p->apparmor_profile && p->apparmor_profile[0];

	if (!apparmor && !(p->selinux_label && p->selinux_label[0]))
		return 0;
	st->label_fd = apparmor ? open_self("self/attr/apparmor/exec", O_WRONLY) : -ENOENT;
	if (st->label_fd == -ENOENT) /* SELinux, or AppArmor before Linux 5.1 */
		st->label_fd = open_self("self/attr/exec", O_WRONLY);
	if (st->label_fd < 0)
		return err_set(err, st->label_fd, "cannot set the %s '%s'",
			apparmor ? "AppArmor profile" : "SELinux label",
			apparmor ? p->apparmor_profile : p->selinux_label);
	return 0;
}

int init_label(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;
	bool apparmor = p->apparmor_profile && p->apparmor_profile[0];
	const char *label = apparmor ? p->apparmor_profile : p->selinux_label;
	char text[1024];
	int n, r;

	if (st->label_fd < 0)
		return 0;
	n = snprintf(text, sizeof(text), "%s%s", apparmor ? "exec " : "", label);
	r = n < 0 || (size_t)n >= sizeof(text) ? -E2BIG
					       : fd_write_all(st->label_fd, text, (size_t)n);
	return r < 0 ? err_set(err, r, "cannot set the %s '%s'",
			       apparmor ? "AppArmor profile" : "SELinux label", label)
		     : 0;
}

/* ---- home directory ---- */

static char *find_home(const struct stage *st)
{
	auto_userdb_user user = { 0 };
	struct userdb_file passwd = { 0 };
	auto_free char *data = NULL;
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", st->spec->process->user.uid);
	if (inroot_read(
		    st->rootfs.root_fd, "/etc/passwd", LIMIT_USERDB_BYTES, &data, &passwd.len) == 0)
		passwd.data = data;
	if (userdb_resolve(uid, &passwd, &(struct userdb_file){ 0 }, &user, NULL) < 0)
		return strdup("HOME=/");
	return str_format("HOME=%s", user.home);
}

/* Programs count on it, and whoever wrote the configuration may not have known the image. */
int init_home(struct stage *st, struct err *err)
{
	const struct spec_list *env = &st->spec->process->env;
	char *home;

	for (size_t i = 0; i < env->n; i++)
		if (str_starts(env->v[i], "HOME="))
			return 0;
	home = find_home(st);
	st->env = calloc(env->n + 2, sizeof(*st->env));
	if (!home || !st->env)
		return err_set(err, -ENOMEM, "cannot set HOME");
	if (env->n > 0)
		memcpy(st->env, env->v, env->n * sizeof(*st->env));
	st->env[env->n] = home;
	return 0;
}

/* ---- clocks ---- */

/* The namespace is the program's: execve(2) enters it, so its offsets can still be written. */
int init_clocks(struct stage *st, struct err *err)
{
	const struct spec_namespace *ns = &st->spec->ns[SPEC_NS_TIME];
	const struct {
		const char *name;
		const struct spec_time_offset *offset;
	} clocks[] = { { "monotonic", &st->spec->monotonic }, { "boottime", &st->spec->boottime } };
	auto_fd fd = -1;

	if (!ns->on || ns->path)
		return 0;
	if (unshare(spec_ns_clone_flag(SPEC_NS_TIME)) < 0)
		return err_set(err, -errno, "cannot make a time namespace");
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		char text[64];
		int n, r;

		if (!clocks[i].offset->set)
			continue;
		if (fd < 0)
			fd = open_self("self/timens_offsets", O_WRONLY);
		n = snprintf(text, sizeof(text), "%s %lld %u\n", clocks[i].name,
			(long long)clocks[i].offset->secs, clocks[i].offset->nanosecs);
		r = fd < 0 ? fd : fd_write_all(fd, text, (size_t)n);
		if (r < 0)
			return err_set(
				err, r, "cannot set the offset of the %s clock", clocks[i].name);
	}
	return 0;
}

/* ---- scheduling ---- */

/* struct sched_attr: no version of the C library and the kernel's headers has it in all of them. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* "0-3,7" */
static int parse_cpus(const char *text, cpu_set_t *ret)
{
	CPU_ZERO(ret);
	while (*text) {
		char *end;
		unsigned long from = strtoul(text, &end, 10), to = from;

		if (end == text || *text < '0' || *text > '9')
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			to = strtoul(text, &end, 10);
			if (end == text || *text < '0' || *text > '9')
				return -EINVAL;
		}
		if (to < from || to >= CPU_SETSIZE || (*end && *end != ','))
			return -EINVAL;
		for (unsigned long i = from; i <= to; i++)
			CPU_SET(i, ret);
		text = end + (*end == ',');
	}
	return CPU_COUNT(ret) > 0 ? 0 : -EINVAL;
}

static int set_cpus(const char *text, struct err *err)
{
	cpu_set_t set;
	int r = parse_cpus(text, &set);

	if (r < 0)
		return err_say(
			err, r, "process.execCPUAffinity: '%.64s' is no list of processors", text);
	return sched_setaffinity(0, sizeof(set), &set) < 0
		       ? err_set(err, -errno, "cannot run on the processors '%.64s'", text)
		       : 0;
}

int init_first_cpus(struct stage *st, struct err *err)
{
	const char *cpus = st->spec->process->cpus_initial;

	return cpus && *cpus ? set_cpus(cpus, err) : 0;
}

int init_scheduling(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;
	const struct spec_scheduler *s = &p->scheduler;
	struct scheduling attr = { .size = sizeof(attr),
		.policy = (uint32_t)s->policy,
		.flags = s->flags,
		.nice = s->nice,
		.priority = (uint32_t)s->priority,
		.runtime = s->runtime,
		.deadline = s->deadline,
		.period = s->period };
	int r = 0;

	if (st->target_pidfd >= 0 && p->cpus_final && *p->cpus_final)
		r = set_cpus(p->cpus_final, err);
	if (r >= 0 && s->set && syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		r = err_set(err, -errno, "cannot set the scheduler");
	if (r >= 0 && p->io_priority.set &&
		syscall(SYS_ioprio_set, 1, 0, (int)p->io_priority.v) < 0)
		r = err_set(err, -errno, "cannot set the I/O priority");
	return r;
}
