/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Filters of system calls: from a profile (config.json's linux.seccomp, or our default one)
 * to a BPF program, before the fork; the program is loaded late in the container's first process
 *
 *      struct sec_profile --sec_compile(), libseccomp--> struct sec_filter --sec_load()--> kernel
 *
 * The only file that includes libseccomp's header is seccomp.c.
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sock_filter;

enum sec_action {
	SEC_KILL_PROCESS,
	SEC_KILL_THREAD,
	SEC_TRAP,
	SEC_ERRNO, /* answers with -errno_ret */
	SEC_TRACE, /* errno_ret is the tracer's message */
	SEC_NOTIFY, /* asks the holder of the listener fd */
	SEC_LOG,
	SEC_ALLOW,
	SEC_ACTION_MAX_
};

enum sec_op {
	SEC_NE,
	SEC_LT,
	SEC_LE,
	SEC_EQ,
	SEC_GE,
	SEC_GT,
	SEC_MASKED_EQ, /* (argument & value) == value2 */
	SEC_OP_MAX_
};

/* SECCOMP_FILTER_FLAG_…, seccomp(2) */
enum sec_flags {
	SEC_FLAG_TSYNC = 1 << 0,
	SEC_FLAG_LOG = 1 << 1,
	SEC_FLAG_SPEC_ALLOW = 1 << 2,
	SEC_FLAG_WAIT_KILLABLE_RECV = 1 << 3,
};

struct sec_arg {
	unsigned int index; /* 0..5 */
	enum sec_op op;
	uint64_t value;
	uint64_t value2; /* SEC_MASKED_EQ only */
};

/* Applies where all arguments match.  Names that this architecture lacks are skipped. */
struct sec_rule {
	const char *const *names;
	size_t n_names;
	enum sec_action action;
	uint32_t errno_ret; /* SEC_ERRNO: an errno; SEC_TRACE: the message */
	const struct sec_arg *args;
	size_t n_args;
};

struct sec_profile {
	enum sec_action default_action;
	uint32_t default_errno; /* for SEC_ERRNO and SEC_TRACE */
	const char *const *archs; /* OCI names ("SCMP_ARCH_X86_64"); none: the native one alone */
	size_t n_archs;
	unsigned int flags; /* enum sec_flags */
	const char *listener_path; /* socket that takes the listener fd of SEC_NOTIFY; NULL: none */
	const char *listener_metadata; /* NULL: none */
	const struct sec_rule *rules;
	size_t n_rules;
};

/* A compiled filter: as seccomp(2) takes it. */
struct sec_filter {
	struct sock_filter *insns; /* owned; NULL: nothing to load */
	unsigned short n;
	unsigned int kernel_flags; /* SECCOMP_FILTER_FLAG_… */
};

/**
 * sec_compile() - make a BPF program of a profile
 * @p:   borrowed
 * @ret: ended with sec_filter_done()
 *
 * System calls and rules that an architecture lacks are skipped, as the specification asks; rules
 * that repeat the default action are too.  If one rule tests an argument twice, each test becomes
 * a rule of its own, as other runtimes do.
 *
 * Return: 0; -EINVAL for an unknown architecture or a rule that libseccomp refuses; -E2BIG if the
 * program is larger than the kernel takes; -ENOMEM.
 */
int sec_compile(const struct sec_profile *p, struct sec_filter *ret, struct err *err);

/** sec_kernel_flags() - the SECCOMP_FILTER_FLAG_… that loading a profile takes */
unsigned int sec_kernel_flags(const struct sec_profile *p);

/** sec_compiler_version() - changes when the same profile may compile to another program */
uint32_t sec_compiler_version(void);

void sec_filter_done(struct sec_filter *f);

/**
 * sec_load() - put the calling thread under a filter
 *
 * One system call: no allocation, no locks.  The caller has CAP_SYS_ADMIN in its user namespace or
 * no_new_privs.
 *
 * Return: with a profile that has SEC_NOTIFY, the listener's fd, owned by the caller; else 0; or a
 * negative errno.
 */
int sec_load(const struct sec_filter *f);

static inline void cleanup_sec_filter(struct sec_filter *f)
{
	sec_filter_done(f);
}
#define auto_sec_filter __attribute__((cleanup(cleanup_sec_filter))) struct sec_filter
