/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of the network process (the contract is in the header). */
#include "runtime/seccomp_net.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Names, not numbers: a name that an architecture lacks is skipped there. */
static const char *const allowed[] = {
	/* sockets */
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recvfrom",
	"recvmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	/* data */
	"close",
	"fcntl",
	"fcntl64",
	"ioctl",
	"lseek",
	"pread64",
	"read",
	"readv",
	"write",
	"writev",
	/* waiting */
	"epoll_ctl",
	"epoll_pwait",
	"epoll_wait",
	"poll",
	"ppoll",
	"restart_syscall",
	/* resolv.conf, in a root that holds nothing else */
	"fstat",
	"fstat64",
	"ftruncate",
	"newfstatat",
	"open",
	"openat",
	"rename",
	"renameat",
	"renameat2",
	"stat",
	"stat64",
	"statx",
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
	"tgkill",
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

static int add_rules(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		r = add(ctx, allowed[i], 0, NULL);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]);

		r = add(ctx, "socket", 1, &family);
		if (r < 0)
			return r;
	}
	r = add(ctx, "mmap", 1, &no_exec);
	if (r == 0)
		r = add(ctx, "mmap2", 1, &no_exec);
	return r < 0 ? r : add(ctx, "mprotect", 1, &no_exec);
}

int seccomp_net_load(struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return err_set(err, -ENOMEM, "cannot make a seccomp filter");
	r = add_rules(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	if (r == -EINVAL || r == -ENOSYS || r == -ECANCELED) {
		log_debug("net", "no-seccomp errno=%d", -r);
		return 0;
	}
	return r < 0 ? err_set(err, r, "cannot load the seccomp filter") : 0;
}
