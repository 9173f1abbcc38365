/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to an image's config (the contract is in the header). */
#include "image/config_change.h"

#include "base/str.h"

#include <strings.h>

/* ---- words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Split at blanks; double quotes hold a word together, and a backslash takes the next character as
 * it is.  Return: 0; -EINVAL for a quote that does not end.
 */
static int split(const char *text, struct strv *ret)
{
	while (*text) {
		auto_buf word = { 0 };
		bool quoted = false;
		int r = 0;

		while (is_blank(*text))
			text++;
		if (!*text)
			return 0;
		for (; r == 0 && *text && (quoted || !is_blank(*text)); text++) {
			if (*text == '"')
				quoted = !quoted;
			else if (*text == '\\' && text[1])
				r = buf_add(&word, ++text, 1);
			else
				r = buf_add(&word, text, 1);
		}
		if (quoted)
			return -EINVAL;
		if (r == 0)
			r = strv_add(ret, word.data ? word.data : "");
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- kinds of values ---- */

static int set(json_t *config, const char *key, json_t *value_take)
{
	return value_take && json_object_set_new(config, key, value_take) == 0 ? 0 : -ENOMEM;
}

static int set_text(json_t *config, const char *key, const char *value)
{
	json_t *text = json_string(value);

	/* The value came from a person: jansson refuses what is not UTF-8. */
	return text ? set(config, key, text) : -EINVAL;
}

/* A JSON list of strings.  Return: a new reference; NULL if it is something else. */
static json_t *parse_list(const char *value)
{
	json_t *list;

	if (*value != '[' || json_parse(value, strlen(value), "list", &list, NULL) < 0)
		return NULL;
	for (size_t i = 0; json_is_array(list) && i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int set_command(json_t *config, const char *key, const char *value)
{
	json_t *list = parse_list(value);

	if (!list && *value == '[')
		return -EINVAL;
	if (!list)
		list = json_pack("[s, s, s]", "/bin/sh", "-c", value);
	return list ? set(config, key, list) : -EINVAL;
}

/* "NAME=" of an environment list goes, wherever it stands. */
static void drop_env(json_t *env, const char *name, size_t len)
{
	for (size_t i = json_array_size(env); i-- > 0;) {
		const char *e = json_string_value(json_array_get(env, i));

		if (e && strncmp(e, name, len) == 0 && e[len] == '=')
			(void)json_array_remove(env, i);
	}
}

static json_t *member(json_t *config, const char *key, json_t *(*make)(void))
{
	json_t *j = json_object_get(config, key);

	if (j && !json_is_null(j))
		return j;
	if (json_object_set_new(config, key, make()) < 0)
		return NULL;
	return json_object_get(config, key);
}

static int set_pair(
	json_t *config, const char *key, const char *name, size_t len, const char *value)
{
	bool is_env = str_eq(key, "Env");
	json_t *to = member(config, key, is_env ? json_array : json_object), *text;
	auto_free char *whole = str_format("%.*s=%s", (int)len, name, value);
	auto_free char *bare = strndup(name, len);

	if (!to || !whole || !bare)
		return -ENOMEM;
	if (is_env ? !json_is_array(to) : !json_is_object(to))
		return -EINVAL;
	text = json_string(is_env ? whole : value);
	if (!text)
		return -EINVAL;
	if (!is_env)
		return json_object_set_new(to, bare, text) < 0 ? -EINVAL : 0;
	drop_env(to, name, len);
	return json_array_append_new(to, text) < 0 ? -ENOMEM : 0;
}

/* NAME=VALUE…, or NAME VALUE. */
static int set_pairs(json_t *config, const char *key, const char *value)
{
	size_t first = strcspn(value, " \t=");
	auto_strv words = { 0 };
	int r;

	if (first == 0)
		return -EINVAL;
	if (is_blank(value[first])) {
		const char *rest = value + first + strspn(value + first, " \t");

		return *rest ? set_pair(config, key, value, first, rest) : -EINVAL;
	}
	r = split(value, &words);
	for (size_t i = 0; r == 0 && i < words.n; i++) {
		char *eq = strchr(words.v[i], '=');

		if (!eq || eq == words.v[i])
			return -EINVAL;
		r = set_pair(config, key, words.v[i], (size_t)(eq - words.v[i]), eq + 1);
	}
	return r;
}

static int add_to_set(json_t *config, const char *key, const char *word)
{
	json_t *to = member(config, key, json_object);
	auto_free char *full = NULL;

	if (!to)
		return -ENOMEM;
	if (!json_is_object(to) || !*word)
		return -EINVAL;
	if (str_eq(key, "ExposedPorts") && !strchr(word, '/')) {
		full = str_format("%s/tcp", word);
		if (!full)
			return -ENOMEM;
		word = full;
	}
	return json_object_set_new(to, word, json_object()) < 0 ? -EINVAL : 0;
}

static int add_words(json_t *config, const char *key, const char *value)
{
	auto_json *list = parse_list(value);
	auto_strv words = { 0 };
	int r = 0;

	if (!list)
		r = split(value, &words);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = add_to_set(config, key, json_string_value(json_array_get(list, i)));
	for (size_t i = 0; r == 0 && i < words.n; i++)
		r = add_to_set(config, key, words.v[i]);
	return r;
}

static int add_onbuild(json_t *config, const char *key, const char *value)
{
	json_t *to = member(config, key, json_array);

	if (!to)
		return -ENOMEM;
	return json_is_array(to) && json_array_append_new(to, json_string(value)) == 0 ? 0
										       : -EINVAL;
}

static int set_workdir(json_t *config, const char *key, const char *value)
{
	return *value == '/' ? set_text(config, key, value) : -EINVAL;
}

/* ---- instructions ---- */

static const struct {
	const char *word, *key;
	int (*apply)(json_t *config, const char *key, const char *value);
} instructions[] = {
	{ "CMD", "Cmd", set_command },
	{ "ENTRYPOINT", "Entrypoint", set_command },
	{ "ENV", "Env", set_pairs },
	{ "EXPOSE", "ExposedPorts", add_words },
	{ "LABEL", "Labels", set_pairs },
	{ "ONBUILD", "OnBuild", add_onbuild },
	{ "STOPSIGNAL", "StopSignal", set_text },
	{ "USER", "User", set_text },
	{ "VOLUME", "Volumes", add_words },
	{ "WORKDIR", "WorkingDir", set_workdir },
};

int config_change(json_t *config, const char *text, struct err *err)
{
	size_t len = strcspn(text, " \t=");
	const char *value = text + len + strspn(text + len, " \t");

	if (strlen(text) > LIMIT_CHANGE_BYTES)
		return err_say(
			err, -EINVAL, "a change is longer than %d bytes", LIMIT_CHANGE_BYTES);
	if (*value == '=')
		value += 1 + strspn(value + 1, " \t");
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		int r;

		if (strlen(instructions[i].word) != len ||
			strncasecmp(instructions[i].word, text, len) != 0)
			continue;
		r = *value ? instructions[i].apply(config, instructions[i].key, value) : -EINVAL;
		if (r == -ENOMEM)
			return err_set(err, r, "cannot change the config");
		return r < 0 ? err_say(err, r, "the change '%s' is malformed", text) : 0;
	}
	err_say(err, -EINVAL, "'%.*s' is not a change that can be made", (int)len, text);
	return err_hint(err, -EINVAL,
		"CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or "
		"WORKDIR");
}
