/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json (the contract is in the header). */
#include "image/policy.h"

#include "base/fd.h"
#include "base/str.h"
#include "image/conf_path.h"

#include <assert.h>
#include <fcntl.h>

static const char *const transports[] = {
	[PLACE_REGISTRY] = "docker",
	[PLACE_OCI] = "oci",
	[PLACE_OCI_ARCHIVE] = "oci-archive",
	[PLACE_DOCKER_ARCHIVE] = "docker-archive",
	[PLACE_DIR] = "dir",
	[PLACE_STORAGE] = "containers-storage",
};
static_assert(ARRAY_SIZE(transports) == PLACE_MAX_, "a transport for each kind");

/* The next wider scope: without the digest or tag, then without the last component. */
static bool widen(char *scope)
{
	char *at = strchr(scope, '@'), *slash = strrchr(scope, '/'), *colon;

	if (at) {
		*at = '\0';
		return true;
	}
	colon = strchr(slash ? slash : scope, ':');
	/* The colon of a host's port is no tag's. */
	if (colon && slash) {
		*colon = '\0';
		return true;
	}
	if (!slash || slash == scope)
		return false;
	*slash = '\0';
	return true;
}

/* "*.example.com" for the host "a.b.example.com": the longest that there is a rule for. */
static const json_t *find_wildcard(const json_t *scopes, const char *host)
{
	for (const char *dot = strchr(host, '.'); dot; dot = strchr(dot + 1, '.')) {
		auto_free char *key = str_format("*%s", dot);
		const json_t *rules = key ? json_object_get(scopes, key) : NULL;

		if (rules)
			return rules;
	}
	return NULL;
}

static const json_t *find_rules(const json_t *policy, const char *transport, const char *scope)
{
	const json_t *scopes = json_object_get(json_object_get(policy, "transports"), transport);
	auto_free char *wide = strdup(scope);
	const json_t *rules = NULL;

	if (!wide)
		return NULL;
	do
		rules = json_object_get(scopes, wide);
	while (!rules && widen(wide));
	if (!rules && str_eq(transport, "docker"))
		rules = find_wildcard(scopes, wide);
	if (!rules)
		rules = json_object_get(scopes, "");
	return rules ? rules : json_object_get(policy, "default");
}

int policy_decide(const json_t *policy, const char *transport, const char *scope, struct err *err)
{
	const json_t *rules = find_rules(policy, transport, scope), *rule;
	size_t i;

	if (!json_is_array(rules) || json_array_size(rules) == 0)
		return err_say(err, -EBADMSG, "it has no valid rules for '%s'", scope);
	json_array_foreach ((json_t *)rules, i, rule) {
		const char *type = json_get_str(rule, "type");

		if (type && str_eq(type, "insecureAcceptAnything"))
			continue;
		if (type && str_eq(type, "reject"))
			return err_say(err, -EACCES, "it rejects '%s'", scope);
		return err_say(err, -EACCES,
			"it asks for '%s' for '%s', and signatures are not verified here",
			type ? type : "", scope);
	}
	return 0;
}

static int decide_by_file(
	const char *path, const struct place *p, const char *scope, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	auto_free char *data = NULL;
	auto_json *j = NULL;
	size_t len;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_set(err, -errno, "cannot read it");
	r = fd_read_file(fd, LIMIT_POLICY_BYTES, &data, &len);
	if (r < 0)
		return err_set(err, r, "cannot read it");
	r = json_parse(data, len, "it", &j, err);
	return r < 0 ? r : policy_decide(j, transports[p->kind], scope, err);
}

int policy_check(const struct place *p, const char *name, struct err *err)
{
	bool is_path = p->kind != PLACE_REGISTRY && p->kind != PLACE_STORAGE;
	auto_free char *path = conf_path_file("policy.json");
	auto_free char *real = is_path ? realpath(p->path, NULL) : NULL;
	const char *scope = is_path ? (real ? real : p->path) : name;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot read policy.json");
	r = decide_by_file(path, p, scope, err);
	return r < 0 ? err_wrap(err, r, "the policy '%s'", path) : 0;
}
