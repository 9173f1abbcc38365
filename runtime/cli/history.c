/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: history, tree
 *
 * History is what the image's config tells of its making, an entry a step; the steps that are not
 * marked as empty are the layers, in order.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "image/config.h"
#include "image/layers.h"
#include "runtime/cli/age.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/out.h"
#include "runtime/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>

#define SHORT_ID 12

/* An image that was found. */
struct shown {
	struct img_store *store;
	struct img img;
	struct config config;
};

#define SHOWN_INIT                                                                                 \
	{                                                                                          \
		.img = {.lease_fd = -1 }                                                           \
	}

static int open_shown(struct shown *v, const struct cli *cli, const char *ref, struct err *err)
{
	int r = img_store_open(&v->store, cli->root, err);

	if (r == 0)
		r = img_resolve(v->store, ref, &v->img, err);
	return r < 0 ? r : config_parse(v->img.config_json, v->img.config_len, &v->config, err);
}

static void shown_done(struct shown *v)
{
	config_done(&v->config);
	img_done(&v->img);
	img_store_close(v->store);
}

static uint64_t layer_bytes(const struct shown *v, uint32_t layer)
{
	struct stat st;

	return layer_stat(v->store, &v->img.diff_ids[layer], &st) ? (uint64_t)st.st_size : 0;
}

/* ---- history ---- */

struct history_opts {
	bool json, no_trunc, quiet;
	const char *format;
};

static const struct args_opt history_args[] = {
	{ "format", 0, ARGS_STRING, offsetof(struct history_opts, format), "TEMPLATE",
		"a line for each: '{{.Size}} {{.CreatedBy}}', 'table …', or json" },
	{ "json", 0, ARGS_FLAG, offsetof(struct history_opts, json), NULL, "as JSON" },
	{ "no-trunc", 0, ARGS_FLAG, offsetof(struct history_opts, no_trunc), NULL,
		"commands and ids in full" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct history_opts, quiet), NULL, "ids alone" },
	{ 0 },
};

#define SHORT_COMMAND 45

static json_t *history_row(
	const struct shown *v, const json_t *step, bool is_top, uint64_t bytes, bool in_full)
{
	const char *by = json_get_str(step, "created_by"), *at = json_get_str(step, "created");
	const char *comment = json_get_str(step, "comment");
	auto_free char *command = str_quote(by ? by : "", by ? strlen(by) : 0);
	char id[DIGEST_TEXT_BYTES], age[64], size[PROGRESS_BYTES_BYTES];

	if (!command)
		return NULL;
	if (!in_full && strlen(command) > SHORT_COMMAND)
		/* Quoted text is UTF-8: no character is cut in two. */
		for (size_t i = SHORT_COMMAND; i > 0; i--)
			if (((unsigned char)command[i] & 0xc0) != 0x80) {
				command[i] = '\0';
				break;
			}
	digest_text(&v->img.config_digest, id);
	age_format(at, age, sizeof(age));
	progress_bytes(bytes, size);
	return json_pack("{s:s%, s:s, s:s, s:s, s:s, s:I, s:s}", "ID",
		is_top ? digest_hex(id) : "<missing>",
		is_top ? (in_full ? strlen(digest_hex(id)) : (size_t)SHORT_ID)
		       : strlen("<missing>"),
		"CreatedAt", at ? at : "", "CreatedSince", age, "CreatedBy", command, "Size", size,
		"Bytes", (json_int_t)bytes, "Comment", comment ? comment : "");
}

/* Newest first.  A history that does not fit the layers is not believed about sizes. */
static int history_rows(const struct shown *v, bool in_full, json_t *rows, struct err *err)
{
	const json_t *steps = json_object_get(v->config.json, "history");
	size_t n = json_array_size(steps), n_layers = 0;
	uint32_t layer = v->img.n_layers;

	for (size_t i = 0; i < n; i++)
		n_layers += !json_is_true(json_object_get(json_array_get(steps, i), "empty_layer"));
	for (size_t i = n; i-- > 0;) {
		const json_t *step = json_array_get(steps, i);
		uint64_t bytes = 0;

		if (!json_is_true(json_object_get(step, "empty_layer")) && layer > 0 &&
			n_layers == v->img.n_layers)
			bytes = layer_bytes(v, --layer);
		if (json_array_append_new(rows, history_row(v, step, i + 1 == n, bytes, in_full)) <
			0)
			return err_set(err, -ENOMEM, "cannot tell the history");
	}
	return 0;
}

static int run_history(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct history_opts *o = opts;
	const char *format = o->format	? o->format
			     : o->json	? "json"
			     : o->quiet ? "{{.ID}}"
					: "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t"
					  "{{.Size}}\t{{.Comment}}";
	auto_json *rows = json_array();
	struct shown v = SHOWN_INIT;
	struct err err = ERR_INIT;
	int r = open_shown(&v, cli, argv[0], &err);

	if (r == 0)
		r = history_rows(&v, o->no_trunc, rows, &err);
	if (r == 0)
		r = out_rows(rows, format, &err);
	shown_done(&v);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot tell the history of '%s'", argv[0]);
	return cli_fail(&err);
}

/* ---- tree ---- */

/* What a layer does, by its members. */
struct layer_sums {
	uint32_t n_files, n_dirs, n_others, n_deleted;
	uint64_t bytes; /* of files */
};

static int sum_layer(const struct shown *v, uint32_t layer, struct layer_sums *ret, struct err *err)
{
	const struct idx_digest *id = &v->img.diff_ids[layer];
	auto_fd tar = layer_lease(v->store, id, err);
	struct layer_sums s = { 0 };
	struct idx *x;
	int r = tar < 0 ? tar : layer_open_index(v->store, id, tar, &x, err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; r == 0 && i < idx_n_members(x); i++) {
		struct idx_member m;

		r = idx_member(x, i, &m);
		if (r < 0)
			err_set(err, r, "the index of layer %u cannot be read", layer + 1);
		else if (m.kind == IDX_MEMBER_WHITEOUT || m.kind == IDX_MEMBER_OPAQUE)
			s.n_deleted++;
		else if (m.kind == IDX_MEMBER_ENTRY && S_ISDIR(m.mode))
			s.n_dirs++;
		else if (m.kind == IDX_MEMBER_ENTRY && S_ISREG(m.mode))
			s.n_files++;
		else
			s.n_others++;
		if (r == 0)
			s.bytes += m.size;
	}
	idx_close(x);
	*ret = s;
	return r;
}

static int print_layer(const struct shown *v, uint32_t layer, struct err *err)
{
	char id[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES];
	struct layer_sums s = { 0 };
	int r = sum_layer(v, layer, &s, err);

	if (r < 0)
		return r;
	digest_text(&v->img.diff_ids[layer], id);
	progress_bytes(layer_bytes(v, layer), size);
	printf("%s %.*s  %-9s  %u files, %u directories, %u others, %u deletions\n",
		layer == 0 ? "└─" : "├─", SHORT_ID, digest_hex(id), size, s.n_files, s.n_dirs,
		s.n_others, s.n_deleted);
	return 0;
}

static int run_tree(struct cli *cli, void *opts, int argc, char **argv)
{
	struct shown v = SHOWN_INIT;
	struct err err = ERR_INIT;
	int r = open_shown(&v, cli, argv[0], &err);

	if (r == 0) {
		char size[PROGRESS_BYTES_BYTES];
		uint64_t bytes = 0;

		for (uint32_t i = 0; i < v.img.n_layers; i++)
			bytes += layer_bytes(&v, i);
		progress_bytes(bytes, size);
		printf("%s  %s\n", v.img.name ? v.img.name : argv[0], size);
	}
	for (uint32_t i = r == 0 ? v.img.n_layers : 0; r == 0 && i-- > 0;)
		r = print_layer(&v, i, &err);
	shown_done(&v);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot show the layers of '%s'", argv[0]);
	return cli_fail(&err);
}

const struct cli_verb cli_verbs_history[] = {
	{ "history", "[OPTION]… IMAGE", "tell how an image was made, the newest step first",
		history_args, sizeof(struct history_opts), 1, 1, false, run_history },
	{ "tree", "IMAGE", "show the layers of an image, and what each adds", NULL, 0, 1, 1, false,
		run_tree },
	{ 0 },
};
