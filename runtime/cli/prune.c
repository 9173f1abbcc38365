/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: prune, system df
 *
 * An image is used if a container was made of it, running or not, or if something holds it.
 */
#include "image/prune.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/users.h"
#include "runtime/record.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- containers ---- */

struct containers {
	uint32_t n, n_live;
	uint64_t bytes, live_bytes;
};

static int measure_containers(struct img_store *s, struct containers *ret, struct err *err)
{
	auto_strv ids = { 0 };
	int r = record_list(img_store_dirfd(s), &ids, err);

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "cannot list the containers");
	for (size_t i = 0; i < ids.n; i++) {
		auto_free char *path = str_format("containers/%s", ids.v[i]);
		struct record rec;
		uint64_t bytes;

		r = record_read(img_store_dirfd(s), ids.v[i], &rec, err);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return err_wrap(err, r, "container '%s'", ids.v[i]);
		bytes = path ? usage_of_tree(img_store_dirfd(s), path) : 0;
		ret->n++;
		ret->bytes += bytes;
		if (rec.state < CTR_STOPPED) {
			ret->n_live++;
			ret->live_bytes += bytes;
		}
		record_done(&rec);
	}
	return 0;
}

static int open_all(struct cli *cli, struct img_store **s, struct image_use *use, struct err *err)
{
	int r = img_store_open(s, cli->root, err);

	return r < 0 ? r : image_use_load(img_store_dirfd(*s), use, err);
}

/* ---- prune ---- */

struct prune_opts {
	bool all, force;
};

static const struct args_opt prune_args[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct prune_opts, all), NULL,
		"images with a name, too, that no container uses" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct prune_opts, force), NULL, "do not ask" },
	{ 0 },
};

bool cli_ask(const char *question)
{
	char answer[16] = "";

	fprintf(stderr, "%s [y/N] ", question);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int run_prune(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct image_use use = { 0 };
	const struct image_users users = { image_use_check, &use };
	char size[PROGRESS_BYTES_BYTES];
	struct prune_stats stats;
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	int r;

	if (o->all && !o->force && !cli_ask("Remove all images that no container uses?"))
		return 1;
	r = open_all(cli, &s, &use, &err);
	if (r == 0)
		r = img_prune(s, o->all ? PRUNE_ALL : 0, &users, &cli_rmi_report, &stats, &err);
	img_store_close(s);
	image_use_done(&use);
	if (r < 0) {
		err_wrap(&err, r, "cannot prune the store");
		return cli_fail(&err);
	}
	progress_bytes(stats.bytes, size);
	printf("%u images, %u layers: %s freed\n", stats.n_images, stats.n_layers, size);
	if (stats.n_busy)
		printf("%u layers stay: they are in use\n", stats.n_busy);
	return 0;
}

/* ---- system df ---- */

struct df_opts {
	bool json;
};

static const struct args_opt df_args[] = {
	{ "json", 0, ARGS_FLAG, offsetof(struct df_opts, json), NULL, "bytes, as JSON" },
	{ 0 },
};

static void print_row(
	const char *type, uint32_t total, uint32_t active, uint64_t bytes, uint64_t reclaimable)
{
	char size[PROGRESS_BYTES_BYTES], can[PROGRESS_BYTES_BYTES];
	unsigned int percent = bytes ? (unsigned int)(reclaimable * 100 / bytes) : 0;

	progress_bytes(bytes, size);
	progress_bytes(reclaimable, can);
	printf("%-12s  %-7u  %-7u  %-10s  %s (%u%%)\n", type, total, active, size, can, percent);
}

static void print_table(const struct usage *u, const struct containers *c)
{
	uint64_t images = u->layers + u->indexes + u->blobs;
	char size[PROGRESS_BYTES_BYTES];

	printf("%-12s  %-7s  %-7s  %-10s  %s\n", "TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE");
	print_row("Images", u->n_images, u->n_used, images, u->unused + u->orphans);
	print_row("Containers", c->n, c->n_live, c->bytes, c->bytes - c->live_bytes);
	if (u->orphans) {
		progress_bytes(u->orphans, size);
		printf("%s of that belong to no image: lamina prune\n", size);
	}
}

static int print_json(const struct usage *u, const struct containers *c, struct err *err)
{
	auto_json *j = json_pack("{s:{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I}, "
				 "s:{s:i, s:i, s:I, s:I}}",
		"images", "total", (int)u->n_images, "active", (int)u->n_used, "layers",
		(int)u->n_layers, "layerBytes", (json_int_t)u->layers, "indexBytes",
		(json_int_t)u->indexes, "blobBytes", (json_int_t)u->blobs, "unusedBytes",
		(json_int_t)u->unused, "orphanBytes", (json_int_t)u->orphans, "leftoverBytes",
		(json_int_t)u->leftovers, "containers", "total", (int)c->n, "active",
		(int)c->n_live, "bytes", (json_int_t)c->bytes, "activeBytes",
		(json_int_t)c->live_bytes);
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(4)) : NULL;

	if (!text)
		return err_set(err, -ENOMEM, "cannot print JSON");
	printf("%s\n", text);
	return 0;
}

static int run_df(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct df_opts *o = opts;
	struct containers c = { 0 };
	struct image_use use = { 0 };
	const struct image_users users = { image_use_check, &use };
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	struct usage u;
	int r = open_all(cli, &s, &use, &err);

	if (r == 0)
		r = measure_containers(s, &c, &err);
	if (r == 0)
		r = img_usage(s, &users, &u, &err);
	if (r == 0 && o->json)
		r = print_json(&u, &c, &err);
	else if (r == 0)
		print_table(&u, &c);
	img_store_close(s);
	image_use_done(&use);
	if (r < 0) {
		err_wrap(&err, r, "cannot add up the store");
		return cli_fail(&err);
	}
	return 0;
}

const struct cli_verb cli_verbs_prune[] = {
	{ "prune", "[OPTION]…", "remove what no image and no container needs", prune_args,
		sizeof(struct prune_opts), 0, 0, false, run_prune },
	{ "system df", "[--json]", "tell how much of the disk the store takes", df_args,
		sizeof(struct df_opts), 0, 0, false, run_df },
	{ 0 },
};
