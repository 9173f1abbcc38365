/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: fsck. */
#include "image/fsck.h"

#include "base/str.h"
#include "runtime/cli/cli.h"

#include <stdio.h>

struct fsck_opts {
	bool repair, quick, quiet;
};

static const struct args_opt fsck_args[] = {
	{ "quick", 0, ARGS_FLAG, offsetof(struct fsck_opts, quick), NULL,
		"do not read the layers' tars" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct fsck_opts, quiet), NULL, "no summary" },
	{ "repair", 0, ARGS_FLAG, offsetof(struct fsck_opts, repair), NULL,
		"remove what is damaged or left over, make indexes anew" },
	{ 0 },
};

static void on_found(void *ctx, const struct fsck_finding *f)
{
	static const char *const kinds[FSCK_MAX_] = { [FSCK_DAMAGED] = "damaged",
		[FSCK_INCOMPLETE] = "incomplete",
		[FSCK_ORPHAN] = "orphan",
		[FSCK_LEFTOVER] = "leftover" };
	auto_free char *what = str_quote(f->what, strlen(f->what));

	printf("%s %s%s%s%s%s%s\n", kinds[f->kind], what ? what : "", f->why ? ": " : "",
		f->why ? f->why : "", f->done ? " (" : "", f->done ? f->done : "",
		f->done ? ")" : "");
}

static int run_fsck(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct fsck_opts *o = opts;
	const struct fsck_options how = { .flags = (o->repair ? FSCK_REPAIR : 0) |
						   (o->quick ? FSCK_QUICK : 0),
		.found = on_found };
	struct fsck_result result;
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	int r = img_store_open(&s, cli->root, &err);

	if (r == 0)
		r = img_fsck(s, &how, &result, &err);
	img_store_close(s);
	if (r < 0) {
		err_wrap(&err, r, "cannot check the store");
		return cli_fail(&err);
	}
	if (!o->quiet)
		printf("%u images, %u layers, %u blobs: %u problems, %u repaired\n",
			result.n_images, result.n_layers, result.n_blobs, result.n_found,
			result.n_repaired);
	return result.n_found > result.n_repaired;
}

const struct cli_verb cli_verbs_fsck[] = {
	{ "fsck", "[OPTION]…", "check the store, and repair it", fsck_args,
		sizeof(struct fsck_opts), 0, 0, false, run_fsck },
	{ 0 },
};
