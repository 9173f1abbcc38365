/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: images, tag, rmi */
#include "base/str.h"
#include "image/gc.h"
#include "image/inspect.h"
#include "image/resolve.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/progress.h"

#include <stdio.h>
#include <time.h>

#define SHORT_ID 12

DEFINE_CLEANUP(struct img_store *, store, img_store_close)
#define auto_store auto_cleanup(store) struct img_store *

/* ---- images ---- */

struct opts_images {
	bool quiet, json, no_trunc;
};

static const struct args_opt opts_images[] = {
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct opts_images, quiet), NULL, "image ids alone" },
	{ "json", 0, ARGS_FLAG, offsetof(struct opts_images, json), NULL, "as JSON" },
	{ "no-trunc", 0, ARGS_FLAG, offsetof(struct opts_images, no_trunc), NULL, "ids in full" },
	{ 0 },
};

/* "3 days ago" for an RFC 3339 time. */
static void format_age(const char *created, char *ret, size_t room)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "year", 31557600 }, { "month", 2629800 }, { "week", 604800 },
		{ "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	struct tm tm = { 0 };
	int64_t age;

	snprintf(ret, room, "-");
	if (!created || !strptime(created, "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	age = (int64_t)time(NULL) - (int64_t)timegm(&tm);
	if (age < 0)
		age = 0;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		long long n = (long long)(age / units[i].seconds);

		/* Two of a unit say more than one of the next. */
		if (n < 2 && i + 1 < ARRAY_SIZE(units))
			continue;
		snprintf(ret, room, "%lld %s%s ago", n, units[i].unit, n == 1 ? "" : "s");
		return;
	}
}

/* Split a full name for the table; a digest has no tag. */
static void split_name(const char *name, const char **repository, size_t *len, const char **tag)
{
	const char *slash, *colon, *at;

	*repository = name ? name : "<none>";
	*len = strlen(*repository);
	*tag = "<none>";
	if (!name)
		return;
	at = strchr(name, '@');
	slash = strrchr(name, '/');
	colon = strchr(slash ? slash : name, ':');
	if (at)
		*len = (size_t)(at - name);
	else if (colon) {
		*len = (size_t)(colon - name);
		*tag = colon + 1;
	}
}

static void print_table(const struct img_list *list, bool in_full)
{
	size_t wide_name = strlen("REPOSITORY"), wide_tag = strlen("TAG");
	int wide_id = in_full ? 64 : SHORT_ID;

	for (size_t i = 0; i < list->n; i++) {
		const char *repository, *tag;
		size_t len;

		split_name(list->v[i].name, &repository, &len, &tag);
		wide_name = len > wide_name ? len : wide_name;
		wide_tag = strlen(tag) > wide_tag ? strlen(tag) : wide_tag;
	}
	printf("%-*s  %-*s  %-*s  %-14s  %s\n", (int)wide_name, "REPOSITORY", (int)wide_tag, "TAG",
		wide_id, "IMAGE ID", "CREATED", "SIZE");
	for (size_t i = 0; i < list->n; i++) {
		const struct img_info *info = &list->v[i];
		char id[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES], age[64];
		const char *repository, *tag;
		size_t len;

		split_name(info->name, &repository, &len, &tag);
		digest_text(&info->id, id);
		progress_bytes(info->tar_bytes, size);
		format_age(info->created, age, sizeof(age));
		printf("%-*.*s  %-*s  %-*.*s  %-14s  %s\n", (int)wide_name, (int)len, repository,
			(int)wide_tag, tag, wide_id, wide_id, digest_hex(id), age,
			info->is_damaged ? "damaged" : size);
	}
}

static void print_ids(const struct img_list *list, bool in_full)
{
	for (size_t i = 0; i < list->n; i++) {
		char id[DIGEST_TEXT_BYTES];
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = digest_eq(&list->v[k].id, &list->v[i].id);
		if (seen)
			continue;
		digest_text(&list->v[i].id, id);
		printf("%.*s\n", in_full ? 128 : SHORT_ID, digest_hex(id));
	}
}

/* @j is consumed. */
static int print_json_take(json_t *j, struct err *err)
{
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(4)) : NULL;

	json_decref(j);
	if (!text)
		return err_set(err, -ENOMEM, "cannot print JSON");
	printf("%s\n", text);
	return 0;
}

static int run_images(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_images *o = opts;
	struct img_list list = { 0 };
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int r = img_store_open(&s, cli->root, &err);

	if (r == 0)
		r = img_list_load(s, &list, &err);
	if (r == 0 && o->json)
		r = print_json_take(img_list_json(&list), &err);
	else if (r == 0 && o->quiet)
		print_ids(&list, o->no_trunc);
	else if (r == 0)
		print_table(&list, o->no_trunc);
	img_list_done(&list);
	if (r < 0) {
		err_wrap(&err, r, "cannot list the images");
		return cli_fail(&err);
	}
	return 0;
}

/* ---- tag ---- */

static int run_tag(struct cli *cli, void *opts, int argc, char **argv)
{
	auto_free char *name = NULL;
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int r = img_store_open(&s, cli->root, &err);

	if (r == 0)
		r = img_tag(s, argv[0], argv[1], &name, &err);
	if (r < 0) {
		err_wrap(&err, r, "cannot tag '%s'", argv[0]);
		return cli_fail(&err);
	}
	printf("%s\n", name);
	return 0;
}

/* ---- rmi ---- */

struct opts_rmi {
	bool all, force;
};

static const struct args_opt opts_rmi[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct opts_rmi, all), NULL, "every image" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct opts_rmi, force), NULL,
		"all names of an id; missing images are no error" },
	{ 0 },
};

static void on_untagged(void *ctx, const char *name)
{
	printf("Untagged: %s\n", name);
}

static void on_deleted(void *ctx, const struct idx_digest *id)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(id, text);
	printf("Deleted: %s\n", digest_hex(text));
}

static int remove_one(struct img_store *s, const char *text, enum rmi_flags flags)
{
	static const struct rmi_report report = { on_untagged, on_deleted, NULL };
	struct err err = ERR_INIT;
	int r = img_remove(s, text, flags, &report, &err);

	if (r == 0 || (r == -ENOENT && (flags & RMI_FORCE)))
		return 0;
	err_wrap(&err, r, "cannot remove '%s'", text);
	return cli_fail(&err);
}

/* By manifest digest: that also finds what has no name or is damaged. */
static int remove_all(struct img_store *s)
{
	struct img_list list = { 0 };
	struct err err = ERR_INIT;
	int code = 0, r = img_list_load(s, &list, &err);

	if (r < 0)
		return cli_fail(&err);
	for (size_t i = 0; i < list.n; i++) {
		char digest[DIGEST_TEXT_BYTES];
		int one;

		if (list.v[i].is_read_only)
			continue;
		digest_text(&list.v[i].manifest_digest, digest);
		/* Another of its names came first: it is gone already. */
		one = remove_one(s, digest, RMI_FORCE);
		code = one ? one : code;
	}
	img_list_done(&list);
	return code;
}

static int run_rmi(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_rmi *o = opts;
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int code = 0;

	if (o->all == (argc > 0)) {
		err_say(&err, -EINVAL, "'lamina rmi' takes names or ids, or --all");
		return cli_fail(&err);
	}
	if (img_store_open(&s, cli->root, &err) < 0)
		return cli_fail(&err);
	if (o->all)
		return remove_all(s);
	for (int i = 0; i < argc; i++) {
		int one = remove_one(s, argv[i], o->force ? RMI_FORCE : 0);

		code = one ? one : code;
	}
	return code;
}

const struct cli_verb cli_verbs_image[] = {
	{ .name = "images",
		.synopsis = "[OPTION]…",
		.help = "list the images of the store",
		.opts = opts_images,
		.opts_bytes = sizeof(struct opts_images),
		.max_args = 0,
		.run = run_images },
	{ .name = "tag",
		.synopsis = "IMAGE NAME",
		.help = "give an image one more name",
		.min_args = 2,
		.max_args = 2,
		.run = run_tag },
	{ .name = "rmi",
		.synopsis = "[OPTION]… IMAGE…",
		.help = "remove names, and images with their last name",
		.opts = opts_rmi,
		.opts_bytes = sizeof(struct opts_rmi),
		.max_args = -1,
		.run = run_rmi },
	{ 0 },
};
