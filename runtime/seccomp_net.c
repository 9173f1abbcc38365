/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of the network process (the contract is in the header). */
#include "runtime/seccomp_net.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/seccomp.h"

#include <assert.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Names, not numbers: a name that an architecture lacks is skipped there. */
static const char *const for_sockets[] = {
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recvmsg",
	"sendmsg",
	"setsockopt",
	"shutdown",
	"ioctl",
	"fcntl",
	"fcntl64",
	"readv",
	"writev",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_wait",
};

/* The relay of published ports, besides */
static const char *const for_relay[] = {
	"pipe2",
	"splice",
};

/* Who makes the relay's sockets */
static const char *const for_inside[] = {
	"recvmsg",
	"sendmsg",
	"setsockopt",
};

/* resolv.conf: for the process that reads it and never sees a packet */
static const char *const for_files[] = {
	"fstat",
	"fstat64",
	"newfstatat",
	"open",
	"openat",
	"stat",
	"stat64",
	"statx",
};

static const char *const for_all[] = {
	/* data */
	"recvfrom",
	"sendto",
	"close",
	"read",
	"write",
	/* waiting */
	"poll",
	"ppoll",
	"restart_syscall",
	/* memory, time, signals and the end */
	"brk",
	"clock_gettime",
	"clock_gettime64",
	"exit",
	"exit_group",
	"futex",
	"getpid",
	"getrandom",
	"gettid",
	"gettimeofday",
	"madvise",
	"mremap",
	"munmap",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sched_yield",
	"sigaltstack",
	"sigreturn",
	"time",
};

#define MAX_RULES 16

struct rules {
	struct sec_rule v[MAX_RULES];
	size_t n;
};

static void allow(
	struct rules *r, const char *const *names, size_t n_names, const struct sec_arg *arg)
{
	assert(r->n < MAX_RULES);
	r->v[r->n++] = (struct sec_rule){ .names = names,
		.n_names = n_names,
		.action = SEC_ALLOW,
		.args = arg,
		.n_args = arg ? 1 : 0 };
}

static void add_sockets(struct rules *r)
{
	static const char *const name[] = { "socket" };
	static const struct sec_arg families[] = { { 0, SEC_EQ, AF_INET, 0 },
		{ 0, SEC_EQ, AF_INET6, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		allow(r, name, ARRAY_SIZE(name), &families[i]);
}

static void add_rules(struct rules *r, enum seccomp_net_kind kind, const struct sec_arg *self)
{
	static const char *const memory[] = { "mmap", "mmap2", "mprotect" };
	static const char *const abort_calls[] = { "tgkill" };
	static const struct sec_arg no_exec = { 2, SEC_MASKED_EQ, PROT_EXEC, 0 };

	allow(r, for_all, ARRAY_SIZE(for_all), NULL);
	if (kind == SECCOMP_NET_FILES)
		allow(r, for_files, ARRAY_SIZE(for_files), NULL);
	else
		add_sockets(r);
	if (kind == SECCOMP_NET_INSIDE)
		allow(r, for_inside, ARRAY_SIZE(for_inside), NULL);
	else if (kind != SECCOMP_NET_FILES)
		allow(r, for_sockets, ARRAY_SIZE(for_sockets), NULL);
	if (kind == SECCOMP_NET_RELAY)
		allow(r, for_relay, ARRAY_SIZE(for_relay), NULL);
	allow(r, memory, ARRAY_SIZE(memory), &no_exec);
	allow(r, abort_calls, ARRAY_SIZE(abort_calls), self);
}

int seccomp_net_load(enum seccomp_net_kind kind, struct err *err)
{
	const struct sec_arg self = { 0, SEC_EQ, (uint64_t)getpid(), 0 };
	struct sec_profile p = { .default_action = SEC_ERRNO, .default_errno = EPERM };
	auto_sec_filter filter = { 0 };
	struct rules rules = { 0 };
	int r;

	add_rules(&rules, kind, &self);
	p.rules = rules.v;
	p.n_rules = rules.n;
	r = sec_compile(&p, &filter, err);
	if (r < 0)
		return err_wrap(err, r, "seccomp filter");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot set no_new_privs");
	r = sec_load(&filter);
	if (r == -EINVAL || r == -ENOSYS) {
		log_debug("net", "no-seccomp errno=%d", -r);
		return 0;
	}
	return r < 0 ? err_set(err, r, "cannot load the seccomp filter") : 0;
}
