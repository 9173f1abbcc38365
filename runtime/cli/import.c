/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: import, reset. */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/commit.h"
#include "image/decode.h"
#include "image/store_dir.h"
#include "runtime/cli/cli.h"
#include "runtime/record.h"
#include "runtime/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

/* ---- import ---- */

struct import_opts {
	const char *message, *platform;
	struct strv changes;
	bool quiet;
};

static const struct args_opt import_args[] = {
	{ "change", 'c', ARGS_LIST, offsetof(struct import_opts, changes), "INSTRUCTION",
		"set the config: CMD, ENTRYPOINT, ENV, …, as of 'lamina commit'" },
	{ "message", 'm', ARGS_STRING, offsetof(struct import_opts, message), "TEXT",
		"a comment for the history" },
	{ "platform", 0, ARGS_STRING, offsetof(struct import_opts, platform), "OS/ARCH[/VARIANT]",
		"what it is for, if not this machine" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct import_opts, quiet), NULL,
		"print no name, the image id alone" },
	{ 0 },
};

static int open_tar(const char *path, struct source **ret, struct err *err)
{
	struct source *file;
	int fd = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				   : open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot open it");
	r = source_file_new_take_fd(&file, fd, err);
	return r < 0 ? r : source_decode_new(ret, file, CODEC_NONE, err);
}

static int run_import(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct import_opts *o = opts;
	struct commit_options how = { .name = argc > 1 ? argv[1] : NULL,
		.changes = &o->changes,
		.message = o->message,
		.created_by = "lamina import" };
	struct commit_result result = { 0 };
	auto_source src = NULL;
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	char id[DIGEST_TEXT_BYTES];
	int r = cli_read_epoch(&how.diff, &err);

	if (r == 0 && o->platform)
		r = platform_parse(o->platform, &how.platform, &err);
	if (r == 0)
		r = img_store_open(&s, cli->root, &err);
	if (r == 0)
		r = open_tar(argv[0], &src, &err);
	if (r == 0)
		r = img_import(s, src, &how, &result, &err);
	img_store_close(s);
	if (r < 0) {
		err_wrap(&err, r, "cannot import '%s'", argv[0]);
		return cli_fail(&err);
	}
	digest_text(&result.config_digest, id);
	if (!o->quiet && result.name)
		fprintf(stderr, "%s\n", result.name);
	printf("%s\n", digest_hex(id));
	free(result.name);
	return 0;
}

/* ---- reset ---- */

struct reset_opts {
	bool force;
};

static const struct args_opt reset_args[] = {
	{ "force", 'f', ARGS_FLAG, offsetof(struct reset_opts, force), NULL, "do not ask" },
	{ 0 },
};

static int refuse_live(struct img_store *s, struct err *err)
{
	auto_strv ids = { 0 };
	int r = record_list(img_store_dirfd(s), &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		struct ctr_dir d = CTR_DIR_INIT;

		if (ctr_dir_take(img_store_dirfd(s), ids.v[i], &d, NULL) == -EBUSY) {
			r = err_say(err, -EBUSY, "the container '%.12s' runs", ids.v[i]);
			err_hint(err, r, "lamina rm --force %.12s", ids.v[i]);
		}
		ctr_dir_close(&d);
	}
	return r;
}

/* The list of images goes first: what is left of a reset that was killed is an empty store. */
static int remove_all(struct img_store *s, struct err *err)
{
	static const char *const first[] = { "index.json", "containers", "images", "layers" };
	int root = openat(img_store_dirfd(s), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = root < 0 ? NULL : fdopendir(root);
	struct dirent *de;

	if (!dir)
		return err_set(err, -errno, "cannot list '%s'", img_store_path(s));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(first); i++)
		r = at_remove_tree(root, first[i]);
	while (r == 0 && (de = readdir(dir)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			r = at_remove_tree(root, de->d_name);
	(void)closedir(dir);
	return r < 0 ? err_set(err, r, "cannot empty '%s'", img_store_path(s)) : 0;
}

static int reset(struct cli *cli, const struct reset_opts *o, struct img_store **s,
	struct userns *ns, struct err *err)
{
	auto_free char *question = NULL;
	auto_fd lock = -1;
	int r = img_store_open(s, cli->root, err);

	if (r < 0)
		return r;
	question = str_format(
		"Remove all images and containers, everything in '%s'?", img_store_path(*s));
	if (!o->force && !cli_ask(question ? question : "Remove everything?"))
		return 1;
	r = refuse_live(*s, err);
	/* What containers wrote belongs to subordinate ids. */
	if (r == 0 && geteuid() != 0)
		r = userns_enter(ns, err);
	if (r == 0)
		r = lock = store_lock(*s, LOCK_EXCLUSIVE, err);
	return r < 0 ? r : remove_all(*s, err);
}

static int run_reset(struct cli *cli, void *opts, int argc, char **argv)
{
	struct userns ns = USERNS_INIT;
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	int r = reset(cli, opts, &s, &ns, &err);

	img_store_close(s);
	userns_leave(&ns);
	if (r >= 0)
		return r;
	err_wrap(&err, r, "cannot reset the store");
	return cli_fail(&err);
}

const struct cli_verb cli_verbs_import[] = {
	{ "import", "[OPTION]… FILE|- [NAME[:TAG]]", "make an image of a tar of a root directory",
		import_args, sizeof(struct import_opts), 1, 2, false, run_import },
	{ "reset", "[--force]", "remove all images and containers, after asking", reset_args,
		sizeof(struct reset_opts), 0, 0, false, run_reset },
	{ 0 },
};
