/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles (the contract is in the header). */
#include "runtime/oci_bundle.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "runtime/spec_check.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <linux/capability.h>

#define LIMIT_LISTEN_FDS 1024

static int add_userns(struct spec *s, struct err *err)
{
	const struct spec_user *u = s->process ? &s->process->user : NULL;
	int r;

	if (proc_has_cap(CAP_SYS_ADMIN))
		return 0;
	s->ns[SPEC_NS_USER].on = true;
	if (s->ns[SPEC_NS_USER].path || s->uid_map.n > 0)
		return 0;
	r = userns_default_ids(u ? u->uid : 0, u ? u->gid : 0, &s->uid_map, &s->gid_map);
	return r < 0 ? err_set(err, r, "cannot choose the ids of the container") : 0;
}

static int read_text(const char *file, char **ret, size_t *ret_len, struct err *err)
{
	auto_fd fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : fd_read_file(fd, LIMIT_SPEC_BYTES, ret, ret_len);

	return r < 0 ? err_set(err, r, "cannot read '%s'", file) : 0;
}

int oci_bundle_read(
	const char *dir, const char *file, struct spec **ret, char **ret_text, struct err *err)
{
	auto_spec *spec = NULL;
	auto_free char *text = NULL;
	size_t len;
	int r;

	if (dir && chdir(dir) < 0)
		return err_set(err, -errno, "cannot enter the bundle '%s'", dir);
	r = read_text(file ? file : "config.json", &text, &len, err);
	if (r >= 0)
		r = spec_parse(text, len, &spec, err);
	if (r >= 0)
		r = add_userns(spec, err);
	if (r >= 0)
		r = spec_check(spec, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < spec->warnings.n; i++)
		log_debug("oci", "config.json: %s", spec->warnings.v[i]);
	*ret = ptr_take(&spec);
	*ret_text = ptr_take(&text);
	return 0;
}

int oci_bundle_add_env(struct spec *spec, const char *text)
{
	struct spec_list *env = &spec->process->env;
	const char **v = spec_alloc(spec, env->n + 2, sizeof(*v));
	const char *copy = spec_strdup(spec, text);
	size_t name = strcspn(text, "="), n = 0;

	if (!v || !copy)
		return -ENOMEM;
	/* Programs take the first of a name. */
	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], text, name) != 0 || env->v[i][name] != '=')
			v[n++] = env->v[i];
	v[n++] = copy;
	*env = (struct spec_list){ v, n };
	return 0;
}

int oci_bundle_pass_fds(struct spec *spec, unsigned int *ret_n)
{
	const char *text = getenv("LISTEN_FDS");
	uint64_t n;
	char env[64];
	int r;

	*ret_n = 0;
	if (!text || !spec->process || str_to_u64(text, LIMIT_LISTEN_FDS, &n) < 0 || n == 0)
		return 0;
	snprintf(env, sizeof(env), "LISTEN_FDS=%u", (unsigned int)n);
	r = oci_bundle_add_env(spec, env);
	if (r >= 0)
		r = oci_bundle_add_env(spec, "LISTEN_PID=1");
	*ret_n = (unsigned int)n;
	return r;
}

bool oci_bundle_keeps_groups(const struct spec *spec)
{
	const char *keeps = spec_annotation(spec, "run.oci.keep_original_groups");

	return keeps && str_eq(keeps, "1");
}
