/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: run, create
 *
 *      image ─▶ container ─▶ root ─▶ who the user is ─▶ config.json ─▶ engine ─▶ code
 *
 * `run` starts a monitor and is its client.  Nothing is printed but errors, and the id of a
 * container that runs on: stdout and stderr are the container's.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/cli/boot.h"
#include "runtime/cli/run_opts.h"
#include "runtime/cli/user.h"
#include "runtime/control.h"
#include "runtime/inroot.h"
#include "runtime/rundir.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec_json.h"
#include "runtime/volstore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define LIMIT_SECCOMP_BYTES (4 << 20)

struct run {
	const struct cli *cli;
	const struct run_opts *opts;
	struct run_plan plan;
	const char *image_name;
	char **command;
	size_t n_command;
	struct boot b;
	bool left; /* the detach keys were pressed */
};

/* ---- config.json ---- */

static int load_seccomp(const char *path, json_t **ret, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_free char *text = NULL;
	size_t len;
	int r = fd < 0 ? -errno : fd_read_file(fd, LIMIT_SECCOMP_BYTES, &text, &len);

	return r < 0 ? err_set(err, r, "cannot read '%s'", path)
		     : spec_json_parse(text, len, path, ret, err);
}

static bool is_host(const char *mode)
{
	return mode && str_eq(mode, "host");
}

static void fill_namespaces(const struct run *run, struct spec_make *m)
{
	static const enum spec_ns always[] = { SPEC_NS_USER, SPEC_NS_MNT, SPEC_NS_PID, SPEC_NS_IPC,
		SPEC_NS_UTS, SPEC_NS_CGROUP };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		m->ns[always[i]].mode = SPEC_MAKE_NEW;
	if (is_host(run->opts->pid))
		m->ns[SPEC_NS_PID].mode = SPEC_MAKE_HOST;
	if (is_host(run->opts->ipc))
		m->ns[SPEC_NS_IPC].mode = SPEC_MAKE_HOST;
	if (is_host(run->opts->uts))
		m->ns[SPEC_NS_UTS].mode = SPEC_MAKE_HOST;
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
		.unmask = &run->plan.unmask,
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

/* ---- volumes ---- */

static int keep_volume(struct run *run, const char *name, bool own)
{
	struct ctropts *o = &run->b.c.opts;
	int r = strv_add(&o->volumes, name);

	return r == 0 && own ? strv_add(&o->own_volumes, name) : r;
}

/* Make it, fill it with what the image has in its place, and name its directory. */
static int make_volume(struct run *run, struct volume *v, struct err *err)
{
	const char *store = img_store_path(run->b.store);
	auto_free char *name = NULL;
	auto_fd data = -1, from = -1;
	bool own = !v->source;
	int r;

	r = volstore_create(run->b.c.store_fd, v->source, NULL,
		VOLSTORE_EXISTING | (own ? VOLSTORE_ANONYMOUS : 0), &name, err);
	if (r < 0)
		return r;
	if (keep_volume(run, name, own) < 0)
		return err_set(err, -ENOMEM, "volume '%s'", name);
	data = volstore_open(run->b.c.store_fd, name, err);
	if (data < 0)
		return data;
	if (!(v->flags & VOLUME_NO_COPY))
		from = inroot_open(run->b.root_mount, v->dest, O_RDONLY | O_DIRECTORY);
	if (from >= 0) {
		r = volstore_fill(data, from);
		if (r < 0)
			return err_set(err, r, "cannot fill volume '%s'", name);
	}
	free(v->source);
	v->source = str_format("%s/volumes/%s/_data", store, name);
	return v->source ? 0 : err_set(err, -ENOMEM, "volume '%s'", name);
}

static bool is_covered(const struct run_plan *p, const char *dest)
{
	for (size_t i = 0; i < p->n_volumes; i++)
		if (str_eq(p->volumes[i].dest, dest))
			return true;
	return false;
}

/* What the image declares to be data gets volumes of its own. */
static int add_image_volumes(struct run *run, struct err *err)
{
	struct run_plan *p = &run->plan;
	auto_strv paths = { 0 };
	struct volume *more;
	int r;

	if (spec_make_image_volumes(run->b.image_config, &paths) < 0)
		return err_set(err, -ENOMEM, "volumes of the image");
	if (paths.n == 0)
		return 0;
	more = reallocarray(p->volumes, p->n_volumes + paths.n, sizeof(*more));
	if (!more)
		return err_set(err, -ENOMEM, "volumes of the image");
	p->volumes = more;
	for (size_t i = 0; i < paths.n; i++) {
		if (is_covered(p, paths.v[i]))
			continue;
		p->volumes[p->n_volumes] = (struct volume){ 0 };
		r = volume_parse(paths.v[i], &p->volumes[p->n_volumes], err);
		if (r < 0)
			return err_wrap(err, r, "volumes of the image");
		p->n_volumes++;
	}
	return 0;
}

static int make_volumes(struct run *run, struct err *err)
{
	int r = run->opts->rootfs ? 0 : add_image_volumes(run, err);

	for (size_t i = 0; r >= 0 && i < run->plan.n_volumes; i++)
		if (run->plan.volumes[i].type == VOLUME_NAMED)
			r = make_volume(run, &run->plan.volumes[i], err);
	return r < 0 ? rootproc_explain(&run->b.c.root, r, err) : 0;
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
	r = boot_root(b, err);
	if (r >= 0)
		r = find_user(run, &user, err);
	if (r >= 0)
		r = make_volumes(run, err);
	if (r >= 0)
		r = make_config(run, &user, err);
	return r < 0 ? r : describe(run, err);
}

/* ---- before it is made ---- */

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
	char *const argv[] = { "lamina", "--root", (char *)(uintptr_t)img_store_path(run->b.store),
		"pull", (char *)(uintptr_t)run->image_name, NULL };
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execv("/proc/self/exe", argv);
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

static int find_image(struct run *run, struct err *err)
{
	const char *when = run->opts->pull ? run->opts->pull : "missing";
	int r = str_eq(when, "always") ? pull(run, err) : 0;

	if (r < 0)
		return r;
	r = boot_image(&run->b, run->image_name, err);
	if (r != -ENOENT || !str_eq(when, "missing"))
		return r;
	r = pull(run, err);
	return r < 0 ? r : boot_image(&run->b, run->image_name, err);
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
	if (r >= 0)
		r = boot_network(&run->b, err);
	if (r >= 0 && run->opts->cidfile && access(run->opts->cidfile, F_OK) == 0)
		r = err_say(err, -EEXIST, "'%s' exists", run->opts->cidfile);
	if (r >= 0)
		r = img_store_open(&run->b.store, run->cli->root, err);
	if (r >= 0 && !run->opts->rootfs)
		r = find_image(run, err);
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

static void __attribute__((noreturn)) be_monitor(struct run *run, int sock)
{
	struct ctr_start_opts opts = { .client = sock,
		.n_preserve_fds = (unsigned int)run->opts->preserve_fds,
		.flags = run->opts->detach ? 0 : CTR_FOREGROUND };
	struct err err = ERR_INIT;
	int r, code;

	r = make(run, &err);
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
	struct client_opts o = { .input = run->opts->interactive && !direct,
		.terminal = run->opts->tty,
		.pass_signals = true };
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
