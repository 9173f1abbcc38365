/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the container's first process
 *
 * It is a copy of the monitor, alone in its namespaces, and becomes the program at the end.  What
 * fails is told to the monitor; nothing is printed here.  From the pivot on all paths are the
 * image's, and the monitor's fds are closed before any of them is looked at, so that a path
 * through /proc/self/fd finds nothing of the host.
 */
#include "runtime/init.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/caps_apply.h"
#include "runtime/inroot.h"
#include "runtime/nsjoin.h"
#include "runtime/spec_check.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LIMIT_KEPT_FDS 16384
#define DEFAULT_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * The signal is forgotten at each change of user, so this is called again after these.  The
 * monitor may have died just before: then its end of the socket is closed.
 */
int init_die_with_monitor(struct stage *st, struct err *err)
{
	struct pollfd p = { .fd = st->sock, .events = 0 };

	if (st->flags & (STAGE_ALONE | STAGE_DETACHED))
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_set(err, -errno, "cannot ask for a death signal");
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		_exit(STAGE_EXIT_FAILED);
	return 0;
}

/* ---- fds ---- */

struct fd_set_list {
	int v[LIMIT_KEPT_FDS];
	size_t n;
};

static void keep(struct fd_set_list *l, int fd)
{
	if (fd > STDERR_FILENO && l->n < LIMIT_KEPT_FDS)
		l->v[l->n++] = fd;
}

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int init_close_others(struct stage *st, struct err *err)
{
	static struct fd_set_list l; /* too large for the stack; this process has one thread */
	unsigned int from = STDERR_FILENO + 1;
	const struct rootfs *rf = &st->rootfs;

	if (2 * st->spec->n_mounts + st->spec->n_devices + 64 > LIMIT_KEPT_FDS)
		return err_set(err, -E2BIG, "mounts and devices");
	from += st->n_preserve_fds;
	keep(&l, st->sock);
	keep(&l, st->start_sock);
	keep(&l, st->init_fd);
	for (int i = 0; i < 3; i++)
		keep(&l, st->stdio[i]);
	for (int i = 0; i < SPEC_NS_MAX_; i++)
		keep(&l, st->ns_fds[i]);
	if (rf->spec) {
		keep(&l, rf->root_fd);
		for (size_t i = 0; i < ROOTFS_N_NODES; i++)
			keep(&l, rf->node_fds[i]);
		for (size_t i = 0; i < st->spec->n_mounts; i++) {
			keep(&l, rf->mounts[i].fd);
			keep(&l, rf->mounts[i].userns_fd);
		}
		for (size_t i = 0; i < st->spec->n_devices; i++)
			keep(&l, rf->device_fds[i]);
	}
	qsort(l.v, l.n, sizeof(l.v[0]), compare_ints);
	for (size_t i = 0; i < l.n; i++) {
		unsigned int fd = (unsigned int)l.v[i];

		if (fd < from)
			continue;
		if (fd > from && close_range(from, fd - 1, 0) < 0)
			return err_set(err, -errno, "cannot close files");
		from = fd + 1;
	}
	return close_range(from, UINT_MAX, 0) < 0 ? err_set(err, -errno, "cannot close files") : 0;
}

/* ---- namespaces ---- */

/* The monitor is 0 of the parent namespace; who that is here depends on the map. */
int init_become_root(struct stage *st, struct err *err)
{
	if (st->target_pidfd < 0)
		st->setgroups_denied |= userns_denies_setgroups("/proc/self");
	if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
		return err_set(err, -errno, "cannot become root of the container");
	if (setresuid(0, 0, 0) < 0 && errno != EINVAL)
		return err_set(err, -errno, "cannot become root of the container");
	return init_die_with_monitor(st, err);
}

int init_namespaces(struct stage *st, struct err *err)
{
	const struct spec_namespace *cgroup = &st->spec->ns[SPEC_NS_CGROUP];
	int r = nsjoin_rest(st, err);

	/* In its cgroup since "mapped": the namespace takes that for its root. */
	if (r >= 0 && cgroup->on && !cgroup->path && unshare(CLONE_NEWCGROUP) < 0)
		r = err_set(err, -errno, "cannot make a cgroup namespace");
	return r;
}

int init_new_session(struct stage *st, struct err *err)
{
	sigset_t none;

	/* The monitor blocks and ignores signals; the program starts with none of that. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return setsid() < 0 ? err_set(err, -errno, "cannot make a session") : 0;
}

/*
 * Else the program would possess the user's keys: no namespace parts them.  A kernel without keys,
 * or a filter that is ours to inherit, refuses them to the program too.
 */
int init_new_keyring(struct stage *st, struct err *err)
{
	int r = 0;

	if (st->flags & STAGE_KEEP_KEYRING)
		return 0;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		r = -errno;
	if (r == 0 || r == -ENOSYS || r == -EPERM)
		return 0;
	err_set(err, r, "cannot make a session keyring");
	return r == -EDQUOT ? err_hint(err, r, "run 'sysctl -w kernel.keys.maxkeys=20000' as root")
			    : r;
}

int init_set_names(struct stage *st, struct err *err)
{
	const struct spec *s = st->spec;

	if (!s->ns[SPEC_NS_UTS].on)
		return 0;
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_set(err, -errno, "cannot set the host name '%s'", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_set(err, -errno, "cannot set the domain name '%s'", s->domainname);
	return 0;
}

int init_loopback_up(struct stage *st, struct err *err)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	auto_fd fd = -1;

	/* One that is joined is somebody else's to set up, and may not be ours to touch. */
	if (!st->spec->ns[SPEC_NS_NET].on || st->spec->ns[SPEC_NS_NET].path)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? err_set(err, -errno, "cannot bring up 'lo'") : 0;
}

/* ---- terminal and kernel settings ---- */

int init_console(struct stage *st, struct err *err)
{
	if (!st->spec->process->terminal)
		return 0;
	return rootfs_console(&st->rootfs, &st->pty_fd, &st->slave_fd, err);
}

int init_terminal(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;

	if (!p->terminal)
		return 0;
	return rootfs_terminal(st->rootfs.root_fd, p, &st->pty_fd, &st->slave_fd, err);
}

static int write_in_proc(const struct stage *st, const char *path, const char *text)
{
	auto_fd fd = -1;

	if (st->rootfs.proc_fd < 0)
		return -ENOENT;
	/* What is mounted in there, or linked, is no setting of the kernel. */
	fd = at_open_here(st->rootfs.proc_fd, path, O_WRONLY);
	return fd < 0 ? fd : fd_write_all(fd, text, strlen(text));
}

int init_sysctls(struct stage *st, struct err *err)
{
	const struct spec_pairs *all = &st->spec->sysctl;

	for (size_t i = 0; i < all->n; i++) {
		char path[4 + LIMIT_SYSCTL_PATH + 1] = "sys/";
		int r;

		r = spec_sysctl_path(all->v[i].key, path + 4);
		if (r >= 0)
			r = write_in_proc(st, path, all->v[i].value);
		if (r < 0)
			return err_set(
				err, r, "cannot set '%s' to '%s'", all->v[i].key, all->v[i].value);
	}
	return 0;
}

/* ---- the program ---- */

static const char *env_value(const struct spec_process *p, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = p->env.n; i-- > 0;)
		if (strncmp(p->env.v[i], name, len) == 0 && p->env.v[i][len] == '=')
			return p->env.v[i] + len + 1;
	return NULL;
}

/* 0 if @path can be executed as far as root can tell. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

static int search_path(struct stage *st, const char *name, const char *dirs)
{
	int ret = -ENOENT;

	while (*dirs) {
		size_t len = strcspn(dirs, ":");
		int n = snprintf(st->program, sizeof(st->program), "%.*s/%s", (int)len, dirs, name);
		int r;

		if (len > 0 && dirs[0] == '/' && n > 0 && (size_t)n < sizeof(st->program)) {
			r = check_program(st->program);
			if (r == 0)
				return 0;
			if (r == -EACCES)
				ret = r;
		}
		dirs += len + (dirs[len] == ':');
	}
	return ret;
}

static int program_failed(struct stage *st, int code, const char *what, struct err *err)
{
	bool missing = code == -ENOENT || code == -ENOTDIR;

	st->exit_code = missing ? STAGE_EXIT_NOT_FOUND : STAGE_EXIT_CANNOT_RUN;
	return err_set(err, code, "%s", what);
}

int init_find_program(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;
	const char *name;
	const char *dirs = env_value(p, "PATH");
	char what[256];
	int r, n;

	if (p->args.n == 0)
		return 0;
	name = p->args.v[0];
	if (strchr(name, '/')) {
		/* The working directory is set already, so relative paths mean what they will. */
		n = snprintf(st->program, sizeof(st->program), "%s", name);
		r = (size_t)n < sizeof(st->program) ? check_program(name) : -ENAMETOOLONG;
		snprintf(what, sizeof(what), "cannot run '%s'", name);
	} else {
		r = *name ? search_path(st, name, dirs ? dirs : DEFAULT_PATH) : -ENOENT;
		snprintf(what, sizeof(what), "executable file '%s' not found in $PATH", name);
		if (r == -EACCES)
			snprintf(what, sizeof(what), "cannot run '%s'", name);
	}
	return r < 0 ? program_failed(st, r, what, err) : 0;
}

/* From "ready" on the monitor may go at any moment. */
int init_live_alone(struct stage *st, struct err *err)
{
	st->flags |= STAGE_ALONE;
	return prctl(PR_SET_PDEATHSIG, 0) < 0 ? err_set(err, -errno, "cannot live alone") : 0;
}

/*
 * Somebody who connects, but is killed before it says anything, has not started the container: the
 * next one may.
 */
int init_await_starter(struct stage *st, struct err *err)
{
	(void)close(st->sock);
	for (;;) {
		char c;

		st->sock = accept4(st->start_sock, NULL, NULL, SOCK_CLOEXEC);
		if (st->sock < 0 && errno != EINTR && errno != ECONNABORTED)
			_exit(STAGE_EXIT_FAILED);
		if (st->sock < 0)
			continue;
		if (recv(st->sock, &c, 1, MSG_PEEK) > 0)
			break;
		(void)close(st->sock);
	}
	(void)close(st->start_sock);
	return 0;
}

int init_limits(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		struct rlimit rl = { (rlim_t)p->rlimits[i].soft, (rlim_t)p->rlimits[i].hard };

		if (setrlimit((__rlimit_resource_t)p->rlimits[i].resource, &rl) < 0)
			return err_set(err, -errno, "cannot set %s", p->rlimits[i].name);
	}
	if (st->spec->personality.set && personality((unsigned long)st->spec->personality.v) < 0)
		return err_set(err, -errno, "cannot set the personality");
	return 0;
}

int init_streams(struct stage *st, struct err *err)
{
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (st->slave_fd >= 0 && ioctl(st->slave_fd, TIOCSCTTY, 0) < 0)
		return err_set(err, -errno, "cannot take the terminal");
	for (int i = 0; i < 3; i++) {
		int from = st->slave_fd >= 0   ? st->slave_fd
			   : st->stdio[i] >= 0 ? st->stdio[i]
					       : null;

		if (from != i && dup2(from, i) < 0)
			return err_set(err, -errno, "cannot set up standard stream %d", i);
	}
	return 0;
}

/* What is still open ends with execve(2). */
int init_close_on_exec(struct stage *st, struct err *err)
{
	unsigned int from = STDERR_FILENO + 1 + st->n_preserve_fds;

	return close_range(from, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0
		       ? err_set(err, -errno, "cannot close files")
		       : 0;
}

/* ---- rights ---- */

static int load_filter(struct stage *st, struct err *err)
{
	int r = st->filter ? sec_load(st->filter) : 0;

	if (r > 0)
		st->listener_fd = r;
	return r < 0 ? err_set(err, r, "cannot load the seccomp filter") : 0;
}

/*
 * Without no_new_privs a filter needs a capability, so it comes before they are given up; but after
 * all else, for it may forbid what the steps do.
 */
int init_filter_early(struct stage *st, struct err *err)
{
	return st->spec->process->no_new_privs ? 0 : load_filter(st, err);
}

int init_filter_late(struct stage *st, struct err *err)
{
	if (!st->spec->process->no_new_privs)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot set no_new_privs");
	return load_filter(st, err);
}

static int set_ids(const struct stage *st, struct err *err)
{
	const struct spec_user *u = &st->spec->process->user;

	/* A namespace of one id has no other groups, and the kernel forbids changing them. */
	if (!st->setgroups_denied && setgroups(u->n_gids, u->gids) < 0)
		return err_set(err, -errno, "cannot set the supplementary groups");
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return err_set(err, -errno, "group %u has no number outside the container", u->gid);
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return err_set(err, -errno, "user %u has no number outside the container", u->uid);
	return 0;
}

int init_change_user(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;
	int r;

	r = caps_drop_bounding(p->caps.set ? p->caps.bounding : 0);
	if (r < 0)
		return err_set(err, r, "cannot drop capabilities");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot keep capabilities");
	r = set_ids(st, err);
	if (r < 0)
		return r;
	r = caps_raise();
	if (r < 0)
		return err_set(err, r, "cannot keep capabilities");
	(void)umask(p->user.umask.set ? (mode_t)p->user.umask.v : 0022);
	return init_die_with_monitor(st, err);
}

int init_capabilities(struct stage *st, struct err *err)
{
	int r = caps_apply(&st->spec->process->caps);

	return r < 0 ? err_set(err, r, "cannot set capabilities") : 0;
}

/* By an fd that no magic link led to: /proc/self/fd/N is no working directory. */
int init_work_dir(struct stage *st, struct err *err)
{
	const char *cwd = st->spec->process->cwd;
	auto_fd fd = inroot_open_dir(st->rootfs.root_fd, cwd);
	char here[PATH_MAX];

	if (fd < 0 || fchdir(fd) < 0)
		return err_set(
			err, fd < 0 ? fd : -errno, "cannot enter the working directory '%s'", cwd);
	if (syscall(SYS_getcwd, here, sizeof(here)) < 0 || here[0] != '/')
		return err_say(err, -EPERM, "the working directory '%s' is outside", cwd);
	return 0;
}

static void exec_under_init(struct stage *st, const char *const *env)
{
	const struct spec_process *p = st->spec->process;
	const char **argv = calloc(p->args.n + 3, sizeof(*argv));

	if (!argv)
		return;
	argv[0] = "lamina-init";
	argv[1] = st->program;
	memcpy(argv + 2, p->args.v, p->args.n * sizeof(*argv));
	(void)execveat(st->init_fd, "", (char *const *)(uintptr_t)argv,
		(char *const *)(uintptr_t)env, AT_EMPTY_PATH);
}

int init_exec(struct stage *st, struct err *err)
{
	const struct spec_process *p = st->spec->process;
	static const char *const no_env[] = { NULL };
	const char *const *env = (const char *const *)st->env;
	char what[256];

	/* A container without a process ends as it starts. */
	if (p->args.n == 0)
		_exit(0);
	if (!env)
		env = p->env.v ? (const char *const *)p->env.v : no_env;
	if (st->init_fd >= 0)
		exec_under_init(st, env);
	else
		(void)execve(st->program, (char *const *)p->args.v, (char *const *)(uintptr_t)env);
	snprintf(what, sizeof(what), "cannot run '%s'", p->args.v[0]);
	return program_failed(st, -errno, what, err);
}
