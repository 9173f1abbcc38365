/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-runtime exec
 *
 *      --process FILE, or the container's own process with what the options change
 *
 * Nothing is written down: the caller's exit code is the program's, or it has its pid.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtime/caps.h"
#include "runtime/cgroup.h"
#include "runtime/exec.h"
#include "runtime/oci_bundle.h"
#include "runtime/oci_listener.h"
#include "runtime/oci_cgroup.h"
#include "runtime/oci_create.h"
#include "runtime/spec_check.h"
#include "runtime/watch.h"

#include <fcntl.h>
#include <sys/ioctl.h>

struct exec_opts {
	const char *process, *cwd, *cgroup, *user, *pid_file, *process_label, *apparmor;
	const char *console_socket, *pidfd_socket;
	struct strv gids, env, caps;
	uint64_t preserve_fds;
	bool tty, detach, no_new_privs, ignore_paused, no_subreaper;
};

#define OPT(name, letter, kind, field, meta, help)                                                 \
	{                                                                                          \
		name, letter, kind, offsetof(struct exec_opts, field), meta, help                  \
	}

static const struct args_opt exec_opts[] = {
	OPT("process", 'p', ARGS_STRING, process, "FILE", "a process object of JSON: what to run"),
	OPT("tty", 't', ARGS_FLAG, tty, NULL, "with a terminal"),
	OPT("detach", 'd', ARGS_FLAG, detach, NULL, "return when the program has begun"),
	OPT("cwd", 0, ARGS_STRING, cwd, "DIR", "working directory"),
	OPT("user", 'u', ARGS_STRING, user, "UID[:GID]", "as whom"),
	OPT("additional-gids", 'g', ARGS_LIST, gids, "GID", "in this group too"),
	OPT("env", 'e', ARGS_LIST, env, "NAME=VALUE", "an environment variable"),
	OPT("cap", 'c', ARGS_LIST, caps, "CAP", "with this capability too"),
	OPT("no-new-privs", 0, ARGS_FLAG, no_new_privs, NULL, "without new privileges"),
	OPT("process-label", 0, ARGS_STRING, process_label, "LABEL", "SELinux label"),
	OPT("apparmor", 0, ARGS_STRING, apparmor, "PROFILE", "AppArmor profile"),
	OPT("cgroup", 0, ARGS_STRING, cgroup, "PATH", "in a cgroup below the container's"),
	OPT("preserve-fds", 0, ARGS_U64, preserve_fds, "N",
		"fds 3 to 2+N stay open for the program"),
	OPT("pid-file", 0, ARGS_STRING, pid_file, "FILE", "write the pid here"),
	OPT("console-socket", 0, ARGS_STRING, console_socket, "PATH",
		"unix socket that gets the terminal"),
	OPT("pidfd-socket", 0, ARGS_STRING, pidfd_socket, "PATH", "unix socket that gets a pidfd"),
	OPT("ignore-paused", 0, ARGS_FLAG, ignore_paused, NULL, "also in a paused container"),
	OPT("no-subreaper", 0, ARGS_FLAG, no_subreaper, NULL, "taken, without effect"),
	{ 0 },
};

struct exec {
	const struct exec_opts *opts;
	struct oci_state state;
	struct spec *spec; /* the container's */
	struct spec *given; /* of --process; NULL */
	struct sec_filter filter;
	struct stage stage;
	int pidfd, cgroup_fd;
};

/* ---- what is run ---- */

static int set_user(struct spec *spec, const char *text, struct err *err)
{
	struct spec_user *u = &spec->process->user;
	auto_free char *copy = strdup(text);
	char *colon = copy ? strchr(copy, ':') : NULL;
	uint64_t uid, gid = 0;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot set the user");
	if (colon)
		*colon = '\0';
	if (str_to_u64(copy, LIMIT_SPEC_ID, &uid) < 0 ||
		(colon && str_to_u64(colon + 1, LIMIT_SPEC_ID, &gid) < 0))
		return err_say(err, -EINVAL, "--user takes UID or UID:GID, not '%s'", text);
	u->uid = (uint32_t)uid;
	u->gid = (uint32_t)gid;
	u->n_gids = 0;
	return 0;
}

static int add_gids(struct spec *spec, const struct strv *gids, struct err *err)
{
	struct spec_user *u = &spec->process->user;
	uint32_t *v = spec_alloc(spec, u->n_gids + gids->n + 1, sizeof(*v));

	if (!v)
		return err_set(err, -ENOMEM, "cannot set the groups");
	if (u->n_gids > 0)
		memcpy(v, u->gids, u->n_gids * sizeof(*v));
	for (size_t i = 0; i < gids->n; i++) {
		uint64_t gid;

		if (str_to_u64(gids->v[i], LIMIT_SPEC_ID, &gid) < 0)
			return err_say(err, -EINVAL, "--additional-gids takes numbers, not '%s'",
				gids->v[i]);
		v[u->n_gids + i] = (uint32_t)gid;
	}
	u->gids = v;
	u->n_gids += gids->n;
	return 0;
}

static int add_caps(struct spec_caps *c, const struct strv *names, struct err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		int cap = caps_from_name(names->v[i]);

		if (cap < 0) { /* of a newer kernel, perhaps */
			log_warning("oci", "unknown capability '%s'", names->v[i]);
			continue;
		}
		c->set = true;
		c->bounding |= CAPS_BIT(cap);
		c->permitted |= CAPS_BIT(cap);
		c->effective |= CAPS_BIT(cap);
	}
	return 0;
}

static int set_args(struct spec *spec, char **args, struct err *err)
{
	size_t n = 0;
	const char **v;

	while (args[n])
		n++;
	v = spec_alloc(spec, n + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "cannot set the command");
	for (size_t i = 0; i < n; i++)
		v[i] = args[i];
	spec->process->args = (struct spec_list){ v, n };
	return 0;
}

/* The container's own process with what the options change. */
static int change_process(struct exec *x, char **args, struct err *err)
{
	const struct exec_opts *o = x->opts;
	struct spec_process *p = x->spec->process;
	int r = 0;

	p->terminal = o->tty;
	if (args[0])
		r = set_args(x->spec, args, err);
	else
		return err_say(err, -EINVAL, "exec takes a command or --process");
	if (r >= 0 && o->user)
		r = set_user(x->spec, o->user, err);
	if (r >= 0 && o->gids.n > 0)
		r = add_gids(x->spec, &o->gids, err);
	if (r >= 0)
		r = add_caps(&p->caps, &o->caps, err);
	for (size_t i = 0; r >= 0 && i < o->env.n; i++)
		if (oci_bundle_add_env(x->spec, o->env.v[i]) < 0)
			r = err_set(err, -ENOMEM, "cannot set the environment");
	if (o->cwd)
		p->cwd = o->cwd;
	if (o->process_label)
		p->selinux_label = o->process_label;
	if (o->apparmor)
		p->apparmor_profile = o->apparmor;
	p->no_new_privs |= o->no_new_privs;
	return r;
}

static int read_process(struct exec *x, struct err *err)
{
	const char *path = x->opts->process;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_free char *text = NULL;
	size_t len;
	int r = fd < 0 ? -errno : fd_read_file(fd, LIMIT_SPEC_BYTES, &text, &len);

	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	r = spec_parse_process(text, len, &x->given, err);
	if (r < 0)
		return err_wrap(err, r, "'%s'", path);
	x->spec->process = x->given->process;
	if (x->opts->tty)
		x->spec->process->terminal = true;
	return 0;
}

static int find_process(struct exec *x, char **args, struct err *err)
{
	int r;

	r = oci_state_config(&x->state, &x->spec, err);
	if (r >= 0 && !x->spec->process)
		r = err_say(err, -EINVAL, "the configuration has no process");
	if (r >= 0)
		r = x->opts->process ? read_process(x, err) : change_process(x, args, err);
	if (r >= 0 && x->spec->process->terminal && x->opts->detach && !x->opts->console_socket)
		r = err_say(err, -EINVAL, "a detached terminal needs --console-socket");
	return r < 0 ? r : spec_check_process(x->spec->process, err);
}

/* ---- where ---- */

static int enter(void *arg, pid_t pid, struct err *err)
{
	const struct exec *x = arg;

	return cgroup_add(x->cgroup_fd, pid, err);
}

static int hand_listener(void *arg, int listener_fd, pid_t pid, struct err *err)
{
	const struct exec *x = arg;

	return oci_listener_send(&x->state, x->spec, CTR_RUNNING, listener_fd, pid, err);
}

/* Next to the container's first process, or below that. */
static int find_cgroup(struct exec *x, struct err *err)
{
	const char *below = x->opts->cgroup;
	int fd = oci_cgroup_open(&x->state);

	if (fd == -ENOENT && !below)
		return 0;
	if (fd < 0)
		return err_set(err, fd, "cannot open the container's cgroup");
	x->cgroup_fd = fd;
	if (below && !str_eq(below, "/")) {
		x->cgroup_fd = at_open(fd, below + strspn(below, "/"), O_RDONLY | O_DIRECTORY, 0);
		(void)close(fd);
	}
	if (x->cgroup_fd < 0)
		return err_set(err, x->cgroup_fd, "cannot open the cgroup '%s'", below);
	x->stage.enter_cgroup = enter;
	return 0;
}

static int prepare(struct exec *x, struct oci *o, const char *id, char **args, struct err *err)
{
	int r = oci_state_read(o, id, &x->state, err);

	if (r < 0)
		return r;
	if (x->state.status == CTR_STOPPED)
		return err_say(err, -ESRCH, "container not running: '%s' is stopped", id);
	if (x->state.status == CTR_PAUSED && !x->opts->ignore_paused)
		return err_say(err, -EBUSY, "container '%s' is paused", id);
	x->pidfd = oci_state_pidfd(&x->state, err);
	if (x->pidfd < 0)
		return x->pidfd;
	r = find_process(x, args, err);
	if (r < 0)
		return r;
	ctr_exec_init(&x->stage, x->spec, x->pidfd);
	x->stage.setgroups_denied |= oci_bundle_keeps_groups(x->spec);
	x->stage.hand_listener = hand_listener;
	x->stage.arg = x;
	x->stage.flags |= STAGE_DETACHED;
	x->stage.n_preserve_fds = (unsigned int)x->opts->preserve_fds;
	r = find_cgroup(x, err);
	if (r >= 0 && x->spec->seccomp) {
		x->stage.filter = &x->filter;
		r = oci_seccomp(o, x->spec->seccomp, &x->filter, err);
	}
	return r;
}

/* ---- running it ---- */

static int tell(struct exec *x, struct err *err)
{
	const struct exec_opts *o = x->opts;
	int r = 0;

	if (x->stage.pty_fd >= 0 && o->console_socket) {
		r = oci_send_fd(o->console_socket, x->stage.pty_fd, "/dev/ptmx", err);
		cleanup_fd(&x->stage.pty_fd);
		x->stage.pty_fd = -1;
	}
	if (r >= 0 && o->pidfd_socket)
		r = oci_send_fd(o->pidfd_socket, x->stage.pidfd, "pidfd", err);
	if (r >= 0 && o->pid_file)
		r = oci_write_pid(o->pid_file, x->stage.pid, err);
	return r;
}

static int watch(struct exec *x, struct err *err)
{
	struct watch m = { .signal_fd = -1 };
	struct tty tty;
	int r;

	tty_init(&tty, -1, -1);
	r = watch_init(&m, err);
	if (r >= 0 && x->stage.pty_fd >= 0) {
		tty_init(&tty, STDIN_FILENO, STDOUT_FILENO);
		r = tty_attach(&tty, fd_take(&x->stage.pty_fd), err);
		m.tty = &tty;
	}
	if (r >= 0)
		r = ctr_stage_start(&x->stage, err);
	if (r >= 0) {
		m.pidfd = x->stage.pidfd;
		r = watch_run(&m, err);
		ctr_stage_release(&x->stage);
	}
	tty_done(&tty);
	watch_done(&m);
	return r;
}

static int run_exec(struct oci *o, void *opts, char **args, struct err *err)
{
	struct exec x = { .opts = opts, .state = OCI_STATE_INIT, .pidfd = -1, .cgroup_fd = -1 };
	int r;

	ctr_stage_init(&x.stage, NULL);
	r = prepare(&x, o, args[0], args + 1, err);
	if (r >= 0)
		r = ctr_stage_spawn(&x.stage, err);
	if (r >= 0)
		r = ctr_stage_wait_ready(&x.stage, err);
	if (r >= 0)
		r = tell(&x, err);
	if (r >= 0 && !x.opts->detach) {
		r = watch(&x, err);
	} else if (r >= 0) {
		r = ctr_stage_start(&x.stage, err);
		if (r >= 0)
			ctr_stage_release(&x.stage);
	}
	ctr_stage_done(&x.stage);
	sec_filter_done(&x.filter);
	cleanup_fd(&x.pidfd);
	cleanup_fd(&x.cgroup_fd);
	oci_state_done(&x.state);
	spec_free(x.spec);
	spec_free(x.given);
	return r;
}

const struct oci_verb oci_verb_exec = { "exec", "[OPTION]… ID [COMMAND [ARG]…]",
	"run a further program in a container", exec_opts, sizeof(struct exec_opts), 1, -1, true,
	run_exec };
