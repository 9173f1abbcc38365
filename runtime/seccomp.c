/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of system calls (the contract is in the header)
 *
 *      struct sec_profile --libseccomp--> BPF in a memfd --> struct sec_filter --seccomp(2)-->
 *
 * The program is kept as instructions, so that the one step between fork and exec is a system call.
 */
#include "runtime/seccomp.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH /* Linux 5.7 */
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define N_ARGS	      6
#define LIMIT_ARCH    32
#define OPTIMIZE_TREE 2 /* SCMP_FLTATR_CTL_OPTIMIZE: a binary tree of numbers */

static uint32_t to_action(enum sec_action action, uint32_t value)
{
	switch (action) {
	case SEC_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case SEC_TRAP:
		return SCMP_ACT_TRAP;
	case SEC_ERRNO:
		return SCMP_ACT_ERRNO(value);
	case SEC_TRACE:
		return SCMP_ACT_TRACE(value);
	case SEC_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case SEC_LOG:
		return SCMP_ACT_LOG;
	case SEC_ALLOW:
		return SCMP_ACT_ALLOW;
	case SEC_KILL_THREAD:
	case SEC_ACTION_MAX_:
		break;
	}
	return SCMP_ACT_KILL_THREAD;
}

static const enum scmp_compare compares[] = {
	[SEC_NE] = SCMP_CMP_NE,
	[SEC_LT] = SCMP_CMP_LT,
	[SEC_LE] = SCMP_CMP_LE,
	[SEC_EQ] = SCMP_CMP_EQ,
	[SEC_GE] = SCMP_CMP_GE,
	[SEC_GT] = SCMP_CMP_GT,
	[SEC_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};
static_assert(ARRAY_SIZE(compares) == SEC_OP_MAX_, "an operator that is not translated");

/* "SCMP_ARCH_X86_64" is libseccomp's "x86_64". */
static int add_arch(scmp_filter_ctx ctx, const char *oci, struct err *err)
{
	const char *prefix = "SCMP_ARCH_";
	char name[LIMIT_ARCH] = "";
	uint32_t token;
	int r;

	if (str_starts(oci, prefix) && strlen(oci) - strlen(prefix) < sizeof(name))
		for (size_t i = strlen(prefix), n = 0; oci[i]; i++)
			name[n++] = (char)tolower((unsigned char)oci[i]);
	token = seccomp_arch_resolve_name(name);
	if (token == 0)
		return err_say(err, -EINVAL, "seccomp: unknown architecture '%.64s'", oci);
	r = seccomp_arch_add(ctx, token);
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "seccomp: cannot filter architecture '%s'", name);
	return 0;
}

static bool tests_an_argument_twice(const struct sec_rule *rule)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen & 1U << rule->args[i].index)
			return true;
		seen |= 1U << rule->args[i].index;
	}
	return false;
}

static int add_call(scmp_filter_ctx ctx, const struct sec_rule *rule, int nr)
{
	uint32_t action = to_action(rule->action, rule->errno_ret);
	struct scmp_arg_cmp cmp[N_ARGS];
	bool apart = tests_an_argument_twice(rule);
	size_t n = 0;
	int r;

	for (size_t i = 0; i < rule->n_args; i++) {
		const struct sec_arg *a = &rule->args[i];

		cmp[n++] = SCMP_CMP(a->index, compares[a->op], a->value, a->value2);
		if (!apart)
			continue;
		r = seccomp_rule_add_array(ctx, action, nr, 1, cmp);
		if (r < 0 && r != -EEXIST)
			return r;
		n = 0;
	}
	if (apart)
		return 0;
	r = seccomp_rule_add_array(ctx, action, nr, (unsigned int)n, cmp);
	return r == -EEXIST ? 0 : r;
}

static int add_rule(scmp_filter_ctx ctx, const struct sec_profile *p, const struct sec_rule *rule,
	struct err *err)
{
	/* libseccomp refuses a rule that does what happens anyway. */
	if (to_action(rule->action, rule->errno_ret) ==
		to_action(p->default_action, p->default_errno))
		return 0;
	for (size_t i = 0; i < rule->n_names; i++) {
		int nr = seccomp_syscall_resolve_name(rule->names[i]);
		int r;

		if (nr == __NR_SCMP_ERROR)
			continue;
		r = add_call(ctx, rule, nr);
		if (r < 0)
			return err_set(
				err, r, "seccomp: cannot add a rule for '%.64s'", rule->names[i]);
	}
	return 0;
}

static int fill(scmp_filter_ctx ctx, const struct sec_profile *p, struct err *err)
{
	int r;

	/* Whatever the optimiser is called in this version: a filter works without it. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE);
	for (size_t i = 0; i < p->n_archs; i++) {
		r = add_arch(ctx, p->archs[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < p->n_rules; i++) {
		r = add_rule(ctx, p, &p->rules[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The program comes out through an fd alone. */
static int export(scmp_filter_ctx ctx, struct sec_filter *ret, struct err *err)
{
	auto_fd fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	size_t n;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "seccomp: cannot make a memory file");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_set(err, r, "seccomp: cannot compile the filter");
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "seccomp: cannot read the filter back");
	n = (size_t)st.st_size / sizeof(struct sock_filter);
	if (n > BPF_MAXINSNS)
		return err_say(err, -E2BIG,
			"seccomp: the filter has %zu instructions, at most %d "
			"are possible",
			n, BPF_MAXINSNS);
	ret->insns = calloc(n, sizeof(*ret->insns));
	if (!ret->insns)
		return err_set(err, -ENOMEM, "seccomp: cannot read the filter back");
	r = fd_pread_all(fd, ret->insns, n * sizeof(*ret->insns), 0);
	if (r < 0) {
		sec_filter_done(ret);
		return err_set(err, r, "seccomp: cannot read the filter back");
	}
	ret->n = (unsigned short)n;
	return 0;
}

unsigned int sec_kernel_flags(const struct sec_profile *p)
{
	bool notifies = p->default_action == SEC_NOTIFY;
	unsigned int flags = 0;

	for (size_t i = 0; i < p->n_rules; i++)
		notifies |= p->rules[i].action == SEC_NOTIFY;
	if (p->flags & SEC_FLAG_TSYNC)
		flags |= SECCOMP_FILTER_FLAG_TSYNC;
	if (p->flags & SEC_FLAG_LOG)
		flags |= SECCOMP_FILTER_FLAG_LOG;
	if (p->flags & SEC_FLAG_SPEC_ALLOW)
		flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	if (!notifies)
		return flags;
	flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	if (p->flags & SEC_FLAG_WAIT_KILLABLE_RECV)
		flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	/* Without it the answer could be a thread id as well as an fd. */
	if (p->flags & SEC_FLAG_TSYNC)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	return flags;
}

int sec_compile(const struct sec_profile *p, struct sec_filter *ret, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(to_action(p->default_action, p->default_errno));
	struct sec_filter f = { .kernel_flags = sec_kernel_flags(p) };
	int r;

	if (!ctx)
		return err_set(err, -ENOMEM, "seccomp: cannot begin a filter");
	r = fill(ctx, p, err);
	if (r == 0)
		r = export(ctx, &f, err);
	seccomp_release(ctx);
	if (r < 0)
		return r;
	*ret = f;
	return 0;
}

uint32_t sec_compiler_version(void)
{
	const struct scmp_version *v = seccomp_version();

	return v ? v->major << 16 | v->minor << 8 | v->micro : 0;
}

void sec_filter_done(struct sec_filter *f)
{
	free(f->insns);
	f->insns = NULL;
	f->n = 0;
}

int sec_load(const struct sec_filter *f)
{
	struct sock_fprog prog = { f->n, f->insns };
	long r;

	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->kernel_flags, &prog);
	return r < 0 ? -errno : (int)r;
}
