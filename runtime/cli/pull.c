/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: pull, load
 *
 * Results go to stdout, what happens meanwhile to stderr.
 */
#include "image/pull.h"

#include "base/fd.h"
#include "base/str.h"
#include "image/files.h"
#include "image/ref.h"
#include "runtime/cli/transfer.h"

#include <fcntl.h>
#include <stdio.h>

DEFINE_CLEANUP(struct img_store *, store, img_store_close)
#define auto_store auto_cleanup(store) struct img_store *

struct opts_pull {
	struct transfer_opts transfer;
	const char *platform;
	const char *arch, *os, *variant; /* the same in parts */
	struct cred cred;
	const char *input; /* load */
	bool keep_blobs;
};

static const struct args_opt opts_pull[] = {
	TRANSFER_OPTS(struct opts_pull, transfer),
	{ "platform", 0, ARGS_STRING, offsetof(struct opts_pull, platform), "OS/ARCH[/VARIANT]",
		"instead of this machine's" },
	{ "arch", 0, ARGS_STRING, offsetof(struct opts_pull, arch), "ARCH",
		"of the platform, instead of this machine's" },
	{ "os", 0, ARGS_STRING, offsetof(struct opts_pull, os), "OS", "of the platform" },
	{ "variant", 0, ARGS_STRING, offsetof(struct opts_pull, variant), "VARIANT",
		"of the platform" },
	{ "keep-blobs", 0, ARGS_FLAG, offsetof(struct opts_pull, keep_blobs), NULL,
		"keep layers also as they came, so that push and save preserve digests" },
	{ 0 },
};

static const struct args_opt opts_load[] = {
	{ "input", 'i', ARGS_STRING, offsetof(struct opts_pull, input), "FILE",
		"an archive, a directory or containers-storage:, instead of stdin" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct opts_pull, transfer.quiet), NULL,
		"print the names alone" },
	{ "progress", 0, ARGS_STRING, offsetof(struct opts_pull, transfer.progress),
		"auto|plain|json", "moving lines, lines, or an object a line, on stderr" },
	{ "platform", 0, ARGS_STRING, offsetof(struct opts_pull, platform), "OS/ARCH[/VARIANT]",
		"instead of this machine's" },
	{ "keep-blobs", 0, ARGS_FLAG, offsetof(struct opts_pull, keep_blobs), NULL,
		"keep layers also as they came, so that push and save preserve digests" },
	{ 0 },
};

static int choose_platform(const struct opts_pull *o, struct platform *ret, struct err *err)
{
	auto_free char *text = NULL;
	struct platform host;

	if (o->platform && (o->arch || o->os || o->variant))
		return err_say(err, -EINVAL, "--platform excludes --arch, --os and --variant");
	if (o->platform)
		return platform_parse(o->platform, ret, err);
	if (!o->arch && !o->os && !o->variant)
		return 0;
	platform_host(&host);
	text = str_format("%s/%s%s%s", o->os ? o->os : host.os, o->arch ? o->arch : host.arch,
		o->variant ? "/" : "", o->variant ? o->variant : "");
	return text ? platform_parse(text, ret, err)
		    : err_set(err, -ENOMEM, "cannot choose a platform");
}

/* Options that pull and load share, and the store. */
static int prepare(struct cli *cli, struct opts_pull *o, struct pull_options *p,
	struct img_store **ret, struct err *err)
{
	int r = transfer_fill(&o->transfer, &p->transport, err);

	if (r == 0)
		r = choose_platform(o, &p->platform, err);
	if (r == 0 && o->transfer.creds) {
		r = transfer_creds("creds", o->transfer.creds, &o->cred, err);
		p->transport.registry.cred = &o->cred;
	}
	p->jobs = (unsigned int)o->transfer.jobs;
	p->keep_blobs = o->keep_blobs;
	return r < 0 ? r : img_store_open(ret, cli->root, err);
}

/* Does the name under which it is stored say where it came from? */
static bool is_told_by_name(const char *source)
{
	auto_place p = { 0 };
	auto_ref ref = { 0 };

	return place_parse(source, &p, NULL) == 0 && p.kind == PLACE_REGISTRY &&
	       ref_parse(p.path, &ref, NULL) == 0;
}

static int run_pull(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts_pull *o = opts;
	struct transfer_view view = { NULL, "pulling",
		argc > 1 || !is_told_by_name(argv[0]) ? argv[0] : NULL };
	struct pull_options p = { .name = argc > 1 ? argv[1] : NULL };
	struct pull_result result;
	auto_free char *tmp = NULL;
	struct err err = ERR_INIT;
	auto_store s = NULL;
	struct userns ns = USERNS_INIT;
	char id[DIGEST_TEXT_BYTES];
	int r = transfer_enter(argv[0], &ns, &err);

	if (r == 0)
		r = prepare(cli, o, &p, &s, &err);
	if (r == 0)
		r = transfer_view(&o->transfer, &view, &p.view, &err);
	if (r == 0) {
		p.transport.tmp_dir = tmp = transfer_tmp_dir(img_store_path(s));
		r = img_pull(s, argv[0], &p, &result, &err);
		transfer_view_done(&view);
	}
	userns_leave(&ns);
	cred_done(&o->cred);
	if (r < 0) {
		err_wrap(&err, r, "cannot pull '%s'", argv[0]);
		return transfer_fail(r, &err);
	}
	digest_text(&result.config_digest, id);
	printf("%s\n", digest_hex(id));
	free(result.name);
	return 0;
}

/* ---- load ---- */

/* What comes from a pipe is spooled once and then read as a file: the archive's images are found
 * first and pulled one by one. */
static int spool_stdin(const char *tmp, char **ret_path, struct err *err)
{
	auto_fd in = -1, out = -1;
	struct stat st;

	if (fstat(0, &st) == 0 && S_ISREG(st.st_mode)) {
		*ret_path = strdup("/proc/self/fd/0");
		return *ret_path ? 0 : -ENOMEM;
	}
	if (isatty(0)) {
		err_say(err, -EINVAL, "an archive is not read from a terminal");
		return err_hint(err, -EINVAL, "name it with --input");
	}
	in = fcntl(0, F_DUPFD_CLOEXEC, 3);
	if (in < 0)
		return err_set(err, -errno, "cannot read stdin");
	out = files_spool_take_fd(fd_take(&in), tmp, err);
	if (out < 0)
		return out;
	/* The fd lives as long as the program: the path names it. */
	*ret_path = str_format("/proc/self/fd/%d", fd_take(&out));
	return *ret_path ? 0 : err_set(err, -ENOMEM, "cannot read stdin");
}

static int load_one(struct img_store *s, const struct place *archive, const struct listed *image,
	struct pull_options *p, struct err *err)
{
	struct place one = { archive->kind, archive->path, image->ref };
	auto_free char *source = place_text(&one);
	struct pull_result result;
	int r;

	if (!source)
		return err_set(err, -ENOMEM, "cannot load an image");
	p->name = image->name;
	r = img_pull(s, source, p, &result, err);
	if (r < 0)
		return err_wrap(err, r, "image '%s'", image->name ? image->name : image->ref);
	printf("Loaded image: %s\n", result.name);
	free(result.name);
	return 0;
}

static int load_all(
	struct img_store *s, struct place *archive, struct pull_options *p, struct err *err)
{
	struct listed *list = NULL;
	int n = transport_list(archive, p->transport.tmp_dir, &archive->kind, &list, err), r = 0;

	if (n == 0)
		r = err_say(err, -ENOENT, "it holds no image");
	for (int i = 0; r == 0 && i < n; i++)
		r = load_one(s, archive, &list[i], p, err);
	listed_free(list, n);
	return n < 0 ? n : r;
}

/* A file or directory whose kind is found out, stdin, or all of containers-storage. */
static int open_input(const char *input, const char *tmp, struct place *ret, struct err *err)
{
	if (!input || str_eq(input, "-"))
		return spool_stdin(tmp, &ret->path, err);
	if (!str_starts(input, place_prefix(PLACE_STORAGE)))
		return (ret->path = strdup(input)) ? 0 : err_set(err, -ENOMEM, "out of memory");
	if (place_parse(input, ret, err) < 0)
		return -EINVAL;
	if (!ret->ref)
		return 0;
	err_say(err, -EINVAL, "all of a storage is loaded, not one image");
	return err_hint(err, -EINVAL, "lamina pull %s", input);
}

static int run_load(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts_pull *o = opts;
	struct transfer_view view = { NULL, "loading", NULL };
	struct pull_options p = { 0 };
	auto_free char *tmp = NULL;
	auto_place archive = { .kind = PLACE_REGISTRY };
	struct userns ns = USERNS_INIT;
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int r = o->input ? transfer_enter(o->input, &ns, &err) : 0;

	if (r == 0)
		r = prepare(cli, o, &p, &s, &err);
	if (r == 0)
		r = transfer_view(&o->transfer, &view, &p.view, &err);
	if (r == 0) {
		p.transport.tmp_dir = tmp = transfer_tmp_dir(img_store_path(s));
		r = open_input(o->input, tmp, &archive, &err);
		if (r == 0)
			r = load_all(s, &archive, &p, &err);
		transfer_view_done(&view);
	}
	userns_leave(&ns);
	if (r < 0) {
		err_wrap(&err, r, "cannot load '%s'", o->input ? o->input : "stdin");
		return transfer_fail(r, &err);
	}
	return 0;
}

const struct cli_verb cli_verbs_pull[] = {
	{ .name = "pull",
		.synopsis = "[OPTION]… SOURCE [NAME]",
		.help = "get an image from a registry, layout or archive",
		.detail =
			"SOURCE is NAME or docker://NAME (a registry), oci:DIR[:REF],\n"
			"oci-archive:FILE[:REF], docker-archive:FILE[:NAME] (FILE - is stdin) or\n"
			"dir:DIR, or containers-storage:IMAGE (one that Podman has).  The image "
			"is\n"
			"called NAME; without it, one of files is called as its reference says.",
		.opts = opts_pull,
		.opts_bytes = sizeof(struct opts_pull),
		.min_args = 1,
		.max_args = 2,
		.run = run_pull },
	{ .name = "load",
		.synopsis = "[OPTION]…",
		.help = "get all images of an archive into the store",
		.opts = opts_load,
		.opts_bytes = sizeof(struct opts_pull),
		.max_args = 0,
		.run = run_load },
	{ 0 },
};
