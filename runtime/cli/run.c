/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: run, create
 *
 *      image ─▶ container ─▶ root ─▶ who the user is ─▶ config.json ─▶ engine ─▶ code
 *
 * `run` starts a monitor and is its client.  Nothing is printed but errors, and the id of a
 * container that runs on: stdout and stderr are the container's.
 */
#include "runtime/cli/run.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/cli/user.h"
#include "runtime/control.h"
#include "runtime/nsshare.h"
#include "runtime/rundir.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec_json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define LIMIT_SECCOMP_BYTES (4 << 20)

/* ---- config.json ---- */

static int load_seccomp(const char *path, json_t **ret, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = fd_read_named(path, LIMIT_SECCOMP_BYTES, &text, &len);

	return r < 0 ? err_set(err, r, "cannot read '%s'", path)
		     : spec_json_parse(text, len, path, ret, err);
}

static bool is_host(const char *mode)
{
	return mode && str_eq(mode, "host");
}

/* Which one it is each start finds out: see boot_start(). */
static void join_placeholder(struct spec_make *m, const char *share)
{
	static const struct {
		const char *word, *path;
		enum spec_ns ns;
	} known[] = {
		{ "user=", "/proc/self/ns/user", SPEC_NS_USER },
		{ "pid=", "/proc/self/ns/pid", SPEC_NS_PID },
		{ "uts=", "/proc/self/ns/uts", SPEC_NS_UTS },
		{ "cgroup=", "/proc/self/ns/cgroup", SPEC_NS_CGROUP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_starts(share, known[i].word)) {
			m->ns[known[i].ns].mode = SPEC_MAKE_JOIN;
			m->ns[known[i].ns].path = known[i].path;
		}
}

static void fill_namespaces(const struct run *run, struct spec_make *m)
{
	static const enum spec_ns always[] = { SPEC_NS_USER, SPEC_NS_MNT, SPEC_NS_PID, SPEC_NS_IPC,
		SPEC_NS_UTS, SPEC_NS_CGROUP };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		m->ns[always[i]].mode = SPEC_MAKE_NEW;
	for (size_t i = 0; i < run->b.c.opts.shares.n; i++)
		join_placeholder(m, run->b.c.opts.shares.v[i]);
	if (is_host(run->opts->pid))
		m->ns[SPEC_NS_PID].mode = SPEC_MAKE_HOST;
	if (is_host(run->opts->ipc))
		m->ns[SPEC_NS_IPC].mode = SPEC_MAKE_HOST;
	if (is_host(run->opts->uts))
		m->ns[SPEC_NS_UTS].mode = SPEC_MAKE_HOST;
	if (is_host(run->opts->cgroupns))
		m->ns[SPEC_NS_CGROUP].mode = SPEC_MAKE_HOST;
	if (run->b.network.mode.kind == NETMODE_NS ||
		run->b.network.mode.kind == NETMODE_CONTAINER) {
		m->ns[SPEC_NS_NET].mode = SPEC_MAKE_JOIN;
		m->ns[SPEC_NS_NET].path = "/proc/self/ns/net"; /* see boot_start() */
	} else if (run->b.network.mode.kind != NETMODE_HOST) {
		m->ns[SPEC_NS_NET].mode = SPEC_MAKE_NEW;
	}
}

static int dump_config(struct run *run, const struct spec_make *m, struct err *err)
{
	auto_buf text = { 0 };
	auto_json *doc = NULL;
	int r;

	r = spec_make(m, &doc, err);
	if (r < 0)
		return r;
	if (spec_json_dump(doc, &text) < 0)
		return err_set(err, -ENOMEM, "config.json");
	return ctr_configure(&run->b.c, text.data, text.len, err);
}

static int make_config(struct run *run, const struct userdb_user *user, struct err *err)
{
	const struct run_opts *o = run->opts;
	auto_json *seccomp = NULL;
	struct utsname uts = { 0 };
	struct sec_host host;
	struct spec_make m = {
		.id = run->b.c.dir.id,
		.rootfs = "rootfs",
		.image = run->b.image_config,
		.flags = run->plan.flags,
		.entrypoint = o->entrypoint,
		.command = run->command,
		.n_command = run->n_command,
		.no_default_env = o->unsetenv_all,
		.unset_env = &o->unsetenv,
		.env = &run->plan.env,
		.workdir = o->workdir,
		.user = user,
		.cap_add = &o->cap_add,
		.cap_drop = &o->cap_drop,
		.rlimits = run->plan.rlimits,
		.n_rlimits = run->plan.n_rlimits,
		.stop_signal = o->stop_signal,
		.hostname = o->hostname,
		.volumes = run->plan.volumes,
		.n_volumes = run->plan.n_volumes,
		.files = { .hosts = "hosts", .resolv_conf = "resolv.conf", .hostname = "hostname" },
		.cgroup = SPEC_MAKE_CGROUP_RO,
		.mask = &run->plan.mask,
		.unmask = &run->plan.unmask,
		.proc_opts = &run->plan.proc_opts,
		.apparmor = run->plan.apparmor,
		.personality = o->personality,
		.limits = run->plan.limits,
		.shm_bytes = run->plan.shm_bytes,
		.umask = run->plan.umask,
		.oom_score_adj = run->plan.oom_score_adj,
		.sysctls = &o->sysctl,
		.annotations = &o->annotation,
		.host = &host,
	};
	int r = 0;

	(void)uname(&uts);
	sec_host_init(&host, uts.release);
	if (o->no_hosts)
		m.files.hosts = NULL;
	fill_namespaces(run, &m);
	if (run->plan.seccomp_path)
		r = load_seccomp(run->plan.seccomp_path, &seccomp, err);
	m.seccomp_profile = seccomp;
	m.uid_map = &run->b.uids;
	m.gid_map = &run->b.gids;
	if (r >= 0)
		r = dump_config(run, &m, err);
	return r;
}

/* ---- the record ---- */

static int describe(struct run *run, struct err *err)
{
	struct record *rec = &run->b.c.record;
	const struct spec_list *args = &run->b.c.spec->process->args;
	char image_id[DIGEST_TEXT_BYTES];
	auto_buf command = { 0 };

	for (size_t i = 0; i < args->n; i++)
		if (buf_printf(&command, "%s%s", i ? " " : "", args->v[i]) < 0)
			return err_set(err, -ENOMEM, "cannot describe the container");
	rec->command = buf_take(&command);
	rec->image = strdup(run->b.img.name ? run->b.img.name : run->image_name);
	if (!run->opts->rootfs) {
		digest_text(&run->b.img.config_digest, image_id);
		rec->image_id = strdup(image_id);
	}
	return rec->command && rec->image ? 0
					  : err_set(err, -ENOMEM, "cannot describe the container");
}

static int find_user(struct run *run, struct userdb_user *ret, struct err *err)
{
	const struct usernsmode *mode = &run->plan.userns;
	const char *name = run->opts->user;
	char own[32];
	int r;

	snprintf(own, sizeof(own), "%u:%u", mode->uid, mode->gid);
	if (!name && mode->kind == USERNSMODE_KEEP_ID)
		name = own;
	if (!name)
		name = json_get_str(json_object_get(run->b.image_config, "config"), "User");
	r = user_find(run->b.root_mount, name, &run->plan.groups, ret, err);
	return r < 0 ? rootproc_explain(&run->b.c.root, r, err) : 0;
}

/* ---- making it ---- */

/* Programs ask what the user is called; under keep-id, what the caller is. */
static int add_user(struct run *run, const struct userdb_user *user, struct err *err)
{
	const struct usernsmode *mode = &run->plan.userns;
	struct user_entry e = { .uid = user->uid, .gid = user->gid, .home = user->home };

	if (mode->kind == USERNSMODE_KEEP_ID && user->uid == mode->uid) {
		e.name = run->plan.caller_name;
		e.gecos = run->plan.caller_gecos;
	}
	return user_add(run->b.root_mount, &e, err);
}

/* Enough ids for the user that it runs as, if that is a number. */
static int size_auto(struct run *run, struct err *err)
{
	const char *user = run->opts->user;
	struct usernsmode *mode = &run->plan.userns;
	auto_free char *name = NULL;
	uint64_t uid;

	if (mode->kind != USERNSMODE_AUTO || mode->size > 0)
		return 0;
	if (!user)
		user = json_get_str(json_object_get(run->b.image_config, "config"), "User");
	name = user ? strndup(user, strcspn(user, ":")) : NULL;
	mode->size = USERNSMODE_AUTO_SIZE;
	if (name && str_to_u64(name, INT32_MAX - 1, &uid) == 0 && uid >= mode->size)
		mode->size = (uint32_t)uid + 1;
	free(run->b.c.opts.userns);
	run->b.c.opts.userns = usernsmode_text(mode);
	return run->b.c.opts.userns ? 0 : err_set(err, -ENOMEM, "options");
}

/* A new container with its files, its root mounted. */
static int make(struct run *run, struct err *err)
{
	auto_userdb_user user = { 0 };
	struct boot *b = &run->b;
	int r;

	r = ctr_begin(&b->c, img_store_path(b->store), run->opts->name, err);
	if (r < 0)
		return r;
	b->c.record.auto_remove = run->opts->rm;
	r = size_auto(run, err);
	if (r >= 0)
		r = boot_root(b, err);
	if (r >= 0)
		r = find_user(run, &user, err);
	if (r >= 0)
		r = run_make_volumes(run, err);
	if (r >= 0)
		r = run_prepare_volumes(run, user.uid, user.gid, err);
	if (r >= 0 && !user.name && !run->opts->no_passwd && !run->opts->rootfs)
		r = add_user(run, &user, err);
	if (r >= 0)
		r = make_config(run, &user, err);
	return r < 0 ? r : describe(run, err);
}

/* ---- before it is made ---- */

/* Users are shared with processes: a procfs can be mounted by root of its namespace alone. */
static int share_namespaces(struct run *run, struct err *err)
{
	const struct {
		enum spec_ns ns;
		const char *value;
	} wanted[] = { { SPEC_NS_PID, run->opts->pid }, { SPEC_NS_UTS, run->opts->uts },
		{ SPEC_NS_CGROUP, run->opts->cgroupns } };
	struct ctropts *o = &run->b.c.opts;
	int store_fd = img_store_dirfd(run->b.store), r = 0;
	const char *users = NULL;

	if (run->plan.userns.kind == USERNSMODE_CONTAINER)
		users = run->opts->userns;
	else if (!run->opts->userns && nsshare_is(run->opts->pid) &&
		 str_starts(run->opts->pid, "container:"))
		users = run->opts->pid;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(wanted); i++)
		if (nsshare_is(wanted[i].value))
			r = nsshare_add(&o->shares, store_fd, wanted[i].ns, wanted[i].value, err);
	if (r < 0 || !users)
		return r;
	r = nsshare_add(&o->shares, store_fd, SPEC_NS_USER, users, err);
	if (r < 0)
		return r;
	free(o->userns);
	o->userns = strdup(strchr(o->shares.v[o->shares.n - 1], '=') + 1);
	return o->userns ? 0 : err_set(err, -ENOMEM, "namespaces");
}

/* What has the name, unless it is somebody else's by now. */
static int replace(struct run *run, struct err *err)
{
	struct userns ns = USERNS_INIT;
	struct control ctl = { .store_fd = img_store_dirfd(run->b.store) };
	int r;

	if (!run->opts->replace)
		return 0;
	if (!run->opts->name)
		return err_say(err, -EINVAL, "--replace needs --name");
	r = userns_enter(&ns, err);
	if (r < 0)
		return r;
	ctl.rundir_fd = ns.rundir_fd;
	r = control_remove(&ctl, run->opts->name, CONTROL_FORCE, err);
	userns_leave(&ns);
	return r;
}

/* As if it had been typed, with what it shows on stderr. */
static int pull(const struct run *run, struct err *err)
{
	char platform[PLATFORM_TEXT_BYTES];
	const char *argv[16] = { "lamina", "--root", img_store_path(run->b.store), "pull" };
	size_t n = 4;
	int status;
	pid_t pid;

	if (run->opts->quiet)
		argv[n++] = "--quiet";
	if (run->opts->no_tls_verify)
		argv[n++] = "--tls-verify=false";
	if (run->opts->authfile) {
		argv[n++] = "--authfile";
		argv[n++] = run->opts->authfile;
	}
	if (run->plan.platform.os[0]) {
		platform_text(&run->plan.platform, platform);
		argv[n++] = "--platform";
		argv[n++] = platform;
	}
	argv[n++] = run->image_name;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
		_exit(EXIT_LAMINA);
	}
	if (pid < 0)
		return err_set(err, -errno, "cannot pull the image");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : err_say(err, -ENOENT, "its image could not be pulled");
}

/* -ENOENT also if the store has it for another platform than was asked for. */
static int take_image(struct run *run, struct err *err)
{
	const struct platform *want = &run->plan.platform;
	struct platform have;
	const char *os, *arch;
	int r = boot_image(&run->b, run->image_name, err);

	if (r < 0 || !want->os[0])
		return r;
	os = json_get_str(run->b.image_config, "os");
	arch = json_get_str(run->b.image_config, "architecture");
	if (os && arch &&
		platform_set(&have, os, arch, json_get_str(run->b.image_config, "variant")) == 0 &&
		platform_rank(want, &have) > 0)
		return 0;
	r = err_say(err, -ENOENT, "the image in the store is for %s/%s", os ? os : "?",
		arch ? arch : "?");
	err_hint(err, r, "lamina pull --platform %s/%s %s", want->os, want->arch, run->image_name);
	boot_drop_image(&run->b);
	return r;
}

static int find_image(struct run *run, struct err *err)
{
	const char *when = run->opts->pull ? run->opts->pull : "missing";
	int r = str_eq(when, "always") ? pull(run, err) : 0;

	if (r < 0)
		return r;
	r = take_image(run, err);
	if (r != -ENOENT || !str_eq(when, "missing"))
		return r;
	r = pull(run, err);
	return r < 0 ? r : take_image(run, err);
}

static int publish_exposed(struct run *run, struct err *err)
{
	json_t *config = json_object_get(run->b.image_config, "config"), *value;
	struct strv *publish = &run->b.c.opts.publish;
	const char *port;
	int r = 0;

	json_object_foreach (json_object_get(config, "ExposedPorts"), port, value)
		if (r == 0)
			r = strv_add(publish, port);
	for (size_t i = 0; r == 0 && i < run->opts->expose.n; i++)
		if (!strv_has(publish, run->opts->expose.v[i]))
			r = strv_add(publish, run->opts->expose.v[i]);
	return r < 0 ? err_set(err, r, "ports") : boot_network(&run->b, err);
}

static int prepare(struct run *run, struct err *err)
{
	int r;

	r = run_plan_make(run->opts, &run->plan, &run->b.c.opts, err);
	if (r >= 0 && run->opts->rootfs) {
		run->b.c.opts.rootfs = realpath(run->image_name, NULL);
		if (!run->b.c.opts.rootfs)
			r = err_set(err, -errno, "cannot open '%s'", run->image_name);
	}
	/* What is wrong is told before anything is pulled. */
	if (r >= 0 && !run->opts->publish_all)
		r = boot_network(&run->b, err);
	if (r >= 0 && run->opts->cidfile && access(run->opts->cidfile, F_OK) == 0)
		r = err_say(err, -EEXIST, "'%s' exists", run->opts->cidfile);
	if (r >= 0)
		r = img_store_open(&run->b.store, run->cli->root, err);
	if (r >= 0 && !run->opts->rootfs)
		r = find_image(run, err);
	if (r >= 0 && run->opts->publish_all)
		r = publish_exposed(run, err);
	if (r >= 0)
		r = share_namespaces(run, err);
	return r < 0 ? r : replace(run, err);
}

static int write_cidfile(const struct run *run, const char *id, struct err *err)
{
	auto_fd fd = -1;
	int r;

	if (!run->opts->cidfile)
		return 0;
	fd = open(run->opts->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : fd_write_all(fd, id, strlen(id));
	return r < 0 ? err_set(err, r, "cannot write '%s'", run->opts->cidfile) : 0;
}

/* ---- run ---- */

static bool shows(const struct run *run, const char *stream)
{
	return run->opts->attach.n == 0 || strv_has(&run->opts->attach, stream);
}

static void __attribute__((noreturn)) be_monitor(struct run *run, int sock)
{
	struct ctr_start_opts opts = { .client = sock,
		.n_preserve_fds = (unsigned int)run->opts->preserve_fds,
		.flags = run->opts->detach ? 0 : CTR_FOREGROUND };
	struct err err = ERR_INIT;
	int r, code;

	if (!shows(run, "stdout") || !shows(run, "stderr"))
		opts.flags |= CTR_PIPED;
	r = make(run, &err);
	/* They would be held as long as the container lives; options named some of them (/dev/fd/63). */
	fd_close_inherited(3 + (int)run->opts->preserve_fds);
	if (r >= 0)
		r = boot_start(&run->b, &opts, &err);
	code = boot_monitor(&run->b, opts.client, r, &err);
	boot_done(&run->b);
	run_plan_done(&run->plan);
	_exit(code);
}

/* The client's part in the foreground: until the container ends, or is left. */
static int look_on(struct run *run, struct client *c, struct err *err)
{
	/* The container reads by itself what is no terminal. */
	bool direct = !run->opts->tty && !isatty(STDIN_FILENO);
	struct client_opts o = { .input = run->b.c.opts.interactive && !direct,
		.terminal = run->opts->tty,
		.no_stdout = !shows(run, "stdout"),
		.no_stderr = !shows(run, "stderr"),
		.pass_signals = !run->opts->no_sig_proxy };
	int code;

	if (run->opts->tty)
		o.detach = run->plan.detach;
	code = client_run(c, &o, err);
	run->left = code == -ECANCELED;
	if (run->left)
		return 0;
	/* Whoever read our output has gone; a program would have been told by a signal. */
	return code == -EPIPE ? 128 + SIGPIPE : code;
}

static int run_client(struct run *run, struct client *c, int *ret_code, struct err *err)
{
	char id[CLIENT_ID_BYTES];
	int r;

	/* The monitor has a lease of its own. */
	img_done(&run->b.img);
	r = client_wait_started(c, id, ret_code, err);
	if (r < 0)
		return r;
	r = write_cidfile(run, id, err);
	if (r >= 0 && run->opts->detach)
		return printf("%s\n", id) < 0 ? err_set(err, -EIO, "cannot print the id") : 0;
	return r < 0 ? r : look_on(run, c, err);
}

static int start_and_look(struct run *run, int *ret_code, struct err *err)
{
	struct client c = CLIENT_INIT;
	int sock, r;

	(void)fflush(NULL);
	r = client_fork(&c, &sock, err);
	if (r == 0)
		be_monitor(run, sock);
	if (r > 0)
		r = run_client(run, &c, ret_code, err);
	/* Of a container that does not go on nothing is left when we end. */
	client_done(&c, r < 0 || (!run->opts->detach && !run->left));
	return r;
}

/* @act: 0 or more is the exit code; else what to exit with is in @ret_code. */
static int with_run(struct cli *cli, const struct run_opts *o, int argc, char **argv,
	int (*act)(struct run *run, int *ret_code, struct err *err))
{
	struct run run = { .cli = cli,
		.opts = o,
		.image_name = argv[0],
		.command = argv + 1,
		.n_command = (size_t)argc - 1 };
	int r, code = EXIT_LAMINA;
	struct err err = ERR_INIT;

	boot_init(&run.b);
	r = prepare(&run, &err);
	if (r >= 0)
		r = act(&run, &code, &err);
	if (r < 0) {
		err_wrap(&err, r, "cannot run '%s'", run.image_name);
		(void)cli_fail(&err);
	} else {
		code = r;
	}
	boot_done(&run.b);
	ctropts_done(&run.b.c.opts);
	run_plan_done(&run.plan);
	return code;
}

static int run_run(struct cli *cli, void *opts, int argc, char **argv)
{
	return with_run(cli, opts, argc, argv, start_and_look);
}

/* ---- create ---- */

static int create(struct run *run, int *ret_code, struct err *err)
{
	int r;

	r = make(run, err);
	if (r >= 0)
		r = ctr_save(&run->b.c, err);
	if (r >= 0)
		r = write_cidfile(run, run->b.c.dir.id, err);
	if (r >= 0)
		printf("%s\n", run->b.c.dir.id);
	boot_unmount(&run->b);
	ctr_end(&run->b.c, -1);
	return r;
}

static int run_create(struct cli *cli, void *opts, int argc, char **argv)
{
	return with_run(cli, opts, argc, argv, create);
}

const struct cli_verb cli_verbs_run[] = {
	{ "run", "[OPTION]… IMAGE [CMD [ARG]…]", "run a command in a new container", run_opts_table,
		sizeof(struct run_opts), 1, -1, true, run_run, .enters_container = true },
	{ "create", "[OPTION]… IMAGE [CMD [ARG]…]",
		"make a container that 'lamina start' starts; the options of 'lamina run'",
		run_opts_table, sizeof(struct run_opts), 1, -1, true, run_create,
		.enters_container = true },
	{ 0 },
};
