/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: commit
 *
 *      CONTAINER or upper ─ cli_upper_open() ─▶ its image and what it changes ─▶ layer, config ─▶ image
 */
#include "image/commit.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/cli/upper.h"
#include "runtime/commit_config.h"

#include <fcntl.h>
#include <inttypes.h>

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

void cli_say_sockets(const struct layer_diff_stats *st)
{
	if (st->n_sockets)
		fprintf(stderr, "lamina: warning: %" PRIu64 " sockets were left out\n",
			st->n_sockets);
}

struct commit_opts {
	const char *author, *message, *format, *iidfile;
	struct strv changes;
	bool pause, quiet;
};

static const struct args_opt commit_args[] = {
	{ "author", 'a', ARGS_STRING, offsetof(struct commit_opts, author), "TEXT",
		"who made the image" },
	{ "change", 'c', ARGS_LIST, offsetof(struct commit_opts, changes), "INSTRUCTION",
		"change the config: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, "
		"USER, VOLUME, WORKDIR" },
	{ "format", 'f', ARGS_STRING, offsetof(struct commit_opts, format), "oci",
		"what the manifest is; there is no other" },
	{ "iidfile", 0, ARGS_STRING, offsetof(struct commit_opts, iidfile), "FILE",
		"write the image id there" },
	{ "message", 'm', ARGS_STRING, offsetof(struct commit_opts, message), "TEXT",
		"a comment for the history" },
	{ "pause", 'p', ARGS_FLAG, offsetof(struct commit_opts, pause), NULL,
		"pause a running container meanwhile" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct commit_opts, quiet), NULL,
		"print no name, the image id alone" },
	{ "squash", 0, ARGS_REFUSED, 0, NULL, "lamina export CONTAINER | lamina import - NAME" },
	{ 0 },
};

/* What the container runs with becomes what containers of the image run with. */
static int container_config(const struct cli_upper *u, json_t **ret, struct err *err)
{
	auto_json *image = NULL;
	auto_spec *spec = NULL;
	int r = control_spec(&u->ctl.c, u->ctr.record.id, &spec, err);

	if (r >= 0)
		r = json_parse(
			u->img.config_json, u->img.config_len, "the image config", &image, err);
	if (r >= 0 && !spec->process)
		r = err_say(err, -EBADMSG, "its configuration has no process");
	if (r < 0)
		return r;
	*ret = commit_config(spec, &u->ctr.opts.labels, json_object_get(image, "config"));
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot make the image's config");
}

static int commit(
	struct cli_upper *u, struct commit_options *how, struct commit_result *ret, struct err *err)
{
	auto_json *config = NULL;
	int r = cli_upper_is_container(u) ? container_config(u, &config, err) : 0;

	how->config = config;
	return r < 0 ? r : img_commit(u->ctl.store, &u->img, &u->view, how, ret, err);
}

static int write_id(int fd, const char *path, const char *id, struct err *err)
{
	int r = fd < 0 ? 0 : fd_write_all(fd, id, strlen(id));

	return r < 0 ? err_set(err, r, "cannot write '%s'", path) : 0;
}

static int check_options(const struct commit_opts *c, int *ret_iidfile, struct err *err)
{
	if (c->format && !str_eq(c->format, "oci"))
		return err_say(err, -EINVAL, "--format takes oci, not '%s'", c->format);
	if (!c->iidfile)
		return 0;
	/* Before the user namespace, where the file may belong to nobody. */
	*ret_iidfile = open(c->iidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return *ret_iidfile < 0 ? err_set(err, -errno, "cannot write '%s'", c->iidfile) : 0;
}

static int run_commit(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct commit_opts *c = opts;
	struct commit_options how = { .name = argc > 1 ? argv[1] : NULL,
		.changes = &c->changes,
		.author = c->author,
		.message = c->message,
		.created_by = "lamina commit" };
	struct commit_result result = { 0 };
	struct cli_upper u = CLI_UPPER_INIT;
	struct err err = ERR_INIT;
	char id[DIGEST_TEXT_BYTES];
	auto_fd iidfile = -1;
	int r = cli_read_epoch(&how.diff, &err);

	if (r == 0)
		r = check_options(c, &iidfile, &err);
	if (r == 0)
		r = cli_upper_open(&u, cli, argv[0], c->pause ? CLI_UPPER_PAUSE : 0, &err);
	if (r == 0)
		r = commit(&u, &how, &result, &err);
	cli_upper_close(&u);
	if (r == 0) {
		digest_text(&result.config_digest, id);
		r = write_id(iidfile, c->iidfile, id, &err);
	}
	if (r < 0) {
		free(result.name);
		err_wrap(&err, r, "cannot commit '%s'", argv[0]);
		return cli_fail(&err);
	}
	cli_say_sockets(&result.stats);
	if (!c->quiet && result.name)
		fprintf(stderr, "%s\n", result.name);
	printf("%s\n", digest_hex(id));
	free(result.name);
	return 0;
}

const struct cli_verb cli_verbs_commit[] = {
	{ "commit", "[OPTION]… CONTAINER|UPPER [NAME[:TAG]]",
		"make an image of what a container has changed", commit_args,
		sizeof(struct commit_opts), 1, 2, false, run_commit },
	{ 0 },
};
