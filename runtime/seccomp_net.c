/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of the network process (the contract is in the header). */
#include "runtime/seccomp_net.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <seccomp.h>
#include <sys/mman.h>
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

static int add(scmp_filter_ctx ctx, const char *name, unsigned n_args, const struct scmp_arg_cmp *a)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r;

	if (nr == __NR_SCMP_ERROR)
		return 0;
	r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n_args, a);
	return r == -EDOM ? 0 : r; /* not a call of this architecture */
}

static int add_names(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add(ctx, names[i], 0, NULL);
	return r;
}

static int add_families(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(families); i++) {
		const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]);

		r = add(ctx, "socket", 1, &family);
	}
	return r;
}

static int add_rules(scmp_filter_ctx ctx, enum seccomp_net_kind kind)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
	int r;

	r = add_names(ctx, for_all, ARRAY_SIZE(for_all));
	if (r >= 0 && kind == SECCOMP_NET_FILES)
		r = add_names(ctx, for_files, ARRAY_SIZE(for_files));
	else if (r >= 0)
		r = add_families(ctx);
	if (r >= 0 && kind == SECCOMP_NET_INSIDE)
		r = add_names(ctx, for_inside, ARRAY_SIZE(for_inside));
	else if (r >= 0 && kind != SECCOMP_NET_FILES)
		r = add_names(ctx, for_sockets, ARRAY_SIZE(for_sockets));
	if (r >= 0 && kind == SECCOMP_NET_RELAY)
		r = add_names(ctx, for_relay, ARRAY_SIZE(for_relay));
	if (r >= 0)
		r = add(ctx, "mmap", 1, &no_exec);
	if (r >= 0)
		r = add(ctx, "mmap2", 1, &no_exec);
	if (r >= 0)
		r = add(ctx, "mprotect", 1, &no_exec);
	return r < 0 ? r : add(ctx, "tgkill", 1, &self); /* abort() */
}

int seccomp_net_load(enum seccomp_net_kind kind, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return err_set(err, -ENOMEM, "cannot make a seccomp filter");
	r = add_rules(ctx, kind);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	if (r == -EINVAL || r == -ENOSYS || r == -ECANCELED) {
		log_debug("net", "no-seccomp errno=%d", -r);
		return 0;
	}
	return r < 0 ? err_set(err, r, "cannot load the seccomp filter") : 0;
}
