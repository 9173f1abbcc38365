/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: images. */
#include "base/cleanup.h"
#include "base/str.h"
#include "image/inspect.h"
#include "runtime/cli/age.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/out.h"
#include "runtime/cli/progress.h"

#include <fnmatch.h>
#include <stdio.h>

#define SHORT_ID 12

struct opts_images {
	bool all, quiet, json, no_trunc, digests, no_heading;
	const char *format;
	struct strv filter;
};

static const struct args_opt opts_images[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct opts_images, all), NULL,
		"as without it: there are no intermediate images" },
	{ "digests", 0, ARGS_FLAG, offsetof(struct opts_images, digests), NULL,
		"show the manifests' digests, too" },
	{ "filter", 'f', ARGS_LIST, offsetof(struct opts_images, filter), "KEY=VALUE",
		"reference, label, dangling, readonly, id, digest, before or since" },
	{ "format", 0, ARGS_STRING, offsetof(struct opts_images, format), "TEMPLATE",
		"a line for each: '{{.ID}} {{.Size}}', 'table …', or json" },
	{ "json", 0, ARGS_FLAG, offsetof(struct opts_images, json), NULL, "as JSON" },
	{ "noheading", 'n', ARGS_FLAG, offsetof(struct opts_images, no_heading), NULL,
		"without the first line" },
	{ "no-trunc", 0, ARGS_FLAG, offsetof(struct opts_images, no_trunc), NULL, "ids in full" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct opts_images, quiet), NULL, "image ids alone" },
	{ 0 },
};

/* ---- names ---- */

/* A full name in two; a digest has no tag. */
struct split {
	const char *repository, *tag;
	size_t len; /* of repository */
};

static struct split split_name(const char *name)
{
	struct split s = { name ? name : "<none>", "<none>", 0 };
	const char *slash, *colon, *at;

	s.len = strlen(s.repository);
	if (!name)
		return s;
	at = strchr(name, '@');
	slash = strrchr(name, '/');
	colon = strchr(slash ? slash : name, ':');
	if (at) {
		s.len = (size_t)(at - name);
	} else if (colon) {
		s.len = (size_t)(colon - name);
		s.tag = colon + 1;
	}
	return s;
}

/* ---- filters ---- */

/* "alpine", "docker.io/library/alpine", "*:3.*": the name with or without host and tag. */
static bool matches_reference(const char *name, const char *pattern)
{
	struct split s = split_name(name);
	auto_free char *repository = strndup(s.repository, s.len);
	const char *part = name;

	if (!name || !repository)
		return false;
	for (;;) {
		size_t skipped = (size_t)(part - name);

		if (fnmatch(pattern, part, 0) == 0 ||
			(skipped < s.len && fnmatch(pattern, repository + skipped, 0) == 0))
			return true;
		part = strchr(part, '/');
		if (!part || (size_t)(part - name) >= s.len)
			return false;
		part++;
	}
}

/* The image that 'before' and 'since' name. */
static const struct img_info *find(const struct img_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		char id[DIGEST_TEXT_BYTES];

		digest_text(&list->v[i].id, id);
		if (matches_reference(list->v[i].name, name) ||
			(strlen(name) >= 3 && str_starts(digest_hex(id), name)))
			return &list->v[i];
	}
	return NULL;
}

static int match_bool(const char *key, const char *value, bool is, struct err *err)
{
	if (str_eq(value, "true") || str_eq(value, "1"))
		return is;
	if (str_eq(value, "false") || str_eq(value, "0"))
		return !is;
	return err_say(err, -EINVAL, "the filter '%s' takes true or false, not '%s'", key, value);
}

/* "KEY" or "KEY=VALUE" */
static bool matches_label(const struct img_info *info, const char *want)
{
	auto_free char *key = strndup(want, strcspn(want, "="));
	const char *value = strchr(want, '='), *is = key ? json_get_str(info->labels, key) : NULL;

	return is && (!value || str_eq(is, value + 1));
}

static bool matches_id(const struct idx_digest *digest, const char *want)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(digest, text);
	return str_starts(text, want) || str_starts(digest_hex(text), want);
}

static int match_date(const struct img_list *list, const struct img_info *info, bool before,
	const char *name, struct err *err)
{
	const char *created = info->created ? info->created : "";
	const struct img_info *other = find(list, name);

	if (!other || !other->created)
		return err_say(err, -ENOENT, "there is no image '%s' with a date", name);
	return before ? strcmp(created, other->created) < 0 : strcmp(created, other->created) > 0;
}

/* Return: whether it passes; an error. */
static int match_one(const struct img_list *list, const struct img_info *info, const char *filter,
	struct err *err)
{
	const char *eq = strchr(filter, '=');
	bool is_not = eq && eq > filter && eq[-1] == '!';
	auto_free char *key = eq ? strndup(filter, (size_t)(eq - filter) - is_not) : strdup("");

	if (!key)
		return err_set(err, -ENOMEM, "cannot list the images");
	if (str_eq(key, "label"))
		return matches_label(info, eq + 1) != is_not;
	if (str_eq(key, "reference"))
		return matches_reference(info->name, eq + 1) != is_not;
	if (str_eq(key, "id") && !is_not)
		return matches_id(&info->id, eq + 1);
	if (str_eq(key, "digest") && !is_not)
		return matches_id(&info->manifest_digest, eq + 1);
	if (str_eq(key, "dangling") && !is_not)
		return match_bool(key, eq + 1, !info->name, err);
	if (str_eq(key, "readonly") && !is_not)
		return match_bool(key, eq + 1, info->is_read_only, err);
	if (str_eq(key, "before") && !is_not)
		return match_date(list, info, true, eq + 1, err);
	if ((str_eq(key, "since") || str_eq(key, "after")) && !is_not)
		return match_date(list, info, false, eq + 1, err);
	err_say(err, -EINVAL, "'%s' is not a filter", filter);
	return err_hint(err, -EINVAL,
		"reference=PATTERN, label=KEY[=VALUE], dangling=BOOL, readonly=BOOL, id=ID, "
		"digest=DIGEST, before=IMAGE, since=IMAGE");
}

/* Filters of one key are alternatives for 'reference' and all have to pass otherwise. */
static int matches(const struct img_list *list, const struct img_info *info,
	const struct strv *filters, const char *name, struct err *err)
{
	bool wants_reference = name, has_reference = name && matches_reference(info->name, name);

	for (size_t i = 0; i < filters->n; i++) {
		int r = match_one(list, info, filters->v[i], err);

		if (r < 0)
			return r;
		if (str_starts(filters->v[i], "reference=")) {
			wants_reference = true;
			has_reference = has_reference || r;
		} else if (r == 0) {
			return 0;
		}
	}
	return !wants_reference || has_reference;
}

/* Leave out what does not pass; what is left keeps its order. */
static int filter_list(
	struct img_list *list, const struct strv *filters, const char *name, struct err *err)
{
	auto_free bool *keep = calloc(list->n + 1, sizeof(*keep));
	size_t n = 0;

	if (!keep)
		return err_set(err, -ENOMEM, "cannot list the images");
	for (size_t i = 0; i < list->n; i++) {
		int r = matches(list, &list->v[i], filters, name, err);

		if (r < 0)
			return r;
		keep[i] = r;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct img_info info = list->v[i];

		if (keep[i]) {
			list->v[i] = list->v[n];
			list->v[n++] = info;
		}
	}
	/* The others stand behind the end, and are freed with the list. */
	for (size_t i = n; i < list->n; i++)
		img_info_done(&list->v[i]);
	list->n = n;
	return 0;
}

/* ---- output ---- */

static json_t *row_of(const struct img_info *info, bool in_full)
{
	char id[DIGEST_TEXT_BYTES], digest[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES], age[64];
	struct split s = split_name(info->name);

	digest_text(&info->id, id);
	digest_text(&info->manifest_digest, digest);
	progress_bytes(info->tar_bytes, size);
	age_format(info->created, age, sizeof(age));
	return json_pack("{s:s%, s:s%, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "ID", digest_hex(id),
		in_full ? strlen(digest_hex(id)) : (size_t)SHORT_ID, "Repository", s.repository,
		s.len, "Tag", s.tag, "Digest", digest, "CreatedSince", age, "CreatedAt",
		info->created ? info->created : "", "Size", info->is_damaged ? "damaged" : size,
		"ReadOnly", info->is_read_only, "Damaged", info->is_damaged);
}

static int print_rows(const struct img_list *list, const struct opts_images *o, const char *format,
	struct err *err)
{
	auto_json *rows = json_array();

	for (size_t i = 0; i < list->n; i++)
		if (json_array_append_new(rows, row_of(&list->v[i], o->no_trunc)) < 0)
			return err_set(err, -ENOMEM, "cannot list the images");
	return out_rows(rows, format, err);
}

static void print_table(const struct img_list *list, const struct opts_images *o)
{
	size_t wide_name = strlen("REPOSITORY"), wide_tag = strlen("TAG");
	int wide_id = o->no_trunc ? 64 : SHORT_ID, wide_digest = o->digests ? 73 : 0;

	for (size_t i = 0; i < list->n; i++) {
		struct split s = split_name(list->v[i].name);

		wide_name = s.len > wide_name ? s.len : wide_name;
		wide_tag = strlen(s.tag) > wide_tag ? strlen(s.tag) : wide_tag;
	}
	if (!o->no_heading)
		printf("%-*s  %-*s  %-*s%-*s  %-14s  %s\n", (int)wide_name, "REPOSITORY",
			(int)wide_tag, "TAG", wide_digest, o->digests ? "DIGEST" : "", wide_id,
			"IMAGE ID", "CREATED", "SIZE");
	for (size_t i = 0; i < list->n; i++) {
		const struct img_info *info = &list->v[i];
		char id[DIGEST_TEXT_BYTES], digest[DIGEST_TEXT_BYTES] = "";
		char size[PROGRESS_BYTES_BYTES], age[64];
		struct split s = split_name(info->name);

		digest_text(&info->id, id);
		if (o->digests)
			digest_text(&info->manifest_digest, digest);
		progress_bytes(info->tar_bytes, size);
		age_format(info->created, age, sizeof(age));
		printf("%-*.*s  %-*s  %-*s%-*.*s  %-14s  %s%s\n", (int)wide_name, (int)s.len,
			s.repository, (int)wide_tag, s.tag, wide_digest, digest, wide_id, wide_id,
			digest_hex(id), age, info->is_damaged ? "damaged" : size,
			info->is_read_only ? " (read-only)" : "");
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

static int print_json(const struct img_list *list, struct err *err)
{
	auto_json *j = img_list_json(list);
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(4)) : NULL;

	if (!text)
		return err_set(err, -ENOMEM, "cannot print JSON");
	printf("%s\n", text);
	return 0;
}

static int run_images(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_images *o = opts;
	struct img_list list = { 0 };
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	int r = img_store_open(&s, cli->root, &err);

	if (r == 0)
		r = img_list_load(s, &list, &err);
	if (r == 0)
		r = filter_list(&list, &o->filter, argc > 0 ? argv[0] : NULL, &err);
	if (r == 0 && o->json)
		r = print_json(&list, &err);
	else if (r == 0 && o->format)
		r = print_rows(&list, o, o->format, &err);
	else if (r == 0 && o->quiet)
		print_ids(&list, o->no_trunc);
	else if (r == 0)
		print_table(&list, o);
	img_list_done(&list);
	img_store_close(s);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot list the images");
	return cli_fail(&err);
}

const struct cli_verb cli_verbs_images[] = {
	{ "images", "[OPTION]… [NAME]", "list the images of the store", opts_images,
		sizeof(struct opts_images), 0, 1, false, run_images },
	{ 0 },
};
