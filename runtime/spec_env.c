/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's process is given (the contract is in the header). */
#include "runtime/spec_env.h"

#include <errno.h>

/* Pure.  Bytes of the name in "NAME=VALUE". */
static size_t name_len(const char *pair)
{
	return strcspn(pair, "=");
}

static char **find(const struct strv *env, const char *name, size_t len)
{
	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, len) == 0 && env->v[i][len] == '=')
			return &env->v[i];
	return NULL;
}

const char *env_get(const struct strv *env, const char *name)
{
	char **at = find(env, name, strlen(name));

	return at ? *at + strlen(name) + 1 : NULL;
}

int env_set(struct strv *env, const char *pair)
{
	char **at = find(env, pair, name_len(pair));
	char *copy;

	if (!at)
		return strv_add(env, pair);
	copy = strdup(pair);
	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

void env_unset(struct strv *env, const char *name)
{
	char **at = find(env, name, strlen(name));

	if (!at)
		return;
	free(*at);
	memmove(at, at + 1, (size_t)(env->v + env->n - at) * sizeof(*at));
	env->n--;
}

int env_set_default(struct strv *env, const char *name, const char *value)
{
	if (!value || env_get(env, name))
		return 0;
	return strv_addf(env, "%s=%s", name, value);
}

/* Those of the caller's variables whose name is @name, or begins with it. */
static int take_from_caller(
	struct strv *env, const char *name, size_t len, bool prefix, char *const *caller)
{
	int r = 0;

	for (; r == 0 && caller && *caller; caller++) {
		size_t n = name_len(*caller);

		if ((*caller)[n] == '=' && (prefix ? n >= len : n == len) && n > 0 &&
			strncmp(*caller, name, len) == 0)
			r = env_set(env, *caller);
	}
	return r;
}

int env_add_option(struct strv *env, const char *option, char *const *caller, struct err *err)
{
	size_t len = name_len(option);
	int r;

	if (len == 0)
		return err_say(err, -EINVAL, "environment variable '%.64s' has no name", option);
	if (option[len] == '=')
		r = env_set(env, option);
	else if (option[len - 1] == '*')
		r = take_from_caller(env, option, len - 1, true, caller);
	else
		r = take_from_caller(env, option, len, false, caller);
	return r < 0 ? err_set(err, r, "cannot set '%.64s'", option) : 0;
}

int env_add_file(
	struct strv *env, const char *data, size_t len, char *const *caller, struct err *err)
{
	size_t start = 0, line_no = 0, n;
	int r;

	for (; start < len; start += n + 1) {
		const char *nl = memchr(data + start, '\n', len - start);
		auto_free char *line = NULL;
		const char *text;

		line_no++;
		n = nl ? (size_t)(nl - data) - start : len - start;
		if (memchr(data + start, '\0', n))
			return err_say(err, -EINVAL, "line %zu holds a NUL", line_no);
		line = strndup(data + start, n);
		if (!line)
			return err_set(err, -ENOMEM, "line %zu", line_no);
		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = '\0';
		text = line + strspn(line, " \t");
		if (!text[0] || text[0] == '#')
			continue;
		if (strcspn(text, " \t") < name_len(text))
			return err_say(err, -EINVAL, "line %zu: white space in a name", line_no);
		r = env_add_option(env, text, caller, err);
		if (r < 0)
			return err_wrap(err, r, "line %zu", line_no);
	}
	return 0;
}

static int add_list(struct strv *args, const json_t *list)
{
	const json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach ((json_t *)list, i, item)
		if (r == 0 && json_is_string(item))
			r = strv_add(args, json_string_value(item));
	return r;
}

/* Docker's rule: what parses as a list of strings is one, anything else is a program. */
static int add_entrypoint(struct strv *args, const char *text)
{
	auto_json *list = NULL;

	if (text[0] == '[' && json_parse(text, strlen(text), "it", &list, NULL) == 0)
		return add_list(args, list);
	return text[0] ? strv_add(args, text) : 0;
}

int args_combine(const json_t *image, const char *entrypoint, char *const *command,
	size_t n_command, struct strv *ret, struct err *err)
{
	auto_strv args = { 0 };
	int r;

	if (entrypoint)
		r = add_entrypoint(&args, entrypoint);
	else
		r = add_list(&args, json_object_get(image, "Entrypoint"));
	for (size_t i = 0; r == 0 && i < n_command; i++)
		r = strv_add(&args, command[i]);
	if (r == 0 && n_command == 0 && !entrypoint)
		r = add_list(&args, json_object_get(image, "Cmd"));
	if (r < 0)
		return err_set(err, r, "cannot combine the arguments");
	if (args.n == 0 || !args.v[0][0])
		return err_hint(err,
			err_say(err, -EINVAL, "the image names no command, and none was given"),
			"name one behind the image");
	*ret = args;
	args = (struct strv){ 0 };
	return 0;
}
