/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces, joined and new (the contract is in the header)
 *
 * Who may join a namespace is root of the user namespace that owns it: the caller's, or the one that
 * the container joins or makes.  So each is tried first as the caller, then as root of a joined
 * user namespace, and what still refuses waits until the new user namespace stands.
 *
 * A process cannot move itself into a pid namespace, only its children: hence the helper.
 */
#include "runtime/nsjoin.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/sock.h"
#include "base/str.h"
#include "runtime/init.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The mount namespace last: paths are the container's from then on. */
static const enum spec_ns order[] = { SPEC_NS_CGROUP, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_NET,
	SPEC_NS_TIME, SPEC_NS_PID, SPEC_NS_MNT };

static const char *const files[SPEC_NS_MAX_] = {
	[SPEC_NS_USER] = "user",
	[SPEC_NS_MNT] = "mnt",
	[SPEC_NS_PID] = "pid",
	[SPEC_NS_NET] = "net",
	[SPEC_NS_IPC] = "ipc",
	[SPEC_NS_UTS] = "uts",
	[SPEC_NS_CGROUP] = "cgroup",
	[SPEC_NS_TIME] = "time",
};

/* ---- which ---- */

/* @ret: -1 if it is the namespace that this process has already. */
static int open_other(const char *path, enum spec_ns ns, int *ret)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat there, here;
	char own[32];

	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != spec_ns_clone_flag(ns))
		return -EINVAL;
	snprintf(own, sizeof(own), "/proc/self/ns/%s", files[ns]);
	if (fstat(fd, &there) < 0 || stat(own, &here) < 0)
		return -errno;
	*ret = there.st_ino == here.st_ino ? -1 : fd_take(&fd);
	return 0;
}

int nsjoin_open(struct stage *st, struct err *err)
{
	for (int i = 0; i < SPEC_NS_MAX_; i++) {
		const char *path = st->spec->ns[i].path;
		int r;

		if (!st->spec->ns[i].on || !path)
			continue;
		r = open_other(path, (enum spec_ns)i, &st->ns_fds[i]);
		if (r == -EINVAL)
			return err_say(err, r, "'%s' is not a %s namespace", path,
				spec_ns_name((enum spec_ns)i));
		if (r < 0)
			return err_set(err, r, "cannot open the %s namespace '%s'",
				spec_ns_name((enum spec_ns)i), path);
	}
	return 0;
}

static int pid_of(int pidfd, pid_t *ret)
{
	char path[48], line[128];
	auto_file f = NULL;
	long pid = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (str_starts(line, "Pid:"))
			pid = strtol(line + 4, NULL, 10);
	*ret = (pid_t)pid;
	return pid > 0 ? 0 : -ESRCH;
}

int nsjoin_open_of(struct stage *st, struct err *err)
{
	char dir[32];
	pid_t pid = 0;
	int r = pid_of(st->target_pidfd, &pid);

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	st->setgroups_denied |= userns_denies_setgroups(dir);
	for (int i = 0; r >= 0 && i < SPEC_NS_MAX_; i++) {
		char path[48];

		snprintf(path, sizeof(path), "%s/ns/%s", dir, files[i]);
		r = open_other(path, (enum spec_ns)i, &st->ns_fds[i]);
		if (r == -ENOENT && i == SPEC_NS_TIME)
			r = 0; /* a kernel without them */
	}
	/* Alive after the look at /proc: it was this process that we looked at. */
	if (r == -ENOENT || proc_has_ended(st->target_pidfd))
		r = -ESRCH;
	if (r == -ESRCH)
		return err_say(err, r, "container not running");
	return r < 0 ? err_set(err, r, "cannot open the container's namespaces") : 0;
}

void nsjoin_done(struct stage *st)
{
	for (int i = 0; i < SPEC_NS_MAX_; i++) {
		cleanup_fd(&st->ns_fds[i]);
		st->ns_fds[i] = -1;
	}
}

/* ---- joining ---- */

static int join_one(struct stage *st, enum spec_ns ns)
{
	if (st->ns_fds[ns] < 0)
		return 0;
	if (setns(st->ns_fds[ns], spec_ns_clone_flag(ns)) < 0)
		return -errno;
	(void)close(st->ns_fds[ns]);
	st->ns_fds[ns] = -1;
	return 0;
}

static int join_failed(enum spec_ns ns, int code, struct err *err)
{
	return err_set(err, code, "cannot join the %s namespace", spec_ns_name(ns));
}

/* Those that refuse with EPERM stay in st->ns_fds. */
static int join_what_is_allowed(struct stage *st, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int r = join_one(st, order[i]);

		if (r < 0 && r != -EPERM)
			return join_failed(order[i], r, err);
	}
	return 0;
}

int nsjoin_rest(struct stage *st, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int r = join_one(st, order[i]);

		if (r < 0)
			return join_failed(order[i], r, err);
	}
	return 0;
}

/* ---- making the process ---- */

/* Cgroup and time namespaces are made inside, when there is something to be seen in them. */
static uint64_t new_namespaces(const struct stage *st)
{
	uint64_t flags = 0;

	for (int i = 0; i < SPEC_NS_MAX_; i++)
		if (st->spec->ns[i].on && !st->spec->ns[i].path && i != SPEC_NS_CGROUP &&
			i != SPEC_NS_TIME)
			flags |= (uint64_t)(unsigned int)spec_ns_clone_flag((enum spec_ns)i);
	/* Mounts in a new user namespace can be made only in a new mount namespace. */
	return flags & CLONE_NEWUSER && !st->spec->ns[SPEC_NS_MNT].path ? flags | CLONE_NEWNS
									: flags;
}

struct helper_result {
	int code;
	pid_t pid;
	struct err err;
};

static long clone_process(uint64_t flags, int *ret_pidfd)
{
	struct clone_args args = { .flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : pid;
}

static int clone_failed(int code, struct err *err)
{
	err_set(err, code, "cannot make the container's namespaces");
	return userns_explain(err, code);
}

/* The helper: 0 if this is the inside, which it has cloned; itself it does not return. */
static int help(struct stage *st, uint64_t flags, int result_sock)
{
	struct helper_result res = { 0 };
	int pidfd = -1;
	long pid = 0;

	/* Later the files of this process in /proc are out of reach. */
	if (st->target_pidfd >= 0)
		res.code = init_oom_score(st, &res.err);
	/* Nobody in a pid namespace that is joined is to look at this process. */
	if (st->ns_fds[SPEC_NS_PID] >= 0)
		(void)prctl(PR_SET_DUMPABLE, 0);
	if (res.code >= 0)
		res.code = join_what_is_allowed(st, &res.err);
	if (res.code >= 0 && st->ns_fds[SPEC_NS_USER] >= 0) {
		res.code = join_one(st, SPEC_NS_USER);
		if (res.code < 0)
			join_failed(SPEC_NS_USER, res.code, &res.err);
		else
			res.code = nsjoin_rest(st, &res.err);
	}
	if (res.code >= 0 && st->ns_fds[SPEC_NS_PID] >= 0)
		res.code = join_failed(SPEC_NS_PID, -EPERM, &res.err);
	if (res.code >= 0) {
		pid = clone_process(flags | CLONE_PARENT, &pidfd);
		if (pid == 0)
			return 0;
		res.code = pid < 0 ? clone_failed((int)pid, &res.err) : 0;
	}
	res.pid = (pid_t)pid;
	(void)sock_send(result_sock, &res, sizeof(res), pidfd);
	_exit(0);
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int clone_by_helper(struct stage *st, uint64_t flags, int *ret_pidfd, struct err *err)
{
	struct helper_result res = { 0 };
	int pair[2], r;
	pid_t pid;

	r = sock_pair(pair);
	if (r < 0)
		return err_set(err, r, "cannot make a socket");
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		r = help(st, flags, pair[1]);
		(void)close(pair[1]);
		return r;
	}
	(void)close(pair[1]);
	if (pid < 0)
		r = err_set(err, -errno, "cannot start a process");
	else if (sock_recv(pair[0], &res, sizeof(res), ret_pidfd) != (ssize_t)sizeof(res))
		r = err_say(err, -EIO, "cannot join the namespaces");
	else
		r = res.code;
	(void)close(pair[0]);
	if (pid > 0)
		reap(pid);
	if (r < 0 && err && res.code < 0)
		*err = res.err;
	return r < 0 ? r : (int)res.pid;
}

static bool joins_any(const struct stage *st)
{
	for (int i = 0; i < SPEC_NS_MAX_; i++)
		if (st->ns_fds[i] >= 0)
			return true;
	return false;
}

int nsjoin_clone(struct stage *st, struct err *err)
{
	uint64_t flags = st->target_pidfd >= 0 ? 0 : new_namespaces(st);
	int pair[2], pidfd = -1, pid;

	pid = sock_pair(pair);
	if (pid < 0)
		return err_set(err, pid, "cannot make a socket");
	if (joins_any(st)) {
		pid = clone_by_helper(st, flags, &pidfd, err);
	} else {
		pid = (int)clone_process(flags, &pidfd);
		if (pid < 0)
			clone_failed(pid, err);
	}
	(void)close(pair[pid == 0 ? 0 : 1]);
	st->sock = pair[pid == 0 ? 1 : 0];
	if (pid <= 0)
		return pid;
	st->pid = (pid_t)pid;
	st->pidfd = pidfd;
	return 1;
}
