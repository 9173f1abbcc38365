/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: system prune, container prune, container exists, image exists, version, build. */
#include "base/cleanup.h"
#include "base/json.h"
#include "image/prune.h"
#include "overlay/fuse_session.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/networks.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/users.h"
#include "runtime/cli/volume.h"
#include "runtime/net_engine.h"
#include "runtime/template.h"

#include <sys/utsname.h>

/* ---- system prune, container prune ---- */

struct prune_opts {
	bool all, force, volumes;
};

/* Those that have ended or were never started; one that cannot be removed stays. */
static int prune_containers(struct ctl *ctl, uint64_t *bytes, struct err *err)
{
	auto_strv ids = { 0 };
	int r = record_list(ctl->c.store_fd, &ids, err);

	record_sweep(ctl->c.store_fd, ctl->c.rundir_fd);
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		auto_free char *path = str_format("containers/%s", ids.v[i]);
		uint64_t size;

		if (!path)
			return err_set(err, -ENOMEM, "cannot list the containers");
		size = usage_of_tree(ctl->c.store_fd, path);
		if (control_remove(&ctl->c, ids.v[i], CONTROL_VOLUMES, NULL) < 0)
			continue;
		printf("%s\n", ids.v[i]);
		*bytes += size;
	}
	return r == -ENOENT ? 0 : r;
}

static int prune_volumes(struct ctl *ctl, uint64_t *bytes, struct err *err)
{
	uint64_t before = usage_of_tree(ctl->c.store_fd, "volumes"), after;
	int r = volume_prune(ctl, true, err);

	after = usage_of_tree(ctl->c.store_fd, "volumes");
	*bytes += before > after ? before - after : 0;
	return r;
}

static int prune_images(struct ctl *ctl, bool all, uint64_t *bytes, struct err *err)
{
	struct image_use use = { 0 };
	const struct image_users users = { image_use_check, &use };
	struct prune_stats stats;
	int r = image_use_load(ctl->c.store_fd, &use, err);

	if (r >= 0)
		r = img_prune(
			ctl->store, all ? PRUNE_ALL : 0, &users, &cli_rmi_report, &stats, err);
	image_use_done(&use);
	if (r >= 0)
		*bytes += stats.bytes;
	return r;
}

static void print_freed(uint64_t bytes)
{
	char size[PROGRESS_BYTES_BYTES];

	progress_bytes(bytes, size);
	printf("Total reclaimed space: %s\n", size);
}

static bool may_prune(const struct prune_opts *o)
{
	auto_free char *question = str_format("Remove all containers that do not run, networks%s "
					      "that none uses, and %s images?",
		o->volumes ? " and volumes" : "", o->all ? "all unused" : "unnamed");

	return o->force || (question && cli_ask(question));
}

static int run_system_prune(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct ctl ctl = CTL_INIT;
	struct err err = ERR_INIT;
	uint64_t bytes = 0;
	int r;

	if (!may_prune(o))
		return 1;
	r = ctl_open(&ctl, cli, CTL_ENTER, &err);
	if (r >= 0)
		r = prune_containers(&ctl, &bytes, &err);
	if (r >= 0 && o->volumes)
		r = prune_volumes(&ctl, &bytes, &err);
	if (r >= 0)
		r = networks_prune(cli, &err);
	if (r >= 0)
		r = prune_images(&ctl, o->all, &bytes, &err);
	ctl_close(&ctl);
	if (r < 0) {
		err_wrap(&err, r, "cannot remove all that is unused");
		return cli_fail(&err);
	}
	print_freed(bytes);
	return 0;
}

static int run_container_prune(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct ctl ctl = CTL_INIT;
	struct err err = ERR_INIT;
	uint64_t bytes = 0;
	int r;

	if (!o->force && !cli_ask("Remove all containers that do not run?"))
		return 1;
	r = ctl_open(&ctl, cli, CTL_ENTER, &err);
	if (r >= 0)
		r = prune_containers(&ctl, &bytes, &err);
	ctl_close(&ctl);
	if (r < 0)
		return cli_fail(&err);
	print_freed(bytes);
	return 0;
}

/* ---- exists ---- */

static int run_container_exists(struct cli *cli, void *opts, int argc, char **argv)
{
	struct ctl ctl = CTL_INIT;
	struct err err = ERR_INIT;
	char id[CTR_ID_LEN + 1];
	int r = ctl_open(&ctl, cli, 0, &err);

	if (r >= 0)
		r = record_find(ctl.c.store_fd, argv[0], id, &err);
	ctl_close(&ctl);
	return r == -ENOENT ? 1 : r < 0 ? cli_fail(&err) : 0;
}

static int run_image_exists(struct cli *cli, void *opts, int argc, char **argv)
{
	struct ctl ctl = CTL_INIT;
	struct img img = { .lease_fd = -1 };
	struct err err = ERR_INIT;
	int r = ctl_open(&ctl, cli, 0, &err);

	if (r >= 0)
		r = img_resolve(ctl.store, argv[0], &img, &err);
	img_done(&img);
	ctl_close(&ctl);
	return r == -ENOENT ? 1 : r < 0 ? cli_fail(&err) : 0;
}

/* ---- version ---- */

struct version_opts {
	const char *format;
	bool json;
};

static json_t *version_json(void)
{
	struct utsname u = { 0 };
	unsigned int config;

	(void)uname(&u);
	return json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "Client", "Version", LAMINA_VERSION,
		"OsArch", u.machine, "Kernel", u.release, "Libfuse", ovl_fuse_version(), "Libslirp",
		net_engine_version(&config), "Compiler", __VERSION__);
}

static int run_version(struct cli *cli, void *opts, int argc, char **argv)
{
	static const char text[] = "lamina {{.Client.Version}}\nkernel: {{.Client.Kernel}}, "
				   "{{.Client.OsArch}}\nlibfuse: {{.Client.Libfuse}}\nlibslirp: "
				   "{{.Client.Libslirp}}\ncompiler: {{.Client.Compiler}}";
	const struct version_opts *o = opts;
	bool as_json = o->json || (o->format && str_eq(o->format, "json"));
	auto_json *all = version_json();
	struct err err = ERR_INIT;
	auto_buf out = { 0 };
	int r = all ? 0 : err_set(&err, -ENOMEM, "cannot tell the version");

	if (r == 0 && as_json)
		return json_dumpf(all, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? EXIT_LAMINA
										       : 0;
	if (r == 0)
		r = template_run(o->format ? o->format : text, all, &out, &err);
	if (r < 0)
		return cli_fail(&err);
	printf("%s\n", out.data ? out.data : "");
	return 0;
}

/* ---- build ---- */

struct build_opts {
	const char *tag, *file;
};

static int run_build(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct build_opts *o = opts;
	const char *tag = o->tag ? o->tag : "NAME", *context = argc > 0 ? argv[0] : ".";
	struct err err = ERR_INIT;

	err_say(&err, -EOPNOTSUPP, "lamina builds no images; buildah does");
	err_hint(&err, -EOPNOTSUPP,
		"buildah build%s%s -t %s %s && buildah push %s oci-archive:/tmp/built.tar:%s && "
		"lamina "
		"load -i /tmp/built.tar",
		o->file ? " -f " : "", o->file ? o->file : "", tag, context, tag, tag);
	return cli_fail(&err);
}

static const struct args_opt system_prune_table[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct prune_opts, all), NULL,
		"images with a name, too, that no container uses" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct prune_opts, force), NULL, "do not ask" },
	{ "volumes", 0, ARGS_FLAG, offsetof(struct prune_opts, volumes), NULL,
		"volumes, too, that no container uses" },
	{ 0 },
};

static const struct args_opt container_prune_table[] = {
	{ "force", 'f', ARGS_FLAG, offsetof(struct prune_opts, force), NULL, "do not ask" },
	{ 0 },
};

static const struct args_opt version_table[] = {
	{ "format", 'f', ARGS_STRING, offsetof(struct version_opts, format), "TEMPLATE",
		"print this: '{{.Client.Version}}', or json" },
	{ "json", 0, ARGS_FLAG, offsetof(struct version_opts, json), NULL, "print JSON" },
	{ 0 },
};

static const struct args_opt build_table[] = {
	{ "file", 'f', ARGS_STRING, offsetof(struct build_opts, file), "FILE", "for the line" },
	{ "tag", 't', ARGS_STRING, offsetof(struct build_opts, tag), "NAME", "for the line" },
	{ 0 },
};

const struct cli_verb cli_verbs_system[] = {
	{ "build", "[-t NAME] [-f FILE] [DIR]", "print the line of buildah that builds an image",
		build_table, sizeof(struct build_opts), 0, 1, false, run_build },
	{ "container exists", "CONTAINER", "exit with 0 if there is a container, else with 1", NULL,
		0, 1, 1, false, run_container_exists },
	{ "container prune", "[--force]", "remove containers that do not run",
		container_prune_table, sizeof(struct prune_opts), 0, 0, false,
		run_container_prune },
	{ "image exists", "IMAGE", "exit with 0 if there is an image, else with 1", NULL, 0, 1, 1,
		false, run_image_exists },
	{ "system prune", "[OPTION]…", "remove containers, networks and images that nothing uses",
		system_prune_table, sizeof(struct prune_opts), 0, 0, false, run_system_prune },
	{ "version", "[OPTION]…", "tell versions, also of libraries", version_table,
		sizeof(struct version_opts), 0, 0, false, run_version },
	{ 0 },
};
