/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-runtime create, start, run
 *
 *      create: directory ─▶ stage up to "ready" ─▶ terminal to its socket ─▶ state.json ─▶ pid file
 *      start:  connect to the socket on which the container waits
 *      run:    both in one process, which stays as the monitor unless it is told to detach
 *
 * Whatever fails in create leaves neither a process nor a directory.
 */
#include "runtime/oci_create.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/sock.h"
#include "runtime/oci_bundle.h"
#include "runtime/oci_cgroup.h"
#include "runtime/oci_delete.h"
#include "runtime/oci_hooks.h"
#include "runtime/oci_listener.h"
#include "runtime/seccomp_cache.h"
#include "runtime/watch.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define OPT(name, letter, kind, field, meta, help)                                                 \
	{                                                                                          \
		name, letter, kind, offsetof(struct oci_create_opts, field), meta, help            \
	}
#define OPTS_OF_CREATE                                                                             \
	OPT("bundle", 'b', ARGS_STRING, bundle, "DIR", "the bundle; default: here"),               \
		OPT("config", 'f', ARGS_STRING, config, "FILE",                                    \
			"its configuration; default: config.json"),                                \
		OPT("console-socket", 0, ARGS_STRING, console_socket, "PATH",                      \
			"unix socket that gets the terminal"),                                     \
		OPT("pidfd-socket", 0, ARGS_STRING, pidfd_socket, "PATH",                          \
			"unix socket that gets a pidfd"),                                          \
		OPT("preserve-fds", 0, ARGS_U64, preserve_fds, "N",                                \
			"fds 3 to 2+N stay open for the program"),                                 \
		OPT("pid-file", 0, ARGS_STRING, pid_file, "FILE", "write the pid here"),           \
		OPT("no-pivot", 0, ARGS_FLAG, no_pivot, NULL, "chroot(2), for a root on a ramfs"), \
		OPT("no-new-keyring", 0, ARGS_FLAG, no_new_keyring, NULL,                          \
			"keep the session keyring"),                                               \
		OPT("no-subreaper", 0, ARGS_FLAG, no_subreaper, NULL, "taken, without effect")

static const struct args_opt create_opts[] = { OPTS_OF_CREATE, { 0 } };
static const struct args_opt run_opts[] = { OPTS_OF_CREATE,
	OPT("detach", 'd', ARGS_FLAG, detach, NULL, "return when the program has begun"),
	OPT("keep", 0, ARGS_FLAG, keep, NULL, "do not delete the container at its end"), { 0 } };

/* ---- what engines want to be told ---- */

int oci_send_fd(const char *path, int fd, const char *text, struct err *err)
{
	auto_fd sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_say(err, -ENAMETOOLONG, "the socket path '%s' is too long", path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(err, -errno, "cannot connect to '%s'", path);
	r = sock_send(sock, text, strlen(text), fd);
	return r < 0 ? err_set(err, r, "cannot send to '%s'", path) : 0;
}

int oci_write_pid(const char *path, pid_t pid, struct err *err)
{
	auto_free char *copy = strdup(path);
	auto_fd dirfd = -1;
	char text[16], *slash;
	int n, r;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot write the pid file");
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	dirfd = open(!slash ? "." : *copy ? copy : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = snprintf(text, sizeof(text), "%d", (int)pid);
	r = dirfd < 0 ? -errno
		      : at_replace_file(dirfd, slash ? slash + 1 : copy, text, (size_t)n, 0644, 0);
	return r < 0 ? err_set(err, r, "cannot write the pid file '%s'", path) : 0;
}

/* ---- the state ---- */

static char *created_now(void)
{
	struct timespec t;
	struct tm tm;
	char text[32];

	(void)clock_gettime(CLOCK_REALTIME, &t);
	(void)gmtime_r(&t.tv_sec, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return str_format("%s.%09ldZ", text, (long)t.tv_nsec);
}

static int describe(struct oci_create *c, struct err *err)
{
	const struct passwd *pw = getpwuid(geteuid());
	struct oci_state *s = &c->state;
	const char *root = c->spec->root.path;

	s->bundle = getcwd(NULL, 0);
	s->created = created_now();
	s->owner = pw ? strdup(pw->pw_name) : str_format("%u", (unsigned int)geteuid());
	if (s->bundle)
		s->rootfs = strdup(root);
	return s->rootfs && s->created && s->owner
		       ? 0
		       : err_set(err, -ENOMEM, "cannot describe the container");
}

static int check_terminal(const struct oci_create *c, struct err *err)
{
	const char *sock = c->opts->console_socket;
	bool terminal = c->spec->process && c->spec->process->terminal;

	if (terminal && !sock && (!c->run || c->opts->detach))
		return err_say(err, -EINVAL,
			"a terminal needs --console-socket: process.terminal is true");
	if (!terminal && sock)
		return err_say(err, -EINVAL,
			"--console-socket is of no use: process.terminal is not true");
	return 0;
}

/* ---- create ---- */

int oci_seccomp(struct oci *o, const struct sec_profile *p, struct sec_filter *ret, struct err *err)
{
	auto_fd cache = -1;

	if (mkdirat(o->root_fd, ".cache", 0700) == 0 || errno == EEXIST)
		cache = openat(
			o->root_fd, ".cache", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return cache < 0 ? sec_compile(p, ret, err) : sec_compile_cached(cache, p, ret, err);
}

static int hand_listener(void *arg, int listener_fd, pid_t pid, struct err *err)
{
	const struct oci_create *c = arg;

	return oci_listener_send(&c->state, c->spec, CTR_CREATED, listener_fd, pid, err);
}

static int prepare_stage(struct oci_create *c, struct err *err)
{
	struct stage *st = &c->stage;
	unsigned int listen_fds = 0;
	int r;

	r = oci_bundle_pass_fds(c->spec, &listen_fds);
	if (r < 0)
		return err_set(err, r, "cannot pass LISTEN_FDS");
	st->n_preserve_fds = (unsigned int)c->opts->preserve_fds + listen_fds;
	st->flags |= (c->opts->no_pivot ? STAGE_NO_PIVOT : 0) |
		     (c->opts->no_new_keyring ? STAGE_KEEP_KEYRING : 0);
	st->setgroups_denied |= oci_bundle_keeps_groups(c->spec);
	/* What only the caller may open goes in as fds; where the inside is no less, it opens. */
	if (!proc_has_cap(CAP_SYS_ADMIN) || !c->spec->ns[SPEC_NS_USER].on)
		st->flags |= STAGE_OPEN_INSIDE;
	if (c->run) {
		st->flags |= STAGE_DETACHED;
	} else {
		c->start_sock = oci_listen(c->state.dirfd, "start", err);
		if (c->start_sock < 0)
			return c->start_sock;
		st->start_sock = c->start_sock;
	}
	oci_hooks_prepare(c);
	st->hand_listener = hand_listener;
	if (c->spec->seccomp) {
		st->filter = &c->filter;
		r = oci_seccomp(c->oci, c->spec->seccomp, &c->filter, err);
	}
	if (r >= 0)
		r = st->flags & STAGE_OPEN_INSIDE
			    ? rootfs_init(&st->rootfs, c->spec, err)
			    : rootfs_open(&st->rootfs, c->spec, AT_FDCWD, -1, err);
	return r;
}

static int spawn(struct oci_create *c, struct err *err)
{
	int r;

	r = oci_cgroup_prepare(c, err);
	if (r >= 0)
		r = ctr_stage_spawn(&c->stage, err);
	if (r >= 0)
		r = proc_id_of(c->stage.pid, &c->state.init);
	/* From "ready" on it outlives us: then delete must find it, whatever becomes of us. */
	if (r >= 0)
		r = oci_state_write(&c->state, err);
	return r < 0 ? r : ctr_stage_wait_ready(&c->stage, err);
}

static int tell(struct oci_create *c, struct err *err)
{
	const struct oci_create_opts *o = c->opts;
	int r = 0;

	if (o->console_socket) {
		r = oci_send_fd(o->console_socket, c->stage.pty_fd, "/dev/ptmx", err);
		cleanup_fd(&c->stage.pty_fd);
		c->stage.pty_fd = -1;
	}
	if (r >= 0 && o->pidfd_socket)
		r = oci_send_fd(o->pidfd_socket, c->stage.pidfd, "pidfd", err);
	if (r >= 0 && o->pid_file)
		r = oci_write_pid(o->pid_file, c->stage.pid, err);
	return r;
}

/* What the engine takes for granted: a process, if only one that ends at once; a path from "/" on. */
static int complete(struct spec *s, struct err *err)
{
	auto_free char *here = s->root.path[0] == '/' ? NULL : getcwd(NULL, 0);
	auto_free char *root = here ? str_format("%s/%s", here, s->root.path) : NULL;

	if (root)
		s->root.path = spec_strdup(s, root);
	if (!s->process) {
		s->process = spec_alloc(s, 1, sizeof(*s->process));
		if (s->process)
			s->process->cwd = "/";
	}
	return s->process && s->root.path && (!here || root)
		       ? 0
		       : err_set(err, -ENOMEM, "cannot read the configuration");
}

static int make(struct oci_create *c, const char *id, struct err *err)
{
	auto_free char *text = NULL;
	int r;

	r = oci_bundle_read(c->opts->bundle, c->opts->config, &c->spec, &text, err);
	if (r >= 0)
		r = complete(c->spec, err);
	if (r >= 0)
		r = check_terminal(c, err);
	if (r < 0)
		return r;
	ctr_stage_init(&c->stage, c->spec);
	r = oci_state_make(c->oci, id, &c->state, err);
	if (r < 0)
		return r;
	c->made = true;
	r = describe(c, err);
	if (r >= 0 &&
		at_replace_file(c->state.dirfd, "config.json", text, strlen(text), 0600, 0) < 0)
		r = err_set(err, -errno, "cannot keep the configuration");
	if (r >= 0)
		r = prepare_stage(c, err);
	if (r >= 0)
		r = spawn(c, err);
	return r < 0 ? r : tell(c, err);
}

static void create_init(struct oci_create *c, struct oci *o, const struct oci_create_opts *opts)
{
	memset(c, 0, sizeof(*c));
	c->oci = o;
	c->opts = opts;
	c->start_sock = c->cgroup_fd = -1;
	c->state = (struct oci_state)OCI_STATE_INIT;
	ctr_stage_init(&c->stage, NULL);
}

/* @failed: undo what can be seen of it. */
static void create_done(struct oci_create *c, bool failed)
{
	struct err ignored = ERR_INIT;

	ctr_stage_done(&c->stage);
	cleanup_fd(&c->start_sock);
	cleanup_fd(&c->cgroup_fd);
	if (failed && c->made) {
		oci_cgroup_remove(&c->state);
		(void)oci_state_remove(c->oci, c->state.id, &ignored);
	}
	sec_filter_done(&c->filter);
	oci_state_done(&c->state);
	spec_free(c->spec);
}

static int run_create(struct oci *o, void *opts, char **args, struct err *err)
{
	struct oci_create c;
	int r;

	create_init(&c, o, opts);
	r = make(&c, args[0], err);
	if (r >= 0)
		ctr_stage_release(&c.stage);
	create_done(&c, r < 0);
	return r;
}

/* ---- start ---- */

/* A hook that fails ends the container. */
static int poststart(const struct oci_state *s, const struct spec *spec, struct err *err)
{
	int r = oci_hooks_run(s, spec, SPEC_HOOK_POSTSTART, CTR_RUNNING, err);
	auto_fd pidfd = r < 0 ? proc_open(&s->init) : -1;

	if (pidfd >= 0)
		(void)proc_kill(pidfd, SIGKILL);
	return r;
}

struct starter {
	const struct oci_state *state;
	const struct spec *spec;
};

/* In a later process than the one that made the container. */
static int hand_listener_at_start(void *arg, int listener_fd, pid_t unknown, struct err *err)
{
	const struct starter *s = arg;

	return oci_listener_send(
		s->state, s->spec, CTR_CREATED, listener_fd, s->state->init.pid, err);
}

static int run_start(struct oci *o, void *opts, char **args, struct err *err)
{
	auto_oci_state s = OCI_STATE_INIT;
	auto_spec *spec = NULL;
	struct stage st;
	int sock, r;

	r = oci_state_read(o, args[0], &s, err);
	if (r >= 0 && s.status != CTR_CREATED)
		r = err_say(err, -EINVAL, "cannot start container '%s': it is %s", s.id,
			state_name(s.status));
	if (r >= 0)
		r = oci_state_config(&s, &spec, err);
	if (r < 0)
		return r;
	sock = oci_connect(s.dirfd, "start");
	if (sock < 0)
		return err_set(err, sock, "cannot start container '%s'", s.id);
	(void)unlinkat(s.dirfd, "start", 0);
	r = complete(spec, err);
	if (r < 0) {
		(void)close(sock);
		return r;
	}
	ctr_stage_resume(&st, spec, sock);
	st.hand_listener = hand_listener_at_start;
	st.arg = &(struct starter){ &s, spec };
	r = ctr_stage_start(&st, err);
	ctr_stage_done(&st);
	return r < 0 ? r : poststart(&s, spec, err);
}

/* ---- run ---- */

static int watch(struct oci_create *c, struct watch *m, struct tty *tty, struct err *err)
{
	int r = watch_init(m, err);

	if (r >= 0 && c->stage.pty_fd >= 0) {
		tty_init(tty, STDIN_FILENO, STDOUT_FILENO);
		r = tty_attach(tty, fd_take(&c->stage.pty_fd), err);
		m->tty = tty;
	}
	if (r >= 0)
		r = ctr_stage_start(&c->stage, err);
	if (r >= 0)
		r = poststart(&c->state, c->spec, err);
	if (r >= 0) {
		m->pidfd = c->stage.pidfd;
		r = watch_run(m, err);
		ctr_stage_release(&c->stage);
	}
	tty_done(tty);
	watch_done(m);
	return r;
}

static int run_run(struct oci *o, void *opts, char **args, struct err *err)
{
	const struct oci_create_opts *given = opts;
	struct watch m = { .signal_fd = -1 };
	struct oci_create c;
	struct tty tty;
	bool failed;
	int r;

	create_init(&c, o, given);
	tty_init(&tty, -1, -1);
	c.run = true;
	r = make(&c, args[0], err);
	failed = r < 0;
	if (r >= 0 && !given->detach) {
		r = watch(&c, &m, &tty, err);
		if (!given->keep)
			oci_delete_stopped(&c.state, o, c.spec);
	} else if (r >= 0) {
		r = ctr_stage_start(&c.stage, err);
		if (r >= 0)
			r = poststart(&c.state, c.spec, err);
		if (r >= 0)
			ctr_stage_release(&c.stage);
		failed = r < 0;
	}
	create_done(&c, failed);
	return r;
}

const struct oci_verb oci_verb_create = { "create", "[OPTION]… ID", "make a container that waits",
	create_opts, sizeof(struct oci_create_opts), 1, 1, false, run_create };
const struct oci_verb oci_verb_start = { "start", "ID", "let the program of a created one begin",
	NULL, 0, 1, 1, false, run_start };
const struct oci_verb oci_verb_run = { "run", "[OPTION]… ID", "create and start in one", run_opts,
	sizeof(struct oci_create_opts), 1, 1, false, run_run };
