/* SPDX-License-Identifier: Apache-2.0 */
/* From a container's configuration back to an image's (the contract is in the header). */
#include "runtime/commit_config.h"

#include "base/cleanup.h"
#include "runtime/describe.h"

/* Set in every container; of the image only where its own config sets them. */
static bool is_ours(const char *pair)
{
	static const char *const names[] = { "HOME=", "HOSTNAME=", "TERM=", "container=" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_starts(pair, names[i]))
			return true;
	return false;
}

/* The image's pair with the same name, or NULL. */
static const char *pair_of(const json_t *env, const char *pair)
{
	size_t len = strcspn(pair, "=") + 1;

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *s = json_string_value(json_array_get(env, i));

		if (s && strncmp(s, pair, len) == 0)
			return s;
	}
	return NULL;
}

static json_t *env_of(const struct spec_list *env, const json_t *image_env)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < env->n; i++) {
		if (is_ours(env->v[i]) && !pair_of(image_env, env->v[i]))
			continue;
		if (json_array_append_new(list, json_string(env->v[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool begins_with(const struct spec_list *args, const json_t *words)
{
	size_t n = json_array_size(words);

	if (n > args->n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *word = json_string_value(json_array_get(words, i));

		if (!word || !str_eq(word, args->v[i]))
			return false;
	}
	return true;
}

static json_t *words_from(const struct spec_list *args, size_t first)
{
	json_t *list = json_array();

	for (size_t i = first; list && i < args->n; i++)
		if (json_array_append_new(list, json_string(args->v[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* What of the arguments is the image's Entrypoint stays that. */
static int put_args(json_t *config, const struct spec_list *args, const json_t *image)
{
	const json_t *entrypoint = json_object_get(image, "Entrypoint");

	if (begins_with(args, entrypoint))
		return json_object_set_new(
			config, "Cmd", words_from(args, json_array_size(entrypoint)));
	if (json_object_set_new(config, "Entrypoint", words_from(args, 0)) < 0)
		return -1;
	return json_object_set_new(config, "Cmd", json_array());
}

static int put_labels(json_t *config, const struct strv *labels, const json_t *image)
{
	const json_t *of_image = json_object_get(image, "Labels");
	json_t *own = describe_labels(labels), *all;

	if (!own || labels->n == 0) {
		json_decref(own);
		return own ? 0 : -1;
	}
	all = json_is_object(of_image) ? json_copy((json_t *)(uintptr_t)of_image) : json_object();
	if (json_object_update(all, own) < 0) {
		json_decref(all);
		all = NULL;
	}
	json_decref(own);
	return json_object_set_new(config, "Labels", all);
}

json_t *commit_config(const struct spec *spec, const struct strv *labels, const json_t *image)
{
	const struct spec_process *p = spec->process;
	const char *workdir = json_get_str(image, "WorkingDir");
	auto_json *config = json_object();

	if (json_object_set_new(config, "Env", env_of(&p->env, json_object_get(image, "Env"))) <
			0 ||
		put_args(config, &p->args, image) < 0 || put_labels(config, labels, image) < 0)
		return NULL;
	if (!str_eq(p->cwd, workdir && workdir[0] ? workdir : "/") &&
		json_object_set_new(config, "WorkingDir", json_string(p->cwd)) < 0)
		return NULL;
	return ptr_take(&config);
}
