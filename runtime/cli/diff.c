/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: diff, export, layer diff
 *
 *      container or upper ─ its image and itself ─▶ changes ─▶ list, or tar of a layer
 *                                               └─▶ all ─▶ tar
 *      image ─ its layers but the last, and all of them ─▶ list
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "image/image_diff.h"
#include "runtime/cli/upper.h"

#include <fcntl.h>

/* ---- diff ---- */

struct diff_opts {
	bool json;
	const char *format;
};

static const struct args_opt diff_args[] = {
	{ "json", 0, ARGS_FLAG, offsetof(struct diff_opts, json), NULL,
		"an object with the lists added, changed, deleted" },
	{ "format", 0, ARGS_STRING, offsetof(struct diff_opts, format), "json", "the same" },
	{ 0 },
};

struct lists {
	json_t *all; /* NULL: print lines */
	bool of_container;
};

/* Places that a start makes in the root file system, to mount something on. */
static bool is_mountpoint(const char *path)
{
	static const char *const paths[] = { "dev", "etc/hostname", "etc/hosts", "etc/resolv.conf",
		"proc", "run/.containerenv", "sys" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (str_eq(path, paths[i]))
			return true;
	return false;
}

static int on_change(void *ctx, const struct tree_change *c, struct err *err)
{
	const struct lists *lists = ctx;
	bool is_new = c->kind == TREE_ADDED || c->kind == TREE_REPLACED;
	auto_free char *path = str_quote(c->path, strlen(c->path));
	auto_free char *full = path ? str_format("/%s", path) : NULL;
	const char *key = is_new ? "added" : c->kind == TREE_CHANGED ? "changed" : "deleted";

	if (!full)
		return err_set(err, -ENOMEM, "cannot list the changes");
	/* As podman has it: the root itself is not listed, nor what a start has made. */
	if (lists->of_container && (!*c->path || (c->kind == TREE_ADDED && is_mountpoint(c->path))))
		return 0;
	if (!lists->all) {
		printf("%c %s\n", is_new ? 'A' : (char)c->kind, full);
		return 0;
	}
	if (json_array_append_new(json_object_get(lists->all, key), json_string(full)) < 0)
		return err_set(err, -ENOMEM, "cannot list the changes");
	return 0;
}

/* A directory may have the name of an image and be no upper. */
static int list_image(struct cli_upper *u, const char *ref, struct lists *lists, struct err *err)
{
	int r = img_resolve(u->ctl.store, ref, &u->img, NULL);

	if (r >= 0)
		return image_diff(u->ctl.store, &u->img, on_change, lists, err);
	return err->text[0] ? -ENOENT
			    : err_say(err, -ENOENT,
				      "there is no container, image or directory of that name");
}

static int list_changes(
	const struct cli *cli, const char *ref, struct lists *lists, struct err *err)
{
	struct cli_upper u = CLI_UPPER_INIT;
	int r = cli_upper_open(&u, cli, ref, 0, err);

	lists->of_container = cli_upper_is_container(&u);
	if (r == 0)
		r = tree_diff(u.view.fs, u.view.lower, on_change, lists, err);
	else if (r == -ENOENT && !lists->of_container)
		r = list_image(&u, ref, lists, err);
	cli_upper_close(&u);
	return r;
}

static int run_diff(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct diff_opts *d = opts;
	bool as_json = d->json || (d->format && str_eq(d->format, "json"));
	auto_json *all =
		as_json ? json_pack("{s:[], s:[], s:[]}", "added", "changed", "deleted") : NULL;
	struct lists lists = { .all = all };
	struct err err = ERR_INIT;
	int r = 0;

	if (d->format && !as_json)
		r = err_say(&err, -EINVAL, "--format takes json, not '%s'", d->format);
	if (r == 0)
		r = list_changes(cli, argv[0], &lists, &err);
	if (r == 0 && all) {
		auto_free char *text = json_dumps(all, JSON_INDENT(4));

		printf("%s\n", text ? text : "");
	}
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_set(&err, -EIO, "cannot write the list");
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot list what '%s' changes", argv[0]);
	return cli_fail(&err);
}

/* ---- layer diff, export ---- */

struct output_opts {
	const char *output;
};

static const struct args_opt output_args[] = {
	{ "output", 'o', ARGS_STRING, offsetof(struct output_opts, output), "FILE",
		"write to a file instead of standard output" },
	{ 0 },
};

static int open_output(const char *path, int *ret, struct err *err)
{
	*ret = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
		    : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (*ret < 0)
		return err_set(err, -errno, "cannot open '%s'", path ? path : "standard output");
	if (!path && isatty(STDOUT_FILENO)) {
		err_say(err, -EINVAL, "a tar is not written to a terminal");
		return err_hint(err, -EINVAL, "redirect standard output, or name a file with -o");
	}
	return 0;
}

typedef int write_tar(const struct upper_view *v, int fd, const struct layer_diff_options *opts,
	struct layer_diff_stats *ret, struct err *err);

static int run_write(struct cli *cli, const struct output_opts *o, const char *ref,
	write_tar *write, const char *what)
{
	struct layer_diff_options how = { 0 };
	struct layer_diff_stats stats;
	struct cli_upper u = CLI_UPPER_INIT;
	struct err err = ERR_INIT;
	auto_fd out = -1;
	int r = cli_read_epoch(&how, &err);

	/* Before the user namespace, where the file may belong to nobody. */
	if (r == 0)
		r = open_output(o->output, &out, &err);
	if (r == 0)
		r = cli_upper_open(&u, cli, ref, 0, &err);
	if (r == -ENOENT && err.text[0] == '\0')
		err_say(&err, r, "there is no container or directory of that name");
	if (r == 0)
		r = write(&u.view, out, &how, &stats, &err);
	cli_upper_close(&u);
	if (r < 0) {
		err_wrap(&err, r, "cannot %s '%s'", what, ref);
		return cli_fail(&err);
	}
	cli_say_sockets(&stats);
	return 0;
}

static int run_layer_diff(struct cli *cli, void *opts, int argc, char **argv)
{
	return run_write(cli, opts, argv[0], layer_diff_write, "make a layer of");
}

static int run_export(struct cli *cli, void *opts, int argc, char **argv)
{
	return run_write(cli, opts, argv[0], layer_export_write, "export");
}

const struct cli_verb cli_verbs_diff[] = {
	{ "diff", "[--json] CONTAINER|IMAGE|UPPER",
		"list what a container, or an image's last layer, changes", diff_args,
		sizeof(struct diff_opts), 1, 1, false, run_diff },
	{ "export", "[-o FILE] CONTAINER|UPPER", "write the files of a container as a tar",
		output_args, sizeof(struct output_opts), 1, 1, false, run_export },
	{ "layer diff", "[-o FILE] CONTAINER|UPPER", "write the layer that it makes, as a tar",
		output_args, sizeof(struct output_opts), 1, 1, false, run_layer_diff },
	{ 0 },
};
