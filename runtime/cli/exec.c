/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: exec
 *
 * The program joins the container by the pidfd of its first process and is our own child; nothing
 * is written down.  What it may do is what the container's own process may.
 */
#include "runtime/exec.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/attach.h"
#include "runtime/caps.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/user.h"
#include "runtime/client.h"
#include "runtime/seccomp_cache.h"
#include "runtime/spec_check.h"
#include "runtime/spec_env.h"
#include "runtime/watch.h"

#include <fcntl.h>
#include <sys/wait.h>

struct exec_opts {
	struct ctl_choice choice;
	bool detach, interactive, tty, privileged;
	const char *user, *workdir;
	struct strv env, env_file;
	uint64_t preserve_fds;
};

struct exec {
	const struct exec_opts *o;
	struct control_ctr ctr;
	struct spec *spec;
	struct sec_filter filter;
	struct stage stage;
	struct strv env;
	int pidfd;
};

/* ---- what is run ---- */

static int set_args(struct spec *spec, char **words, size_t n, struct err *err)
{
	const char **v = spec_alloc(spec, n + 1, sizeof(*v));

	if (!v)
		return err_set(err, -ENOMEM, "cannot set the command");
	for (size_t i = 0; i < n; i++)
		v[i] = words[i];
	spec->process->args = (struct spec_list){ v, n };
	return 0;
}

static int add_env_files(struct exec *x, struct err *err)
{
	for (size_t i = 0; i < x->o->env_file.n; i++) {
		auto_free char *text = NULL;
		size_t len;
		int r = fd_read_named(x->o->env_file.v[i], LIMIT_ENV_FILE_BYTES, &text, &len);

		if (r < 0)
			return err_set(err, r, "cannot read '%s'", x->o->env_file.v[i]);
		r = env_add_file(&x->env, text, len, environ, err);
		if (r < 0)
			return err_wrap(err, r, "'%s'", x->o->env_file.v[i]);
	}
	return 0;
}

/* The container's, with what was asked for in place of it. */
static int set_env(struct exec *x, const char *home, struct err *err)
{
	struct spec_process *p = x->spec->process;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->env.n; i++)
		r = env_set(&x->env, p->env.v[i]);
	if (r >= 0 && home) {
		auto_free char *pair = str_format("HOME=%s", home);

		r = pair ? env_set(&x->env, pair) : -ENOMEM;
	}
	if (r >= 0 && x->o->tty)
		r = env_set_default(&x->env, "TERM", "xterm");
	if (r < 0)
		return err_set(err, r, "cannot set the environment");
	r = add_env_files(x, err);
	for (size_t i = 0; r >= 0 && i < x->o->env.n; i++)
		r = env_add_option(&x->env, x->o->env.v[i], environ, err);
	p->env = (struct spec_list){ (const char **)x->env.v, x->env.n };
	return r;
}

/* Another user than the container's has no more capabilities than a real change of user leaves. */
static int set_user(struct exec *x, char **ret_home, struct err *err)
{
	struct spec_user *u = &x->spec->process->user;
	struct spec_caps *caps = &x->spec->process->caps;
	auto_userdb_user found = { 0 };
	auto_fd root = -1;
	int r;

	if (!x->o->user)
		return 0;
	root = control_open_root(&x->ctr.record, x->pidfd, err);
	if (root < 0)
		return root;
	r = user_find(root, x->o->user, NULL, &found, err);
	if (r < 0)
		return r;
	u->uid = found.uid;
	u->gid = found.gid;
	u->n_gids = 0;
	u->gids = spec_alloc(x->spec, found.n_gids, sizeof(*u->gids));
	*ret_home = strdup(found.home ? found.home : "/");
	if (!u->gids || !*ret_home)
		return err_set(err, -ENOMEM, "cannot set the user");
	if (found.n_gids > 0)
		memcpy(u->gids, found.gids, found.n_gids * sizeof(*u->gids));
	u->n_gids = found.n_gids;
	caps->effective = caps->permitted = u->uid == 0 ? caps->bounding : 0;
	caps->inheritable = caps->ambient = 0;
	return 0;
}

static int change_process(struct exec *x, char **words, size_t n, struct err *err)
{
	struct spec_process *p = x->spec->process;
	auto_free char *home = NULL;
	int r;

	p->terminal = x->o->tty;
	if (x->o->workdir)
		p->cwd = x->o->workdir;
	if (p->cwd[0] != '/')
		return err_say(err, -EINVAL, "'%s' is not an absolute path", p->cwd);
	r = set_args(x->spec, words, n, err);
	if (r >= 0)
		r = set_user(x, &home, err);
	if (r >= 0)
		r = set_env(x, home, err);
	if (x->o->privileged) {
		p->caps.set = true;
		p->caps.bounding = p->caps.effective = p->caps.permitted = CAPS_ALL;
		p->no_new_privs = false;
	}
	return r < 0 ? r : spec_check_process(p, err);
}

static int prepare(
	struct exec *x, struct ctl *ctl, const char *ref, char **words, size_t n, struct err *err)
{
	int r;

	r = control_open(&ctl->c, ref, &x->ctr, err);
	if (r >= 0)
		r = control_spec(&ctl->c, x->ctr.record.id, &x->spec, err);
	if (r < 0)
		return r;
	if (x->ctr.record.state == CTR_PAUSED) {
		err_say(err, -EBUSY, "it is paused");
		return err_hint(err, -EBUSY, "lamina unpause %s", ref);
	}
	x->pidfd = control_init(&x->ctr.record, err);
	if (x->pidfd < 0)
		return err_hint(err, x->pidfd, "lamina start %s", ref);
	r = change_process(x, words, n, err);
	if (r < 0)
		return r;
	ctr_exec_init(&x->stage, x->spec, x->pidfd);
	x->stage.setgroups_denied = ctl->ns.single_id;
	x->stage.n_preserve_fds = (unsigned int)x->o->preserve_fds;
	if (x->spec->seccomp && !x->o->privileged) {
		r = sec_compile_cached(ctl->c.rundir_fd, x->spec->seccomp, &x->filter, err);
		x->stage.filter = &x->filter;
	}
	return r;
}

/* ---- running it ---- */

static int start(struct exec *x, struct watch *w, struct err *err)
{
	int inside[3] = { -1, -1, -1 };
	int r = 0;

	if (x->o->detach)
		x->stage.stdio[0] = x->stage.stdio[1] = x->stage.stdio[2] = -1;
	if (!x->o->interactive)
		x->stage.stdio[0] = -1;
	if (!x->o->tty && w)
		r = watch_pipes(w, x->stage.stdio, inside, err);
	if (r >= 0)
		r = ctr_stage_spawn(&x->stage, err);
	for (int i = 0; i < 3; i++)
		cleanup_fd(&inside[i]);
	return r < 0 ? r : ctr_stage_wait_ready(&x->stage, err);
}

static int watch_program(struct exec *x, struct watch *w, struct err *err)
{
	struct tty tty;
	int r = 0;

	tty_init(&tty, x->o->interactive ? STDIN_FILENO : -1, STDOUT_FILENO);
	if (x->stage.pty_fd >= 0) {
		r = tty_attach(&tty, fd_take(&x->stage.pty_fd), err);
		w->tty = &tty;
	}
	if (r >= 0)
		r = ctr_stage_start(&x->stage, err);
	if (r >= 0) {
		w->pidfd = x->stage.pidfd;
		r = watch_run(w, err);
		ctr_stage_release(&x->stage);
	}
	tty_done(&tty);
	return r;
}

static int run_program(struct exec *x, struct err *err)
{
	struct watch w = { .signal_fd = -1 };
	int r;

	r = watch_init(&w, err);
	if (r >= 0)
		r = start(x, &w, err);
	if (r >= 0)
		r = watch_program(x, &w, err);
	watch_done(&w);
	return r;
}

/*
 * Who started it stays until it has ended: a process that nobody reaps would keep the container's
 * pid namespace from ending.
 */
static int run_detached(struct exec *x, int sock, struct err *err)
{
	struct attach_msg m = { .kind = ATTACH_STARTED };
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r;

	r = start(x, NULL, err);
	if (r >= 0)
		r = ctr_stage_start(&x->stage, err);
	if (r < 0)
		return r;
	ctr_stage_release(&x->stage);
	(void)attach_send(sock, &m, 0, ATTACH_WAIT);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		(void)dup2(null, fd);
	return 0;
}

static int run_in(struct cli *cli, const struct exec_opts *o, char **argv, int argc, int sock)
{
	struct exec x = { .o = o, .pidfd = -1 };
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r, code;

	ctr_stage_init(&x.stage, NULL);
	r = ctl_open(&ctl, cli, CTL_ENTER, &err);
	if (r >= 0)
		r = prepare(&x, &ctl, argv[0], argv + 1, (size_t)argc - 1, &err);
	if (r >= 0)
		r = o->detach ? run_detached(&x, sock, &err) : run_program(&x, &err);
	code = r >= 0 ? r : x.stage.exit_code;
	if (r < 0)
		err_wrap(&err, r, "cannot run '%s' in '%s'", argv[1], argv[0]);
	if (r < 0 && o->detach)
		client_failed(sock, r, code, &err);
	else if (r < 0)
		(void)cli_fail(&err);
	else if (o->detach)
		while (waitpid(x.stage.pid, NULL, 0) < 0 && errno == EINTR)
			;
	ctr_stage_done(&x.stage);
	sec_filter_done(&x.filter);
	spec_free(x.spec);
	strv_done(&x.env);
	control_ctr_done(&x.ctr);
	cleanup_fd(&x.pidfd);
	ctl_close(&ctl);
	return code;
}

static int exec_named(struct cli *cli, const struct exec_opts *o, int argc, char **argv)
{
	struct client c = CLIENT_INIT;
	struct err err = ERR_INIT;
	char id[CLIENT_ID_BYTES];
	int sock, r, code = EXIT_LAMINA;

	if (!o->detach)
		return run_in(cli, o, argv, argc, -1);
	r = client_fork(&c, &sock, &err);
	if (r == 0)
		_exit(run_in(cli, o, argv, argc, sock));
	if (r > 0)
		r = client_wait_started(&c, id, &code, &err);
	client_done(&c, r < 0);
	if (r >= 0)
		return 0;
	(void)cli_fail(&err);
	return code;
}

static int run_exec(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct exec_opts *o = opts;
	auto_free char **words = NULL;
	char id[CTR_ID_LEN + 1];
	struct err err = ERR_INIT;
	struct ctl ctl;
	int r;

	if (!o->choice.latest && argc >= 2)
		return exec_named(cli, o, argc, argv);
	if (!o->choice.latest) {
		err_say(&err, -EINVAL, "no command was named");
		err_hint(&err, -EINVAL, "lamina exec CONTAINER CMD");
		return cli_fail(&err);
	}
	r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0)
		r = ctl_latest(&ctl, id, &err);
	ctl_close(&ctl);
	words = calloc((size_t)argc + 2, sizeof(*words));
	if (!words)
		r = err_set(&err, -ENOMEM, "command");
	if (r < 0)
		return cli_fail(&err);
	words[0] = id;
	memcpy(words + 1, argv, (size_t)argc * sizeof(*words));
	return exec_named(cli, o, argc + 1, words);
}

static const struct args_opt exec_table[] = {
	{ "detach", 'd', ARGS_FLAG, offsetof(struct exec_opts, detach), NULL,
		"let it run in the background" },
	{ "env", 'e', ARGS_LIST, offsetof(struct exec_opts, env), "NAME[=VALUE]",
		"set an environment variable, or pass one on" },
	{ "env-file", 0, ARGS_LIST, offsetof(struct exec_opts, env_file), "FILE",
		"read environment variables from a file" },
	{ "interactive", 'i', ARGS_FLAG, offsetof(struct exec_opts, interactive), NULL,
		"keep stdin open" },
	CTL_LATEST(struct exec_opts, choice),
	{ "preserve-fds", 0, ARGS_U64, offsetof(struct exec_opts, preserve_fds), "N",
		"pass N files on, from number 3" },
	{ "privileged", 0, ARGS_FLAG, offsetof(struct exec_opts, privileged), NULL,
		"all capabilities, no filter" },
	{ "tty", 't', ARGS_FLAG, offsetof(struct exec_opts, tty), NULL,
		"give the program a terminal" },
	{ "user", 'u', ARGS_STRING, offsetof(struct exec_opts, user), "USER[:GROUP]",
		"instead of the container's" },
	{ "workdir", 'w', ARGS_STRING, offsetof(struct exec_opts, workdir), "PATH",
		"instead of the container's" },
	{ 0 },
};

const struct cli_verb cli_verbs_exec[] = {
	{ "exec", "[OPTION]… CONTAINER CMD [ARG]…", "run a command in a running container",
		exec_table, sizeof(struct exec_opts), 1, -1, true, run_exec,
		.enters_container = true },
	{ 0 },
};
