/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf (the contract is in the header). */
#include "image/regconf.h"

#include "base/str.h"
#include "image/toml.h"

#define LIMIT_MIRRORS 100

void regconf_places_done(struct regconf_places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].host);
		free(p->v[i].path);
	}
	free(p->v);
	*p = (struct regconf_places){ NULL, 0 };
}

/* ---- reading ---- */

static int check_type(
	const json_t *obj, const char *key, json_type type, const char *what, struct err *err)
{
	const json_t *v = json_object_get(obj, key);
	bool is_bool = type == JSON_TRUE;

	if (!v || (is_bool ? json_is_boolean(v) : json_typeof(v) == type))
		return 0;
	return err_say(err, -EBADMSG, "'%s' is not %s", key, what);
}

static int check_mirrors(const json_t *registry, struct err *err)
{
	const json_t *mirrors = json_object_get(registry, "mirror"), *v;
	size_t i;

	if (!mirrors)
		return 0;
	if (!json_is_array(mirrors) || json_array_size(mirrors) > LIMIT_MIRRORS)
		return err_say(err, -EBADMSG, "'mirror' is not an array of at most %d tables",
			LIMIT_MIRRORS);
	json_array_foreach ((json_t *)mirrors, i, v) {
		const char *pull = json_get_str(v, "pull-from-mirror");

		if (!json_get_str(v, "location"))
			return err_say(err, -EBADMSG, "a mirror has no 'location'");
		if (check_type(v, "insecure", JSON_TRUE, "a boolean", err) < 0)
			return -EBADMSG;
		if (pull && !str_eq(pull, "all") && !str_eq(pull, "digest-only") &&
			!str_eq(pull, "tag-only"))
			return err_say(err, -EBADMSG,
				"'pull-from-mirror' is not all, digest-only or tag-only");
	}
	return 0;
}

static int check_registry(const json_t *j, struct err *err)
{
	static const char *const booleans[] = { "insecure", "blocked", "mirror-by-digest-only" };
	const char *prefix = json_get_str(j, "prefix"), *location = json_get_str(j, "location");

	for (size_t i = 0; i < ARRAY_SIZE(booleans); i++)
		if (check_type(j, booleans[i], JSON_TRUE, "a boolean", err) < 0)
			return -EBADMSG;
	if (check_type(j, "prefix", JSON_STRING, "a string", err) < 0 ||
		check_type(j, "location", JSON_STRING, "a string", err) < 0)
		return -EBADMSG;
	if ((!prefix || !*prefix) && (!location || !*location))
		return err_say(err, -EBADMSG, "a registry has neither 'prefix' nor 'location'");
	if (prefix && prefix[0] == '*' && prefix[1] != '.')
		return err_say(err, -EBADMSG, "the prefix '%s' is not '*.' and a domain", prefix);
	return check_mirrors(j, err);
}

static const char *prefix_of(const json_t *registry)
{
	const char *prefix = json_get_str(registry, "prefix");

	return prefix && *prefix ? prefix : json_get_str(registry, "location");
}

/* A registry with the same prefix gives way. */
static int merge_registry(json_t *list, json_t *registry, struct err *err)
{
	json_t *v;
	size_t i;

	json_array_foreach (list, i, v)
		if (str_eq(prefix_of(v), prefix_of(registry)))
			return json_array_set(list, i, registry) < 0
				       ? err_set(err, -ENOMEM, "cannot read it")
				       : 0;
	return json_array_append(list, registry) < 0 ? err_set(err, -ENOMEM, "cannot read it") : 0;
}

/* The member @key of @conf, made if it is missing. */
static json_t *member(json_t *conf, const char *key, json_t *fresh)
{
	json_t *v = json_object_get(conf, key);

	if (v) {
		json_decref(fresh);
		return v;
	}
	return json_object_set_new(conf, key, fresh) < 0 ? NULL : fresh;
}

static int check_search(const json_t *search, struct err *err)
{
	const json_t *v;
	size_t i;

	json_array_foreach ((json_t *)search, i, v)
		if (!json_is_string(v))
			return err_say(err, -EBADMSG,
				"'unqualified-search-registries' is not a list of strings");
	return 0;
}

int regconf_merge(json_t *conf, const char *data, size_t len, struct err *err)
{
	auto_json *j = NULL;
	json_t *list, *aliases, *search, *v;
	const char *key;
	size_t i;
	int r = toml_parse(data, len, &j, err);

	if (r < 0)
		return r;
	if (json_object_get(j, "registries")) {
		err_say(err, -EBADMSG, "it is of version 1, which is not supported");
		return err_hint(err, -EBADMSG, "write it as [[registry]] tables");
	}
	if (check_type(j, "registry", JSON_ARRAY, "an array of tables", err) < 0 ||
		check_type(j, "aliases", JSON_OBJECT, "a table", err) < 0 ||
		check_type(j, "unqualified-search-registries", JSON_ARRAY, "an array", err) < 0)
		return -EBADMSG;
	list = member(conf, "registry", json_array());
	aliases = member(conf, "aliases", json_object());
	if (!list || !aliases)
		return err_set(err, -ENOMEM, "cannot read it");
	json_array_foreach (json_object_get(j, "registry"), i, v) {
		r = check_registry(v, err);
		if (r == 0)
			r = merge_registry(list, v, err);
		if (r < 0)
			return r;
	}
	json_object_foreach (json_object_get(j, "aliases"), key, v)
		if (!json_is_string(v) || json_object_set(aliases, key, v) < 0)
			return err_say(err, -EBADMSG, "the alias '%s' is not a string", key);
	search = json_object_get(j, "unqualified-search-registries");
	if (!search)
		return 0;
	r = check_search(search, err);
	if (r == 0 && json_object_set(conf, "unqualified-search-registries", search) < 0)
		r = err_set(err, -ENOMEM, "cannot read it");
	return r;
}

/* ---- names ---- */

/* "alpine" of "alpine:3@sha256:…" */
static size_t bare_len(const char *name)
{
	size_t len = strcspn(name, "@");
	const char *slash = memrchr(name, '/', len);
	const char *from = slash ? slash : name;
	const char *colon = memchr(from, ':', len - (size_t)(from - name));

	return colon ? (size_t)(colon - name) : len;
}

static int expand(const char *full, const char *rest, struct ref *ref, struct err *err)
{
	auto_free char *text = str_format("%s%s", full, rest);
	int r = text ? ref_parse(text, ref, err) : err_set(err, -ENOMEM, "cannot read a name");

	if (r == 0)
		ref->is_short = false;
	return r;
}

static int several(const json_t *search, const char *name, struct err *err)
{
	char names[ERR_HINT_BYTES] = "";
	size_t used = 0, i;
	const json_t *v;

	json_array_foreach ((json_t *)search, i, v) {
		const char *host = json_string_value(v);

		if (used + strlen(host) + strlen(name) + 4 > sizeof(names))
			break;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s/%s",
			used ? ", " : "", host, name);
	}
	err_say(err, -EINVAL, "'%s' names no registry, and registries.conf has several to search",
		name);
	return err_hint(err, -EINVAL, "give the full name: %s", names);
}

int regconf_name(const json_t *conf, const char *name, struct ref *ref, struct err *err)
{
	const json_t *search = json_object_get(conf, "unqualified-search-registries");
	auto_free char *bare = NULL;
	auto_ref parsed = { 0 };
	const char *alias;
	int r = ref_parse(name, &parsed, err);

	if (r < 0)
		return r;
	if (!parsed.is_short || str_starts(name, "docker://")) {
		*ref = parsed;
		memset(&parsed, 0, sizeof(parsed));
		return 0;
	}
	bare = strndup(name, bare_len(name));
	if (!bare)
		return err_set(err, -ENOMEM, "cannot read a name");
	alias = json_get_str(json_object_get(conf, "aliases"), bare);
	if (alias && *alias) {
		r = expand(alias, name + bare_len(name), ref, err);
		return r < 0 ? err_wrap(err, r, "the alias of '%s'", bare) : 0;
	}
	if (json_array_size(search) > 1)
		return several(search, name, err);
	if (json_array_size(search) == 1) {
		auto_free char *full =
			str_format("%s/%s", json_string_value(json_array_get(search, 0)), bare);

		return full ? expand(full, name + bare_len(name), ref, err)
			    : err_set(err, -ENOMEM, "cannot read a name");
	}
	*ref = parsed;
	memset(&parsed, 0, sizeof(parsed));
	return 0;
}

/* ---- places ---- */

/* How much of @repository, "HOST/PATH", the prefix covers; 0: it does not. */
static size_t covers(const char *prefix, const char *repository)
{
	size_t len = strlen(prefix), host = strcspn(repository, "/");

	if (str_starts(prefix, "*.")) {
		len--;
		return host > len && memcmp(repository + host - len, prefix + 1, len) == 0 ? host
											   : 0;
	}
	if (strncmp(repository, prefix, len) != 0 || (repository[len] && repository[len] != '/'))
		return 0;
	return len;
}

static const json_t *find_registry(const json_t *conf, const char *repository, size_t *ret_len)
{
	const json_t *v, *best = NULL;
	size_t i, best_prefix = 0;

	json_array_foreach (json_object_get(conf, "registry"), i, v) {
		size_t len = covers(prefix_of(v), repository);

		if (len && strlen(prefix_of(v)) > best_prefix) {
			best = v;
			best_prefix = strlen(prefix_of(v));
			*ret_len = len;
		}
	}
	return best;
}

/* @location instead of the first @len bytes of @repository. */
static int add_place(struct regconf_places *ret, const char *location, const char *repository,
	size_t len, bool insecure, struct err *err)
{
	auto_free char *text = location && *location
				       ? str_format("%s%s", location, repository + len)
				       : strdup(repository);
	struct session_place *bigger = reallocarray(ret->v, ret->n + 1, sizeof(*bigger));
	char *slash = text ? strchr(text, '/') : NULL;
	auto_ref check = { 0 };
	int r;

	if (bigger)
		ret->v = bigger;
	if (!bigger || !text)
		return err_set(err, -ENOMEM, "cannot read a name");
	r = ref_parse(text, &check, err);
	if (r == 0 && (check.is_short || !slash))
		r = err_say(err, -EBADMSG, "'%s' names no registry", text);
	if (r < 0)
		return err_wrap(err, r, "the location '%s' of registries.conf", location);
	*slash = '\0';
	bigger[ret->n] = (struct session_place){ strdup(text), strdup(slash + 1), insecure };
	ret->n++;
	return bigger[ret->n - 1].host && bigger[ret->n - 1].path
		       ? 0
		       : err_set(err, -ENOMEM, "cannot read a name");
}

static bool may_serve(const json_t *registry, const json_t *mirror, bool by_digest)
{
	const char *pull = json_get_str(mirror, "pull-from-mirror");

	if (json_is_true(json_object_get(registry, "mirror-by-digest-only")) && !by_digest)
		return false;
	if (!pull || str_eq(pull, "all"))
		return true;
	return str_eq(pull, "digest-only") == by_digest;
}

int regconf_find(const json_t *conf, const struct ref *ref, bool no_mirrors,
	struct regconf_places *ret, struct err *err)
{
	auto_free char *repository = str_format("%s/%s", ref->host, ref->path);
	auto_regconf_places places = { 0 };
	const json_t *registry, *v;
	size_t len = 0, i;
	int r = 0;

	if (!repository)
		return err_set(err, -ENOMEM, "cannot read a name");
	registry = find_registry(conf, repository, &len);
	if (json_is_true(json_object_get(registry, "blocked")))
		return err_say(err, -EACCES, "registries.conf blocks '%s'", prefix_of(registry));
	if (!no_mirrors)
		json_array_foreach (json_object_get(registry, "mirror"), i, v)
			if (r == 0 && may_serve(registry, v, ref->digest.alg))
				r = add_place(&places, json_get_str(v, "location"), repository, len,
					json_is_true(json_object_get(v, "insecure")), err);
	if (r == 0)
		r = add_place(&places, json_get_str(registry, "location"), repository, len,
			json_is_true(json_object_get(registry, "insecure")), err);
	if (r < 0)
		return r;
	*ret = places;
	places = (struct regconf_places){ NULL, 0 };
	return 0;
}

bool regconf_is_insecure(const json_t *conf, const char *host)
{
	size_t len;

	return json_is_true(json_object_get(find_registry(conf, host, &len), "insecure"));
}
