/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: commit, diff, layer diff
 *
 *      UPPER of `lamina mount --upper` ─ its image, found by the superblock ─▶ changes ─▶ list,
 *                                                                             tar, or image
 *
 * An upper whose files belong to subordinate ids is read in the user namespace of the containers.
 */
#include "image/commit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <inttypes.h>

/* An upper that was found and can be read. */
struct opened {
	struct userns ns;
	struct img_store *store;
	struct img img;
	struct upper_view view;
	int state_fd;
};

static void opened_done(struct opened *o)
{
	if (o->view.fs)
		upper_view_close(&o->view);
	img_done(&o->img);
	img_store_close(o->store);
	if (o->state_fd >= 0)
		(void)close(o->state_fd);
	userns_leave(&o->ns);
}

#define OPENED_INIT                                                                                \
	{                                                                                          \
		.ns = USERNS_INIT, .img = { .lease_fd = -1 }, .state_fd = -1                       \
	}

/* What a mount still holds back in memory would be missing. */
static int refuse_mounted(const struct opened *o, struct err *err)
{
	int fd = lock_open(o->state_fd, "lock", LOCK_EXCLUSIVE, LOCK_TRY);

	if (fd >= 0)
		(void)close(fd);
	if (fd != -EAGAIN)
		return 0;
	err_say(err, -EBUSY, "it is mounted");
	return err_hint(err, -EBUSY, "unmount it first");
}

static int open_upper(struct opened *o, const struct cli *cli, const char *dir, struct err *err)
{
	struct upper_super super;
	int r;

	o->state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->state_fd < 0)
		return err_set(err, -errno, "cannot open the upper");
	r = upper_read_super(o->state_fd, &super, err);
	if (r == 0)
		r = refuse_mounted(o, err);
	if (r == 0 && super.ownership == UPPER_PLAIN && geteuid() != 0)
		r = userns_enter(&o->ns, err);
	if (r == 0)
		r = img_store_open(&o->store, cli->root, err);
	if (r == 0)
		r = upper_find_image(o->store, o->state_fd, &o->img, err);
	return r < 0 ? r : upper_view_open(o->store, &o->img, o->state_fd, &o->view, err);
}

int cli_read_epoch(struct layer_diff_options *ret, struct err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t value;

	if (!text || !*text)
		return 0;
	if (str_to_u64(text, INT64_C(253402300799), &value) < 0)
		return err_say(
			err, -EINVAL, "SOURCE_DATE_EPOCH is '%s', not seconds since 1970", text);
	ret->has_epoch = true;
	ret->epoch = (int64_t)value;
	return 0;
}

static void say_sockets(const struct layer_diff_stats *st)
{
	if (st->n_sockets)
		fprintf(stderr, "lamina: warning: %" PRIu64 " sockets were left out\n",
			st->n_sockets);
}

/* ---- diff ---- */

struct diff_opts {
	bool json;
};

static const struct args_opt diff_args[] = {
	{ "json", 0, ARGS_FLAG, offsetof(struct diff_opts, json), NULL,
		"an object with the lists added, changed, deleted" },
	{ 0 },
};

struct lists {
	json_t *all; /* NULL: print lines */
};

static int on_change(void *ctx, const struct tree_change *c, struct err *err)
{
	const struct lists *lists = ctx;
	bool is_new = c->kind == TREE_ADDED || c->kind == TREE_REPLACED;
	auto_free char *path = str_quote(c->path, strlen(c->path));
	auto_free char *full = path ? str_format("/%s", path) : NULL;
	const char *key = is_new ? "added" : c->kind == TREE_CHANGED ? "changed" : "deleted";

	if (!full)
		return err_set(err, -ENOMEM, "cannot list the changes");
	if (!lists->all) {
		printf("%c %s\n", is_new ? 'A' : (char)c->kind, full);
		return 0;
	}
	if (json_array_append_new(json_object_get(lists->all, key), json_string(full)) < 0)
		return err_set(err, -ENOMEM, "cannot list the changes");
	return 0;
}

static int run_diff(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct diff_opts *d = opts;
	struct opened o = OPENED_INIT;
	auto_json *all =
		d->json ? json_pack("{s:[], s:[], s:[]}", "added", "changed", "deleted") : NULL;
	struct lists lists = { all };
	struct err err = ERR_INIT;
	int r = open_upper(&o, cli, argv[0], &err);

	if (r == 0)
		r = tree_diff(o.view.fs, o.view.lower, on_change, &lists, &err);
	if (r == 0 && all) {
		auto_free char *text = json_dumps(all, JSON_INDENT(4));

		printf("%s\n", text ? text : "");
	}
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_set(&err, -EIO, "cannot write the list");
	opened_done(&o);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot list what '%s' changes", argv[0]);
	return cli_fail(&err);
}

/* ---- layer diff ---- */

struct layer_opts {
	const char *output;
};

static const struct args_opt layer_args[] = {
	{ "output", 'o', ARGS_STRING, offsetof(struct layer_opts, output), "FILE",
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

static int run_layer_diff(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct layer_opts *l = opts;
	struct layer_diff_options how = { 0 };
	struct layer_diff_stats stats;
	struct opened o = OPENED_INIT;
	struct err err = ERR_INIT;
	auto_fd out = -1;
	int r = cli_read_epoch(&how, &err);

	/* Before the user namespace, where the file may belong to nobody. */
	if (r == 0)
		r = open_output(l->output, &out, &err);
	if (r == 0)
		r = open_upper(&o, cli, argv[0], &err);
	if (r == 0)
		r = layer_diff_write(&o.view, out, &how, &stats, &err);
	opened_done(&o);
	if (r < 0) {
		err_wrap(&err, r, "cannot make a layer of '%s'", argv[0]);
		return cli_fail(&err);
	}
	say_sockets(&stats);
	return 0;
}

/* ---- commit ---- */

struct commit_opts {
	const char *author, *message;
	struct strv changes;
	bool quiet;
};

static const struct args_opt commit_args[] = {
	{ "author", 'a', ARGS_STRING, offsetof(struct commit_opts, author), "TEXT",
		"who made the image" },
	{ "change", 'c', ARGS_LIST, offsetof(struct commit_opts, changes), "INSTRUCTION",
		"change the config: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, "
		"USER, VOLUME, WORKDIR" },
	{ "message", 'm', ARGS_STRING, offsetof(struct commit_opts, message), "TEXT",
		"a comment for the history" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct commit_opts, quiet), NULL,
		"print no name, the image id alone" },
	{ 0 },
};

static int run_commit(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct commit_opts *c = opts;
	struct commit_options how = { .name = argc > 1 ? argv[1] : NULL,
		.changes = &c->changes,
		.author = c->author,
		.message = c->message,
		.created_by = "lamina commit" };
	struct commit_result result = { 0 };
	struct opened o = OPENED_INIT;
	struct err err = ERR_INIT;
	char id[DIGEST_TEXT_BYTES];
	int r = cli_read_epoch(&how.diff, &err);

	if (r == 0)
		r = open_upper(&o, cli, argv[0], &err);
	if (r == 0)
		r = img_commit(o.store, &o.img, &o.view, &how, &result, &err);
	opened_done(&o);
	if (r < 0) {
		err_wrap(&err, r, "cannot commit '%s'", argv[0]);
		return cli_fail(&err);
	}
	say_sockets(&result.stats);
	digest_text(&result.config_digest, id);
	if (!c->quiet && result.name)
		fprintf(stderr, "%s\n", result.name);
	printf("%s\n", digest_hex(id));
	free(result.name);
	return 0;
}

const struct cli_verb cli_verbs_commit[] = {
	{ "commit", "[OPTION]… UPPER [NAME[:TAG]]",
		"make an image of what a writable mount changed", commit_args,
		sizeof(struct commit_opts), 1, 2, false, run_commit },
	{ "diff", "[--json] UPPER", "list what an upper adds, changes and deletes", diff_args,
		sizeof(struct diff_opts), 1, 1, false, run_diff },
	{ "layer diff", "[-o FILE] UPPER", "write the layer that an upper makes, as a tar",
		layer_args, sizeof(struct layer_opts), 1, 1, false, run_layer_diff },
	{ 0 },
};
