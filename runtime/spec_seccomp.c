/* SPDX-License-Identifier: Apache-2.0 */
/* linux.seccomp of config.json.  Spec: OCI runtime-spec 1.2, config-linux.md, "Seccomp". */
#include "runtime/seccomp_words.h"
#include "runtime/spec_json.h"
#include "runtime/spec_read.h"

#include <errno.h>

#define MAX_ERRNO   4095 /* MAX_ERRNO of the kernel; SEC_TRACE messages are 16 bits */
#define MAX_ARG	    5
#define LIMIT_ARCHS 64
#define LIMIT_ARGS  64 /* arguments of one rule: an index may come more than once */

static const struct rd_word action_words[] = {
	{ "SCMP_ACT_KILL", SEC_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SEC_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SEC_KILL_PROCESS },
	{ "SCMP_ACT_TRAP", SEC_TRAP },
	{ "SCMP_ACT_ERRNO", SEC_ERRNO },
	{ "SCMP_ACT_TRACE", SEC_TRACE },
	{ "SCMP_ACT_NOTIFY", SEC_NOTIFY },
	{ "SCMP_ACT_LOG", SEC_LOG },
	{ "SCMP_ACT_ALLOW", SEC_ALLOW },
};

static const struct rd_word op_words[] = {
	{ "SCMP_CMP_NE", SEC_NE },
	{ "SCMP_CMP_LT", SEC_LT },
	{ "SCMP_CMP_LE", SEC_LE },
	{ "SCMP_CMP_EQ", SEC_EQ },
	{ "SCMP_CMP_GE", SEC_GE },
	{ "SCMP_CMP_GT", SEC_GT },
	{ "SCMP_CMP_MASKED_EQ", SEC_MASKED_EQ },
};

static const struct rd_word flag_words[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SEC_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SEC_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SEC_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SEC_FLAG_WAIT_KILLABLE_RECV },
};

static const struct rd_field arg_fields[] = {
	{ "index", RD_U32, offsetof(struct sec_arg, index), MAX_ARG, .required = true },
	{ "value", RD_U64, offsetof(struct sec_arg, value), UINT64_MAX, .required = true },
	{ "valueTwo", RD_U64, offsetof(struct sec_arg, value2), UINT64_MAX },
};

static int read_arg(const struct rd *item, void *elem)
{
	struct sec_arg *arg = elem;
	long op = 0;
	int r;

	r = rd_word(item, "op", op_words, ARRAY_SIZE(op_words), &op);
	if (r == 0)
		return rd_fail(item, -EINVAL, "has no 'op'");
	arg->op = (enum sec_op)op;
	return r < 0 ? r : rd_fields(item, arg_fields, ARRAY_SIZE(arg_fields), arg);
}

/* struct sec_rule points to const, so that rules can be tables too; this one is being filled. */
struct rule {
	struct spec_list names;
	struct sec_arg *args;
	size_t n_args;
	uint32_t errno_ret;
};

static const struct rd_field rule_fields[] = {
	{ "names", RD_LIST, offsetof(struct rule, names), LIMIT_SPEC_SECCOMP, .required = true },
	{ "errnoRet", RD_U32, offsetof(struct rule, errno_ret), MAX_ERRNO },
};

static const struct rd_array arg_array = { "args", LIMIT_ARGS, sizeof(struct sec_arg),
	offsetof(struct rule, args), offsetof(struct rule, n_args), read_arg };

static int read_rule(const struct rd *item, void *elem)
{
	struct rule rule = { .errno_ret = EPERM };
	long action = 0;
	int r;

	r = rd_word(item, "action", action_words, ARRAY_SIZE(action_words), &action);
	if (r == 0)
		return rd_fail(item, -EINVAL, "has no 'action'");
	if (r > 0)
		r = rd_fields(item, rule_fields, ARRAY_SIZE(rule_fields), &rule);
	if (r == 0)
		r = rd_arrays(item, &arg_array, 1, &rule);
	if (r < 0)
		return r;
	if (rule.names.n == 0)
		return rd_fail(item, -EINVAL, "names no system call");
	*(struct sec_rule *)elem = (struct sec_rule){
		.names = rule.names.v,
		.n_names = rule.names.n,
		.action = (enum sec_action)action,
		.errno_ret = rule.errno_ret,
		.args = rule.args,
		.n_args = rule.n_args,
	};
	return 0;
}

struct profile {
	struct spec_list archs;
	struct sec_rule *rules;
	size_t n_rules;
	uint32_t default_errno;
	const char *listener_path, *listener_metadata;
};

static const struct rd_field profile_fields[] = {
	{ "architectures", RD_LIST, offsetof(struct profile, archs), LIMIT_ARCHS },
	{ "defaultErrnoRet", RD_U32, offsetof(struct profile, default_errno), MAX_ERRNO },
	{ "listenerPath", RD_STR, offsetof(struct profile, listener_path) },
	{ "listenerMetadata", RD_STR, offsetof(struct profile, listener_metadata) },
};

static const struct rd_array rule_array = { "syscalls", LIMIT_SPEC_SECCOMP, sizeof(struct sec_rule),
	offsetof(struct profile, rules), offsetof(struct profile, n_rules), read_rule };

int spec_read_seccomp(const struct rd *at, void *spec)
{
	struct profile p = { .default_errno = EPERM };
	struct sec_profile *ret;
	uint64_t flags = 0;
	long action = 0;
	int r;

	r = rd_word(at, "defaultAction", action_words, ARRAY_SIZE(action_words), &action);
	if (r == 0)
		return rd_fail(at, -EINVAL, "has no 'defaultAction'");
	if (r > 0)
		r = rd_fields(at, profile_fields, ARRAY_SIZE(profile_fields), &p);
	if (r == 0)
		r = rd_flags(at, "flags", flag_words, ARRAY_SIZE(flag_words), &flags);
	if (r == 0)
		r = rd_arrays(at, &rule_array, 1, &p);
	if (r < 0)
		return r;
	ret = spec_alloc(at->spec, 1, sizeof(*ret));
	if (!ret)
		return rd_fail(at, -ENOMEM, "cannot be read: out of memory");
	*ret = (struct sec_profile){
		.default_action = (enum sec_action)action,
		.default_errno = p.default_errno,
		.archs = p.archs.v,
		.n_archs = p.archs.n,
		.flags = (unsigned int)flags,
		.listener_path = p.listener_path,
		.listener_metadata = p.listener_metadata,
		.rules = p.rules,
		.n_rules = p.n_rules,
	};
	((struct spec *)spec)->seccomp = ret;
	return 0;
}

/* ---- the words, for `features` ---- */

static const char *const archs[] = { "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32",
	"SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64",
	"SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
	"SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390",
	"SCMP_ARCH_S390X", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64" };

const char *sec_word_action(size_t i)
{
	return i < ARRAY_SIZE(action_words) ? action_words[i].word : NULL;
}

const char *sec_word_operator(size_t i)
{
	return i < ARRAY_SIZE(op_words) ? op_words[i].word : NULL;
}

const char *sec_word_arch(size_t i)
{
	return i < ARRAY_SIZE(archs) ? archs[i] : NULL;
}

const char *sec_word_flag(size_t i)
{
	return i < ARRAY_SIZE(flag_words) ? flag_words[i].word : NULL;
}
