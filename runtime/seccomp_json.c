/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp profiles as JSON (the contract is in the header). */
#include "runtime/seccomp_json.h"
#include "runtime/caps.h"
#include "runtime/spec_json.h"

#include <assert.h>
#include <errno.h>

static const char *const action_names[] = {
	[SEC_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
	[SEC_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
	[SEC_TRAP] = "SCMP_ACT_TRAP",
	[SEC_ERRNO] = "SCMP_ACT_ERRNO",
	[SEC_TRACE] = "SCMP_ACT_TRACE",
	[SEC_NOTIFY] = "SCMP_ACT_NOTIFY",
	[SEC_LOG] = "SCMP_ACT_LOG",
	[SEC_ALLOW] = "SCMP_ACT_ALLOW",
};
static_assert(ARRAY_SIZE(action_names) == SEC_ACTION_MAX_, "an action without a name");

static const char *const op_names[] = {
	[SEC_NE] = "SCMP_CMP_NE",
	[SEC_LT] = "SCMP_CMP_LT",
	[SEC_LE] = "SCMP_CMP_LE",
	[SEC_EQ] = "SCMP_CMP_EQ",
	[SEC_GE] = "SCMP_CMP_GE",
	[SEC_GT] = "SCMP_CMP_GT",
	[SEC_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};
static_assert(ARRAY_SIZE(op_names) == SEC_OP_MAX_, "an operator without a name");

static const struct {
	unsigned int flag;
	const char *name;
} flag_names[] = {
	{ SEC_FLAG_TSYNC, "SECCOMP_FILTER_FLAG_TSYNC" },
	{ SEC_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG" },
	{ SEC_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW" },
	{ SEC_FLAG_WAIT_KILLABLE_RECV, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" },
};

void sec_host_init(struct sec_host *ret, const char *release)
{
	*ret = (struct sec_host)
	{
#if defined(__x86_64__)
		.go_arch = "amd64", .oci_arch = "SCMP_ARCH_X86_64",
#elif defined(__aarch64__)
		.go_arch = "arm64", .oci_arch = "SCMP_ARCH_AARCH64",
#elif defined(__s390x__)
		.go_arch = "s390x", .oci_arch = "SCMP_ARCH_S390X",
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
		.go_arch = "ppc64le", .oci_arch = "SCMP_ARCH_PPC64LE",
#elif defined(__riscv) && __riscv_xlen == 64
		.go_arch = "riscv64", .oci_arch = "SCMP_ARCH_RISCV64",
#else
#error "name the architecture here"
#endif
	};
	(void)sscanf(release, "%3u.%3u", &ret->major, &ret->minor);
}

static json_t *strings_new(const char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(v[i]));
	return list;
}

static json_t *arg_new(const struct sec_arg *a)
{
	json_t *j = json_object();

	(void)json_object_set_new(j, "index", json_integer(a->index));
	(void)json_object_set_new(j, "value", spec_json_new_u64(a->value));
	if (a->op == SEC_MASKED_EQ)
		(void)json_object_set_new(j, "valueTwo", spec_json_new_u64(a->value2));
	(void)json_object_set_new(j, "op", json_string(op_names[a->op]));
	return j;
}

static json_t *rule_new(const struct sec_rule *rule)
{
	json_t *j = json_object(), *args;

	(void)json_object_set_new(j, "names", strings_new(rule->names, rule->n_names));
	(void)json_object_set_new(j, "action", json_string(action_names[rule->action]));
	if (rule->action == SEC_ERRNO || rule->action == SEC_TRACE)
		(void)json_object_set_new(j, "errnoRet", json_integer(rule->errno_ret));
	if (rule->n_args == 0)
		return j;
	args = json_array();
	for (size_t i = 0; i < rule->n_args; i++)
		(void)json_array_append_new(args, arg_new(&rule->args[i]));
	(void)json_object_set_new(j, "args", args);
	return j;
}

json_t *sec_json_new(const struct sec_profile *p)
{
	json_t *j = json_object(), *flags = json_array(), *rules = json_array();

	(void)json_object_set_new(j, "defaultAction", json_string(action_names[p->default_action]));
	if (p->default_action == SEC_ERRNO || p->default_action == SEC_TRACE)
		(void)json_object_set_new(j, "defaultErrnoRet", json_integer(p->default_errno));
	(void)json_object_set_new(j, "architectures", strings_new(p->archs, p->n_archs));
	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (p->flags & flag_names[i].flag)
			(void)json_array_append_new(flags, json_string(flag_names[i].name));
	(void)json_object_set_new(j, "flags", flags);
	if (p->listener_path)
		(void)json_object_set_new(j, "listenerPath", json_string(p->listener_path));
	if (p->listener_metadata)
		(void)json_object_set_new(j, "listenerMetadata", json_string(p->listener_metadata));
	for (size_t i = 0; i < p->n_rules; i++)
		(void)json_array_append_new(rules, rule_new(&p->rules[i]));
	/* Appending to NULL and setting NULL fail alone: one check at the end finds any of them. */
	if (json_object_set_new(j, "syscalls", rules) < 0 || json_array_size(rules) != p->n_rules) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static bool has_word(const json_t *list, const char *word)
{
	const char *s;
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)list, i, item) {
		s = json_string_value(item);
		if (s && str_eq(s, word))
			return true;
	}
	return false;
}

/* How many of the named capabilities are in the set; all of an empty list are. */
static size_t count_caps(const json_t *list, uint64_t caps)
{
	const char *s;
	size_t i, n = 0;
	json_t *item;

	json_array_foreach ((json_t *)list, i, item) {
		s = json_string_value(item);
		if (s && caps_from_name(s) >= 0 && caps & CAPS_BIT(caps_from_name(s)))
			n++;
	}
	return n;
}

static bool kernel_is_at_least(const struct sec_host *host, const char *min)
{
	unsigned int major = 0, minor = 0;

	(void)sscanf(min, "%3u.%3u", &major, &minor);
	return host->major > major || (host->major == major && host->minor >= minor);
}

/* "includes": every condition must hold.  "excludes": none may. */
static bool rule_applies(const json_t *rule, uint64_t caps, const struct sec_host *host)
{
	const json_t *in = json_object_get(rule, "includes");
	const json_t *ex = json_object_get(rule, "excludes");
	const json_t *in_caps = json_object_get(in, "caps");
	const json_t *in_arches = json_object_get(in, "arches");
	const char *min = json_get_str(in, "minKernel");

	if (json_array_size(in_arches) > 0 && !has_word(in_arches, host->go_arch))
		return false;
	if (count_caps(in_caps, caps) < json_array_size(in_caps))
		return false;
	if (min && !kernel_is_at_least(host, min))
		return false;
	min = json_get_str(ex, "minKernel");
	return !has_word(json_object_get(ex, "arches"), host->go_arch) &&
	       count_caps(json_object_get(ex, "caps"), caps) == 0 &&
	       !(min && kernel_is_at_least(host, min));
}

static int copy_members(const json_t *from, json_t *to, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_object_get(from, keys[i]);

		if (v && json_object_set(to, keys[i], v) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The system calls of one rule; "name" is an older spelling of a list of one. */
static int add_rule(json_t *rules, const json_t *rule)
{
	static const char *const keys[] = { "names", "action", "errnoRet", "args" };
	auto_json *copy = json_object();
	json_t *name = json_object_get(rule, "name");
	json_t *names = json_object_get(rule, "names");

	if (!copy || copy_members(rule, copy, keys, ARRAY_SIZE(keys)) < 0)
		return -ENOMEM;
	if (json_is_string(name) && json_array_size(names) == 0 &&
		json_object_set_new(copy, "names", json_pack("[O]", name)) < 0)
		return -ENOMEM;
	return json_array_append(rules, copy) < 0 ? -ENOMEM : 0;
}

static int add_rules(json_t *out, const json_t *file, uint64_t caps, const struct sec_host *host)
{
	auto_json *rules = json_array();
	json_t *rule;
	size_t i;
	int r;

	if (!rules)
		return -ENOMEM;
	json_array_foreach (json_object_get(file, "syscalls"), i, rule) {
		if (!rule_applies(rule, caps, host))
			continue;
		r = add_rule(rules, rule);
		if (r < 0)
			return r;
	}
	return json_object_set(out, "syscalls", rules) < 0 ? -ENOMEM : 0;
}

/* archMap: the entry of our architecture, and what it brings along. */
static int add_archs(json_t *out, const json_t *file, const struct sec_host *host)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(file, "archMap"), i, entry) {
		const char *arch = json_get_str(entry, "architecture");
		auto_json *list = NULL;

		if (!arch || !str_eq(arch, host->oci_arch))
			continue;
		list = json_pack("[s]", arch);
		if (json_array_extend(list, json_object_get(entry, "subArchitectures")) < 0 &&
			json_object_get(entry, "subArchitectures"))
			return -EINVAL;
		return json_object_set(out, "architectures", list) < 0 ? -ENOMEM : 0;
	}
	return 0;
}

int sec_json_resolve(const json_t *file, uint64_t caps, const struct sec_host *host, json_t **ret,
	struct err *err)
{
	static const char *const keys[] = { "defaultAction", "defaultErrnoRet", "architectures",
		"flags", "listenerPath", "listenerMetadata" };
	auto_json *out = json_object();
	int r;

	if (!json_is_string(json_object_get(file, "defaultAction")))
		return err_say(err, -EINVAL, "the seccomp profile has no 'defaultAction'");
	if (!out)
		return err_set(err, -ENOMEM, "cannot read the seccomp profile");
	r = copy_members(file, out, keys, ARRAY_SIZE(keys));
	if (r == 0)
		r = add_archs(out, file, host);
	if (r == 0)
		r = add_rules(out, file, caps, host);
	if (r < 0)
		return err_set(err, r, "cannot read the seccomp profile");
	*ret = ptr_take(&out);
	return 0;
}
