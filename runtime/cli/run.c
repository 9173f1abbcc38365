/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: run
 *
 *      image ─▶ root process ─▶ detached mount ─▶ who the user is ─▶ config.json ─▶ engine ─▶ code
 *
 * Nothing is printed but errors: stdout and stderr are the container's.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/run_opts.h"
#include "runtime/container.h"
#include "runtime/etcfiles.h"
#include "runtime/inroot.h"
#include "runtime/mnt.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec_json.h"
#include "runtime/spec_make.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define LIMIT_SECCOMP_BYTES (4 << 20)

struct run {
	const struct cli *cli;
	const struct run_opts *opts;
	struct run_plan plan;
	const char *image_name;
	char **command;
	size_t n_command;
	struct img_store *store;
	struct img img; /* lease_fd -1 if there is none */
	json_t *image_config; /* NULL with --rootfs */
	struct container c;
	int root_mount;
};

/* ---- what is run ---- */

static int open_image(struct run *run, struct err *err)
{
	int r;

	if (run->opts->rootfs)
		return 0;
	r = img_resolve(run->store, run->image_name, &run->img, err);
	if (r < 0) {
		if (r == -ENOENT)
			err_hint(err, r, "lamina pull %s", run->image_name);
		return r;
	}
	r = json_parse(
		run->img.config_json, run->img.config_len, "image config", &run->image_config, err);
	return r;
}

/* The upper lies in the container's directory, so it goes with the container. */
static int open_upper(const struct ctr_dir *d, struct err *err)
{
	int fd;

	if (mkdirat(d->fd, "root", 0700) < 0)
		return err_set(err, -errno, "cannot make the container's upper directory");
	fd = openat(d->fd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "cannot open the container's upper directory") : fd;
}

static int mount_root(struct run *run, struct err *err)
{
	auto_fd upper = -1;
	const int not_kept[] = { run->c.dir.lock_fd };
	const struct rootproc_opts opts = { .store = run->store,
		.img = &run->img,
		.close_fds = not_kept,
		.n_close_fds = ARRAY_SIZE(not_kept),
		.throw_away = run->opts->rm };
	struct rootproc_opts with_upper = opts;

	if (run->opts->rootfs) {
		run->root_mount = mnt_clone(AT_FDCWD, run->image_name, AT_RECURSIVE);
		if (run->root_mount < 0)
			return err_set(err, run->root_mount, "cannot mount '%s'", run->image_name);
		return rootproc_start_guard(&run->c.root, &opts, err);
	}
	upper = open_upper(&run->c.dir, err);
	if (upper < 0)
		return upper;
	with_upper.upper_dirfd = upper;
	return rootproc_start(&run->c.root, &with_upper, &run->root_mount, err);
}

/* ---- who runs it ---- */

/* An image's file, or none if it has no such regular file. */
static int read_userdb(int root_fd, const char *path, char **ret, struct userdb_file *ret_file)
{
	int r = inroot_read(root_fd, path, LIMIT_USERDB_BYTES, ret, &ret_file->len);

	ret_file->data = r < 0 ? NULL : *ret;
	return r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -ELOOP ? 0 : r;
}

static int find_user(struct run *run, struct userdb_user *ret, struct err *err)
{
	auto_free char *passwd_text = NULL, *group_text = NULL;
	struct userdb_file passwd = { 0 }, group = { 0 };
	const char *name = run->opts->user;
	int r;

	if (!name)
		name = json_get_str(json_object_get(run->image_config, "config"), "User");
	r = read_userdb(run->root_mount, "etc/passwd", &passwd_text, &passwd);
	if (r >= 0)
		r = read_userdb(run->root_mount, "etc/group", &group_text, &group);
	if (r < 0) {
		err_set(err, r, "cannot read the users of the image");
		return rootproc_explain(&run->c.root, r, err);
	}
	r = userdb_resolve(name, &passwd, &group, ret, err);
	for (size_t i = 0; r >= 0 && i < run->opts->group_add.n; i++) {
		uint32_t gid;

		r = userdb_find_group(run->opts->group_add.v[i], &group, &gid, err);
		if (r >= 0)
			r = userdb_add_gid(ret, gid);
	}
	return r;
}

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

static void fill_namespaces(const struct run *run, struct spec_make *m)
{
	static const enum spec_ns always[] = { SPEC_NS_USER, SPEC_NS_MNT, SPEC_NS_PID, SPEC_NS_IPC,
		SPEC_NS_UTS, SPEC_NS_CGROUP };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		m->ns[always[i]].mode = SPEC_MAKE_NEW;
	if (run->plan.network.mode.kind != NETMODE_HOST)
		m->ns[SPEC_NS_NET].mode = SPEC_MAKE_NEW;
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
	return ctr_configure(&run->c, text.data, text.len, err);
}

static int make_config(struct run *run, const struct userdb_user *user, struct err *err)
{
	const struct run_opts *o = run->opts;
	struct idmap uids = { 0 }, gids = { 0 };
	auto_json *seccomp = NULL;
	struct utsname uts = { 0 };
	struct sec_host host;
	struct spec_make m = {
		.id = run->c.dir.id,
		.rootfs = "rootfs",
		.image = run->image_config,
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
		.sysctls = &o->sysctl,
		.host = &host,
	};
	int r = 0;

	(void)uname(&uts);
	sec_host_init(&host, uts.release);
	fill_namespaces(run, &m);
	if (run->plan.seccomp_path)
		r = load_seccomp(run->plan.seccomp_path, &seccomp, err);
	m.seccomp_profile = seccomp;
	if (r >= 0 && userns_own_ids(&uids, &gids) < 0)
		r = err_set(err, -EIO, "cannot read the ids of this user namespace");
	m.uid_map = &uids;
	m.gid_map = &gids;
	if (r >= 0)
		r = dump_config(run, &m, err);
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

static int make_etcfiles(struct run *run, struct err *err)
{
	struct etcfiles e = { .hostname =
				      run->c.spec->hostname ? run->c.spec->hostname : "localhost",
		.name = run->c.record.name,
		.add_hosts = &run->opts->add_host,
		.dns = &run->opts->dns };

	network_etcfiles(&run->plan.network, &e);
	return etcfiles_write(run->c.dir.fd, &e, err);
}

/* ---- the record ---- */

static int describe(struct run *run, struct err *err)
{
	struct record *rec = &run->c.record;
	const struct spec_list *args = &run->c.spec->process->args;
	char image_id[DIGEST_TEXT_BYTES];
	auto_buf command = { 0 };

	for (size_t i = 0; i < args->n; i++)
		if (buf_printf(&command, "%s%s", i ? " " : "", args->v[i]) < 0)
			return err_set(err, -ENOMEM, "cannot describe the container");
	rec->command = buf_take(&command);
	rec->auto_remove = run->opts->rm;
	rec->image = strdup(run->img.name ? run->img.name : run->image_name);
	if (!run->opts->rootfs) {
		digest_text(&run->img.config_digest, image_id);
		rec->image_id = strdup(image_id);
	}
	return rec->command && rec->image ? 0
					  : err_set(err, -ENOMEM, "cannot describe the container");
}

static int configure(struct run *run, struct err *err)
{
	auto_userdb_user user = { 0 };
	int r;

	r = find_user(run, &user, err);
	if (r >= 0)
		r = make_config(run, &user, err);
	if (r >= 0)
		r = make_etcfiles(run, err);
	return r < 0 ? r : describe(run, err);
}

static int start(struct run *run, struct err *err)
{
	struct ctr_start_opts opts = { .interactive = run->opts->interactive };
	int r;

	r = open_image(run, err);
	if (r >= 0)
		r = ctr_begin(&run->c, img_store_path(run->store), run->opts->name, err);
	if (r >= 0)
		r = mount_root(run, err);
	if (r >= 0)
		r = configure(run, err);
	if (r < 0)
		return r;
	opts.network = &run->plan.network;
	opts.root_mount = fd_take(&run->root_mount);
	r = ctr_create(&run->c, &opts, err);
	return r < 0 ? r : ctr_start(&run->c, err);
}

static int prepare(struct run *run, struct err *err)
{
	int r;

	r = run_plan_make(run->opts, &run->plan, err);
	return r < 0 ? r : img_store_open(&run->store, run->cli->root, err);
}

static int run_run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct run run = { .cli = cli,
		.opts = opts,
		.image_name = argv[0],
		.command = argv + 1,
		.n_command = (size_t)argc - 1,
		.root_mount = -1 };
	struct err err = ERR_INIT;
	int code;

	run.img.lease_fd = -1;
	ctr_init(&run.c);
	code = prepare(&run, &err);
	if (code >= 0)
		code = start(&run, &err);
	if (code >= 0)
		code = ctr_wait(&run.c, &err);
	cleanup_fd(&run.root_mount);
	ctr_end(&run.c);
	if (code < 0) {
		err_wrap(&err, code, "cannot run '%s'", run.image_name);
		(void)cli_fail(&err);
		code = run.c.stage.exit_code;
	}
	json_decref(run.image_config);
	img_done(&run.img);
	img_store_close(run.store);
	run_plan_done(&run.plan);
	return code;
}

const struct cli_verb cli_verbs_run[] = {
	{ "run", "[OPTION]… IMAGE [CMD [ARG]…]", "run a command in a new container", run_opts_table,
		sizeof(struct run_opts), 1, -1, true, run_run },
	{ 0 },
};
