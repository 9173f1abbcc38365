/* SPDX-License-Identifier: Apache-2.0 */
/* The config of an image (the contract is in the header). */
#include "image/config.h"

#include "base/str.h"

/* What the members of "config" have to be; null stands for absent, as docker writes it. */
enum shape { SHAPE_STRING, SHAPE_STRINGS, SHAPE_STRING_MAP, SHAPE_SET };
static const struct {
	const char *key;
	enum shape shape;
} members[] = {
	{ "User", SHAPE_STRING },
	{ "WorkingDir", SHAPE_STRING },
	{ "StopSignal", SHAPE_STRING },
	{ "Env", SHAPE_STRINGS },
	{ "Entrypoint", SHAPE_STRINGS },
	{ "Cmd", SHAPE_STRINGS },
	{ "Shell", SHAPE_STRINGS },
	{ "Labels", SHAPE_STRING_MAP },
	{ "Volumes", SHAPE_SET },
	{ "ExposedPorts", SHAPE_SET },
};

/* The parser refuses NUL already; the length is what is left to check. */
static bool word_is_sane(const json_t *v)
{
	return json_is_string(v) && json_string_length(v) < LIMIT_CONFIG_WORD_BYTES;
}

static bool list_is_sane(const json_t *v)
{
	size_t i;
	json_t *word;

	if (!json_is_array(v) || json_array_size(v) > LIMIT_CONFIG_WORDS)
		return false;
	json_array_foreach ((json_t *)v, i, word)
		if (!word_is_sane(word))
			return false;
	return true;
}

static bool map_is_sane(const json_t *v, bool with_values)
{
	const char *key;
	json_t *word;

	if (!json_is_object(v) || json_object_size(v) > LIMIT_CONFIG_WORDS)
		return false;
	json_object_foreach ((json_t *)v, key, word)
		if (strlen(key) >= LIMIT_CONFIG_WORD_BYTES || (with_values && !word_is_sane(word)))
			return false;
	return true;
}

static bool member_is_sane(const json_t *v, enum shape shape)
{
	if (!v || json_is_null(v))
		return true;
	switch (shape) {
	case SHAPE_STRING:
		return word_is_sane(v);
	case SHAPE_STRINGS:
		return list_is_sane(v);
	case SHAPE_STRING_MAP:
		return map_is_sane(v, true);
	case SHAPE_SET:
		return map_is_sane(v, false);
	}
	return false;
}

static int check_members(const json_t *j, struct err *err)
{
	const json_t *config = json_object_get(j, "config");

	if (!config || json_is_null(config))
		return 0;
	if (!json_is_object(config))
		return err_say(err, -EBADMSG, "the image config: 'config' is not an object");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!member_is_sane(json_object_get(config, members[i].key), members[i].shape))
			return err_say(err, -EBADMSG,
				"the image config: '%s' is malformed or too large", members[i].key);
	return 0;
}

static int parse_diff_ids(const json_t *j, struct config *c, struct err *err)
{
	const json_t *rootfs = json_object_get(j, "rootfs");
	const json_t *ids = json_object_get(rootfs, "diff_ids");
	const char *type = json_get_str(rootfs, "type");
	size_t n = json_array_size(ids);

	if (!json_is_object(rootfs) || (type && !str_eq(type, "layers")))
		return err_say(err, -EBADMSG, "the image config has no rootfs of layers");
	/* Tools that make images without layers write null or nothing. */
	if (ids && !json_is_null(ids) && !json_is_array(ids))
		return err_say(err, -EBADMSG, "the image config: 'diff_ids' is not an array");
	if (n > LIMIT_IDX_LAYERS)
		return err_say(err, -EBADMSG, "%zu diff ids are more than the limit of %d", n,
			LIMIT_IDX_LAYERS);
	c->diff_ids = calloc(n + 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return err_set(err, -ENOMEM, "cannot parse the image config");
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(ids, i));

		if (!text || digest_parse(text, &c->diff_ids[i]) < 0)
			return err_say(err, -EBADMSG,
				"the image config: diff id %zu of %zu is not a digest", i + 1, n);
	}
	c->n_diff_ids = (uint32_t)n;
	return 0;
}

int config_parse(const char *data, size_t len, struct config *ret, struct err *err)
{
	auto_config c = { 0 };
	const char *os, *arch;
	int r = json_parse(data, len, "the image config", &c.json, err);

	if (r < 0)
		return r;
	if (!json_is_object(c.json))
		return err_say(err, -EBADMSG, "the image config is not a JSON object");
	os = json_get_str(c.json, "os");
	arch = json_get_str(c.json, "architecture");
	if (os && arch && *os && *arch &&
		platform_set(&c.platform, os, arch, json_get_str(c.json, "variant")) < 0)
		return err_say(err, -EBADMSG, "the image config names no valid platform");
	r = parse_diff_ids(c.json, &c, err);
	if (r == 0)
		r = check_members(c.json, err);
	if (r < 0)
		return r;
	*ret = c;
	memset(&c, 0, sizeof(c));
	return 0;
}

void config_done(struct config *c)
{
	free(c->diff_ids);
	json_decref(c->json);
	memset(c, 0, sizeof(*c));
}
