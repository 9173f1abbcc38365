/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials (the contract is in the header). */
#include "image/auth.h"

#include "base/base64.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/auth_helper.h"
#include "image/conf_path.h"

#include <fcntl.h>
#include <stdint.h>

void cred_done(struct cred *c)
{
	/* Secrets do not stay in freed memory. */
	if (c->password)
		explicit_bzero(c->password, strlen(c->password));
	if (c->identity_token)
		explicit_bzero(c->identity_token, strlen(c->identity_token));
	free(c->user);
	free(c->password);
	free(c->identity_token);
	memset(c, 0, sizeof(*c));
}

int cred_copy(struct cred *ret, const struct cred *c)
{
	struct cred copy = { c->user ? strdup(c->user) : NULL,
		c->password ? strdup(c->password) : NULL,
		c->identity_token ? strdup(c->identity_token) : NULL };

	if ((c->user && !copy.user) || (c->password && !copy.password) ||
		(c->identity_token && !copy.identity_token)) {
		cred_done(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* Return: the bytes, NUL-terminated, owned by the caller; NULL if @text is not base64. */
static char *decode_text(const char *text, size_t *ret_len)
{
	auto_buf b = { 0 };

	if (base64_decode(&b, text, strlen(text)) < 0)
		return NULL;
	*ret_len = b.len;
	return buf_take(&b);
}

char *auth_basic(const char *user, const char *password)
{
	auto_free char *plain = str_format("%s:%s", user, password);
	size_t len = plain ? strlen(plain) : 0;
	auto_buf b = { 0 };
	int r;

	if (!plain || buf_add_str(&b, "Basic ") < 0)
		return NULL;
	r = base64_encode(&b, plain, len);
	explicit_bzero(plain, len);
	return r < 0 ? NULL : buf_take(&b);
}

/* Without the scheme and path that docker puts around a host: "https://index.docker.io/v1/". */
static char *normal_key(const char *key)
{
	const char *p = key;
	bool had_scheme = false;

	if (str_starts(p, "https://"))
		p += 8, had_scheme = true;
	else if (str_starts(p, "http://"))
		p += 7, had_scheme = true;
	if (had_scheme)
		return strndup(p, strcspn(p, "/"));
	return strndup(p, strlen(p) - (str_ends(p, "/") ? 1 : 0));
}

static bool is_docker_hub(const char *key)
{
	return str_eq(key, "index.docker.io") || str_eq(key, "registry-1.docker.io");
}

/* How long the part of HOST/PATH is that @key covers; 0 if it is another place. */
static size_t covers(const char *key, const char *host, const char *path)
{
	auto_free char *normal = normal_key(key);
	auto_free char *whole = NULL;
	size_t len;

	if (!normal || !*normal)
		return 0;
	if (str_eq(host, "docker.io") && is_docker_hub(normal))
		return strlen(host);
	whole = path ? str_format("%s/%s", host, path) : strdup(host);
	len = strlen(normal);
	if (!whole || !str_starts(whole, normal) || (whole[len] && whole[len] != '/'))
		return 0;
	return len;
}

static int read_entry(const json_t *entry, const char *key, struct cred *ret, struct err *err)
{
	const char *auth = json_get_str(entry, "auth"), *token;
	auto_free char *plain = NULL;
	auto_cred c = { 0 };
	char *colon;
	size_t len;

	token = json_get_str(entry, "identitytoken");
	if (token && *token) {
		c.identity_token = strdup(token);
		if (!c.identity_token)
			return -ENOMEM;
	}
	if (auth && *auth) {
		plain = decode_text(auth, &len);
		/* docker pads the password with NULs. */
		colon = plain ? strchr(plain, ':') : NULL;
		if (!colon || strpbrk(plain, "\r\n"))
			return err_say(err, -EBADMSG, "the entry '%s' is not valid", key);
		*colon = '\0';
		c.user = strdup(plain);
		c.password = strdup(colon + 1);
		explicit_bzero(plain, len);
		if (!c.user || !c.password)
			return -ENOMEM;
	}
	*ret = c;
	memset(&c, 0, sizeof(c));
	return 0;
}

int auth_look_up(
	const json_t *file, const char *host, const char *path, struct cred *ret, struct err *err)
{
	const json_t *auths = json_object_get(file, "auths"), *best = NULL;
	const char *key, *best_key = NULL;
	size_t best_len = 0;
	json_t *entry;

	memset(ret, 0, sizeof(*ret));
	json_object_foreach ((json_t *)auths, key, entry) {
		size_t len = covers(key, host, path);

		if (len <= best_len)
			continue;
		best_len = len;
		best = entry;
		best_key = key;
	}
	return best ? read_entry(best, best_key, ret, err) : 0;
}

const char *auth_helper_of(const json_t *file, const char *host, const char *path)
{
	const char *key, *best = NULL;
	size_t best_len = 0;
	json_t *name;

	json_object_foreach (json_object_get(file, "credHelpers"), key, name) {
		size_t len = covers(key, host, path);

		if (len > best_len && json_is_string(name)) {
			best_len = len;
			best = json_string_value(name);
		}
	}
	return best;
}

/* A program that is named for the registry comes first, one for all registries last. */
static int ask_helper(
	const json_t *file, const char *host, const char *path, struct cred *ret, struct err *err)
{
	const char *helper = auth_helper_of(file, host, path);
	const char *server = host;
	int r;

	if (helper)
		return auth_helper_get(helper, host, ret, err);
	r = auth_look_up(file, host, path, ret, err);
	helper = json_get_str(file, "credsStore");
	if (r < 0 || ret->user || ret->identity_token || !helper || !*helper)
		return r;
	if (str_eq(host, "docker.io"))
		server = "https://index.docker.io/v1/";
	return auth_helper_get(helper, server, ret, err);
}

/* Docker's old file is its "auths" alone. */
static int look_in_old(const char *host, const char *path, struct cred *ret, struct err *err)
{
	auto_free char *name = conf_path_in("", ".", ".dockercfg"), *data = NULL;
	auto_json *j = NULL;
	auto_json *wrapped = NULL;
	auto_fd fd = name ? open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	size_t len;

	if (fd < 0 || fd_read_file(fd, LIMIT_AUTH_FILE_BYTES, &data, &len) < 0 ||
		json_parse(data, len, name, &j, NULL) < 0)
		return 0;
	wrapped = json_pack("{s:O}", "auths", j);
	return wrapped ? auth_look_up(wrapped, host, path, ret, err) : 0;
}

/* Return: 0, also if the file is missing and may be. */
static int look_in(const char *file, bool must_exist, const char *host, const char *path,
	struct cred *ret, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	auto_fd fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t len;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && !must_exist)
		return 0;
	if (fd < 0)
		return err_set(err, -errno, "cannot read the credentials in '%s'", file);
	r = fd_read_file(fd, LIMIT_AUTH_FILE_BYTES, &data, &len);
	if (r < 0)
		return err_set(err, r, "cannot read the credentials in '%s'", file);
	r = json_parse(data, len, file, &j, err);
	explicit_bzero(data, len);
	if (r < 0)
		return r;
	r = ask_helper(j, host, path, ret, err);
	return r < 0 ? err_wrap(err, r, "the credentials in '%s'", file) : 0;
}

int auth_find(
	const char *file, const char *host, const char *path, struct cred *ret, struct err *err)
{
	static const struct {
		const char *variable, *fallback, *name;
	} places[] = {
		{ "XDG_RUNTIME_DIR", NULL, "containers/auth.json" },
		{ "XDG_CONFIG_HOME", ".config", "containers/auth.json" },
		{ "DOCKER_CONFIG", ".docker", "config.json" },
	};

	memset(ret, 0, sizeof(*ret));
	if (!file || !*file)
		file = getenv("REGISTRY_AUTH_FILE");
	if (file && *file)
		return look_in(file, true, host, path, ret, err);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *name =
			conf_path_in(places[i].variable, places[i].fallback, places[i].name);
		int r = name ? look_in(name, false, host, path, ret, err) : 0;

		if (r < 0 || ret->user || ret->identity_token)
			return r;
	}
	return look_in_old(host, path, ret, err);
}
