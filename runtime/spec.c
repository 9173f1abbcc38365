/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's configuration: ownership, and the parts of config.json that every platform has
 *
 *      bytes --spec_json_parse()--> json_t --tables of members, runtime/spec_read.h--> struct spec
 *
 * What belongs to "process" and "linux" is in the files named so.
 */
#include "runtime/spec.h"
#include "runtime/spec_json.h"
#include "runtime/spec_read.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>

/* The header keeps what follows it aligned for any type. */
struct spec_block {
	struct spec_block *next;
	_Alignas(max_align_t) char data[];
};

void *spec_alloc(struct spec *spec, size_t n, size_t size)
{
	struct spec_block *b;
	size_t len;

	if (__builtin_mul_overflow(n, size, &len) || len > SIZE_MAX - sizeof(*b))
		return NULL;
	b = calloc(1, sizeof(*b) + len);
	if (!b)
		return NULL;
	b->next = spec->blocks;
	spec->blocks = b;
	return b->data;
}

const char *spec_strdup(struct spec *spec, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = spec_alloc(spec, len, 1);

	return copy ? memcpy(copy, s, len) : NULL;
}

void spec_free(struct spec *spec)
{
	struct spec_block *b, *next;

	if (!spec)
		return;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		idmap_done(&spec->mounts[i].uid_map);
		idmap_done(&spec->mounts[i].gid_map);
	}
	idmap_done(&spec->uid_map);
	idmap_done(&spec->gid_map);
	strv_done(&spec->warnings);
	json_decref(spec->json);
	for (b = spec->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(spec);
}

const char *spec_annotation(const struct spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (str_eq(spec->annotations.v[i].key, key))
			return spec->annotations.v[i].value;
	return NULL;
}

static const struct {
	const char *name;
	int clone_flag;
} namespaces[] = {
	[SPEC_NS_USER] = { "user", CLONE_NEWUSER },
	[SPEC_NS_MNT] = { "mount", CLONE_NEWNS },
	[SPEC_NS_PID] = { "pid", CLONE_NEWPID },
	[SPEC_NS_NET] = { "network", CLONE_NEWNET },
	[SPEC_NS_IPC] = { "ipc", CLONE_NEWIPC },
	[SPEC_NS_UTS] = { "uts", CLONE_NEWUTS },
	[SPEC_NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
	[SPEC_NS_TIME] = { "time", 0x80 /* CLONE_NEWTIME, not in every sched.h */ },
};
static_assert(ARRAY_SIZE(namespaces) == SPEC_NS_MAX_, "a namespace without a name");

const char *spec_ns_name(enum spec_ns ns)
{
	return namespaces[ns].name;
}

int spec_ns_clone_flag(enum spec_ns ns)
{
	return namespaces[ns].clone_flag;
}

static const struct rd_field root_fields[] = {
	{ "path", RD_STR, offsetof(struct spec_root, path), .required = true },
	{ "readonly", RD_BOOL, offsetof(struct spec_root, readonly) },
};

static const struct rd_field mount_fields[] = {
	{ "destination", RD_STR, offsetof(struct spec_mount, destination), .required = true },
	{ "type", RD_STR, offsetof(struct spec_mount, type) },
	{ "source", RD_STR, offsetof(struct spec_mount, source) },
	{ "options", RD_LIST, offsetof(struct spec_mount, options), LIMIT_SPEC_ARGS },
};

static int read_root(const struct rd *at, void *spec)
{
	return rd_fields(at, root_fields, ARRAY_SIZE(root_fields), &((struct spec *)spec)->root);
}

static int read_mount(const struct rd *item, void *elem)
{
	struct spec_mount *m = elem;
	int r;

	r = rd_fields(item, mount_fields, ARRAY_SIZE(mount_fields), m);
	if (r == 0)
		r = rd_idmap(item, "uidMappings", &m->uid_map);
	return r < 0 ? r : rd_idmap(item, "gidMappings", &m->gid_map);
}

static const struct rd_field hook_fields[] = {
	{ "path", RD_STR, offsetof(struct spec_hook, path), .required = true },
	{ "args", RD_LIST, offsetof(struct spec_hook, args), LIMIT_SPEC_ARGS },
	{ "env", RD_LIST, offsetof(struct spec_hook, env), LIMIT_SPEC_ARGS },
	{ "timeout", RD_U32, offsetof(struct spec_hook, timeout_s), INT32_MAX },
};

static int read_hook(const struct rd *item, void *elem)
{
	return rd_fields(item, hook_fields, ARRAY_SIZE(hook_fields), elem);
}

#define HOOKS(name, kind)                                                                          \
	{                                                                                          \
		name, LIMIT_SPEC_HOOKS, sizeof(struct spec_hook),                                  \
			offsetof(struct spec, hooks[kind].v),                                      \
			offsetof(struct spec, hooks[kind].n), read_hook                            \
	}

static const struct rd_array hook_arrays[] = {
	HOOKS("prestart", SPEC_HOOK_PRESTART),
	HOOKS("createRuntime", SPEC_HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", SPEC_HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", SPEC_HOOK_START_CONTAINER),
	HOOKS("poststart", SPEC_HOOK_POSTSTART),
	HOOKS("poststop", SPEC_HOOK_POSTSTOP),
};
static_assert(ARRAY_SIZE(hook_arrays) == SPEC_HOOK_MAX_, "a kind of hooks that is not read");

static int read_hooks(const struct rd *at, void *spec)
{
	return rd_arrays(at, hook_arrays, ARRAY_SIZE(hook_arrays), spec);
}

static int read_process(const struct rd *at, void *spec)
{
	struct spec_process *p = spec_alloc(at->spec, 1, sizeof(*p));

	if (!p)
		return rd_fail(at, -ENOMEM, "cannot be read: out of memory");
	((struct spec *)spec)->process = p;
	return spec_read_process(at, p);
}

static const struct rd_field doc_fields[] = {
	{ "ociVersion", RD_STR, offsetof(struct spec, oci_version), .required = true },
	{ "hostname", RD_STR, offsetof(struct spec, hostname) },
	{ "domainname", RD_STR, offsetof(struct spec, domainname) },
	{ "annotations", RD_PAIRS, offsetof(struct spec, annotations), LIMIT_SPEC_PAIRS },
};

static const struct rd_part doc_parts[] = {
	{ "root", read_root },
	{ "process", read_process },
	{ "hooks", read_hooks },
	{ "linux", spec_read_linux },
};

static const struct rd_array doc_arrays[] = {
	{ "mounts", LIMIT_SPEC_MOUNTS, sizeof(struct spec_mount), offsetof(struct spec, mounts),
		offsetof(struct spec, n_mounts), read_mount },
};

static int read_doc(const struct rd *doc, void *spec)
{
	int r;

	r = rd_fields(doc, doc_fields, ARRAY_SIZE(doc_fields), spec);
	if (r == 0)
		r = rd_parts(doc, doc_parts, ARRAY_SIZE(doc_parts), spec);
	return r < 0 ? r : rd_arrays(doc, doc_arrays, ARRAY_SIZE(doc_arrays), spec);
}

/* One of the three kinds of documents, by the function that reads its top level. */
static int parse_json(
	json_t *json, int (*read)(const struct rd *, void *), struct spec **ret, struct err *err)
{
	auto_spec *spec = calloc(1, sizeof(*spec));
	struct rd doc = { .j = json, .spec = spec, .err = err };
	int r;

	if (!spec)
		return err_set(err, -ENOMEM, "cannot read the configuration");
	spec->json = json_incref(json);
	if (!json_is_object(json))
		return rd_fail(&doc, -EINVAL, "is not an object");
	r = read(&doc, spec);
	if (r < 0)
		return r;
	*ret = ptr_take(&spec);
	return 0;
}

static int parse_text(const char *data, size_t len, const char *what,
	int (*read)(const struct rd *, void *), struct spec **ret, struct err *err)
{
	auto_json *json = NULL;
	int r;

	if (len > LIMIT_SPEC_BYTES)
		return err_say(err, -E2BIG, "%s is larger than %u bytes", what, LIMIT_SPEC_BYTES);
	r = spec_json_parse(data, len, what, &json, err);
	return r < 0 ? r : parse_json(json, read, ret, err);
}

int spec_parse(const char *data, size_t len, struct spec **ret, struct err *err)
{
	return parse_text(data, len, "the configuration", read_doc, ret, err);
}

int spec_parse_json(json_t *doc, struct spec **ret, struct err *err)
{
	return parse_json(doc, read_doc, ret, err);
}

int spec_parse_process(const char *data, size_t len, struct spec **ret, struct err *err)
{
	return parse_text(data, len, "the process", read_process, ret, err);
}

int spec_parse_resources(const char *data, size_t len, struct spec **ret, struct err *err)
{
	return parse_text(data, len, "the resources", spec_read_resources, ret, err);
}
