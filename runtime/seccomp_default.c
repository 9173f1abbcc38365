/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of containers that ask for none (the contract is in the header)
 *
 * A table of rules, walked once: a rule with capabilities allows its calls to containers that have
 * one of them and refuses them to the others.
 */
#include "runtime/seccomp_default.h"
#include "runtime/caps.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sys/personality.h>
#include <sys/socket.h>

/* Files by name. */
static const char *const paths[] = { "access", "chdir", "chmod", "chown", "chown32", "creat",
	"faccessat", "faccessat2", "fanotify_mark", "fchmodat", "fchownat", "fstatat64",
	"futimesat", "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "lchown", "lchown32", "lgetxattr",
	"link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lsetxattr", "lstat",
	"lstat64", "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat",
	"open", "openat", "openat2", "readdir", "readlink", "readlinkat", "removexattr", "rename",
	"renameat", "renameat2", "rmdir", "setxattr", "stat", "stat64", "statfs", "statfs64",
	"statx", "symlink", "symlinkat", "truncate", "truncate64", "umask", "unlink", "unlinkat",
	"utime", "utimensat", "utimensat_time64", "utimes" };

/* Files by descriptor. */
static const char *const descriptors[] = { "_llseek", "close", "close_range", "copy_file_range",
	"dup", "dup2", "dup3", "eventfd", "eventfd2", "fadvise64", "fadvise64_64", "fallocate",
	"fchdir", "fchmod", "fchown", "fchown32", "fcntl", "fcntl64", "fdatasync", "fgetxattr",
	"flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatfs",
	"fstatfs64", "fsync", "ftruncate", "ftruncate64", "io_cancel", "io_destroy", "io_getevents",
	"io_setup", "io_submit", "ioctl", "lseek", "memfd_create", "memfd_secret", "pipe", "pipe2",
	"pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
	"readv", "sendfile", "sendfile64", "splice", "sync", "sync_file_range", "syncfs", "tee",
	"write", "writev" };

/* Waiting, locks between threads. */
static const char *const waiting[] = { "_newselect", "epoll_create", "epoll_create1", "epoll_ctl",
	"epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "futex",
	"futex_time64", "get_robust_list", "membarrier", "pause", "poll", "ppoll", "ppoll_time64",
	"pselect6", "pselect6_time64", "restart_syscall", "rseq", "select", "set_robust_list" };

/* Mounts: worth something only in a mount namespace of one's own, where the kernel asks for more.
 */
static const char *const mounts[] = { "fsconfig", "fsmount", "fsopen", "fspick", "mount",
	"mount_setattr", "move_mount", "open_tree", "pivot_root", "umount", "umount2" };

/* Sockets; socket(2) itself is further below. */
static const char *const sockets[] = { "accept", "accept4", "bind", "connect", "getpeername",
	"getsockname", "getsockopt", "listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64",
	"recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketcall",
	"socketpair" };

/* Clocks and timers. */
static const char *const clocks[] = { "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64",
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "getitimer", "gettimeofday", "nanosleep",
	"setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_gettime64", "timer_settime", "timer_settime64", "timerfd", "timerfd_create",
	"timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times" };

/* Memory. */
static const char *const memory[] = { "brk", "get_mempolicy", "madvise", "mbind", "mincore",
	"mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "msync", "munlock",
	"munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "process_mrelease",
	"remap_file_pages", "set_mempolicy" };

/* Who one is and what one may. */
static const char *const ids[] = { "capget", "capset", "getegid", "getegid32", "geteuid",
	"geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getresgid", "getresgid32",
	"getresuid", "getresuid32", "getuid", "getuid32", "keyctl", "landlock_add_rule",
	"landlock_create_ruleset", "landlock_restrict_self", "seccomp", "setfsgid", "setfsgid32",
	"setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setregid",
	"setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32", "setreuid",
	"setreuid32", "setuid", "setuid32" };

/* Signals. */
static const char *const signals[] = { "kill", "pidfd_send_signal", "rt_sigaction", "rt_sigpending",
	"rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaction", "sigaltstack", "signal",
	"signalfd", "signalfd4", "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "tgkill",
	"tkill" };

/* System V and POSIX messages, semaphores, shared memory. */
static const char *const ipc[] = { "ipc", "mq_getsetattr", "mq_notify", "mq_open",
	"mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64",
	"mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop",
	"semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget" };

/* Processes, threads, scheduling. */
static const char *const processes[] = { "clone", "clone3", "execve", "execveat", "exit",
	"exit_group", "fork", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid",
	"getppid", "getpriority", "getrandom", "getrlimit", "getrusage", "getsid", "gettid",
	"ioprio_get", "ioprio_set", "pidfd_getfd", "pidfd_open", "prctl", "prlimit64",
	"process_vm_readv", "process_vm_writev", "ptrace", "reboot", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
	"sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
	"set_thread_area", "set_tid_address", "setns", "setpgid", "setpriority", "setrlimit",
	"setsid", "syscall", "sysinfo", "syslog", "ugetrlimit", "uname", "unshare", "vfork",
	"wait4", "waitid", "waitpid" };

/* Harmless calls of later kernels; a libseccomp that does not know a name skips it. */
static const char *const newer[] = { "cachestat", "fchmodat2", "file_getattr", "file_setattr",
	"futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "getxattrat", "listmount",
	"listxattrat", "map_shadow_stack", "mseal", "open_tree_attr", "removexattrat",
	"riscv_hwprobe", "set_mempolicy_home_node", "setxattrat", "statmount", "uretprobe" };

/* Of one architecture each. */
static const char *const one_arch[] = { "arch_prctl", "arm_fadvise64_64", "arm_sync_file_range",
	"breakpoint", "cacheflush", "modify_ldt", "riscv_flush_icache", "s390_pci_mmio_read",
	"s390_pci_mmio_write", "s390_runtime_instr", "set_tls", "sync_file_range2" };

/* EPERM at once: old attack surface, or for root of the machine alone. */
static const char *const refused[] = { "bdflush", "io_pgetevents", "kexec_file_load", "kexec_load",
	"migrate_pages", "move_pages", "nfsservctl", "nice", "oldfstat", "oldlstat", "oldolduname",
	"oldstat", "olduname", "pciconfig_iobase", "pciconfig_read", "pciconfig_write", "sgetmask",
	"ssetmask", "swapcontext", "swapoff", "swapon", "sysfs", "uselib", "userfaultfd", "ustat",
	"vm86", "vm86old", "vmsplice" };

static const char *const handles[] = { "open_by_handle_at" };
static const char *const admin[] = { "fanotify_init", "lookup_dcookie", "quotactl", "quotactl_fd",
	"setdomainname", "sethostname" };
static const char *const bpf[] = { "bpf" };
static const char *const performance[] = { "perf_event_open" };
static const char *const change_root[] = { "chroot" };
static const char *const modules[] = { "delete_module", "finit_module", "init_module",
	"query_module" };
static const char *const accounting[] = { "acct" };
static const char *const tracing[] = { "kcmp", "process_madvise" };
static const char *const ports[] = { "ioperm", "iopl" };
static const char *const set_clocks[] = { "clock_settime", "clock_settime64", "settimeofday",
	"stime" };
static const char *const hangup[] = { "vhangup" };
static const char *const set_personality[] = { "personality" };
static const char *const make_socket[] = { "socket" };

#define ALLOW(list)                                                                                \
	{                                                                                          \
		.names = (list), .n_names = ARRAY_SIZE(list), .action = SEC_ALLOW                  \
	}
#define REFUSE(list)                                                                               \
	{                                                                                          \
		.names = (list), .n_names = ARRAY_SIZE(list), .action = SEC_ERRNO,                 \
		.errno_ret = EPERM                                                                 \
	}
#define ALLOW_IF(list, tests)                                                                      \
	{                                                                                          \
		.names = (list), .n_names = ARRAY_SIZE(list), .action = SEC_ALLOW,                 \
		.args = (tests), .n_args = ARRAY_SIZE(tests)                                       \
	}

static const struct sec_rule always[] = {
	ALLOW(paths),
	ALLOW(descriptors),
	ALLOW(waiting),
	ALLOW(mounts),
	ALLOW(sockets),
	ALLOW(clocks),
	ALLOW(memory),
	ALLOW(ids),
	ALLOW(signals),
	ALLOW(ipc),
	ALLOW(processes),
	ALLOW(newer),
	ALLOW(one_arch),
	REFUSE(refused),
};

static const struct {
	uint64_t caps; /* any of them will do */
	const char *const *names;
	size_t n_names;
} by_cap[] = {
	{ CAPS_BIT(CAP_DAC_READ_SEARCH), handles, ARRAY_SIZE(handles) },
	{ CAPS_BIT(CAP_SYS_ADMIN), admin, ARRAY_SIZE(admin) },
	{ CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_BPF), bpf, ARRAY_SIZE(bpf) },
	{ CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_PERFMON), performance, ARRAY_SIZE(performance) },
	{ CAPS_BIT(CAP_SYS_CHROOT), change_root, ARRAY_SIZE(change_root) },
	{ CAPS_BIT(CAP_SYS_MODULE), modules, ARRAY_SIZE(modules) },
	{ CAPS_BIT(CAP_SYS_PACCT), accounting, ARRAY_SIZE(accounting) },
	{ CAPS_BIT(CAP_SYS_PTRACE), tracing, ARRAY_SIZE(tracing) },
	{ CAPS_BIT(CAP_SYS_RAWIO), ports, ARRAY_SIZE(ports) },
	{ CAPS_BIT(CAP_SYS_TIME), set_clocks, ARRAY_SIZE(set_clocks) },
	{ CAPS_BIT(CAP_SYS_TTY_CONFIG), hangup, ARRAY_SIZE(hangup) },
};

/* personality(2) can take randomised addresses away; only what is harmless, and asking, passes. */
#define UNAME26 0x0020000
static const struct sec_arg personas[][1] = {
	{ { 0, SEC_EQ, PER_LINUX } },
	{ { 0, SEC_EQ, PER_LINUX32 } },
	{ { 0, SEC_EQ, UNAME26 } },
	{ { 0, SEC_EQ, UNAME26 | PER_LINUX32 } },
	{ { 0, SEC_EQ, 0xffffffff } },
};

/* The audit socket answers EINVAL, which PAM takes for a kernel without audit and goes on. */
static const struct sec_arg not_netlink[] = { { 0, SEC_NE, AF_NETLINK } };
static const struct sec_arg not_audit[] = { { 2, SEC_NE, NETLINK_AUDIT } };
static const struct sec_arg audit[] = { { 0, SEC_EQ, AF_NETLINK }, { 2, SEC_EQ, NETLINK_AUDIT } };

static const struct sec_rule socket_without_audit[] = {
	ALLOW_IF(make_socket, not_netlink),
	ALLOW_IF(make_socket, not_audit),
	{ .names = make_socket,
		.n_names = 1,
		.action = SEC_ERRNO,
		.errno_ret = EINVAL,
		.args = audit,
		.n_args = ARRAY_SIZE(audit) },
};
static const struct sec_rule socket_with_audit = ALLOW(make_socket);

static_assert(ARRAY_SIZE(always) + ARRAY_SIZE(by_cap) + ARRAY_SIZE(personas) +
			      ARRAY_SIZE(socket_without_audit) <=
		      SEC_DEFAULT_RULES,
	"the rules do not fit");

/* The native architecture and those whose programs its kernel runs too. */
static const char *const archs[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64",
	"SCMP_ARCH_X86",
	"SCMP_ARCH_X32",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64",
	"SCMP_ARCH_ARM",
#elif defined(__s390x__)
	"SCMP_ARCH_S390X",
	"SCMP_ARCH_S390",
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	"SCMP_ARCH_PPC64LE",
#elif defined(__riscv) && __riscv_xlen == 64
	"SCMP_ARCH_RISCV64",
#else
#error "name the architecture here"
#endif
};

static void add(struct sec_default *d, const struct sec_rule *rules, size_t n)
{
	memcpy(d->rules + d->profile.n_rules, rules, n * sizeof(*rules));
	d->profile.n_rules += n;
}

void sec_default_init(struct sec_default *ret, uint64_t caps)
{
	*ret = (struct sec_default){ .profile = {
					     .default_action = SEC_ERRNO,
					     .default_errno = ENOSYS,
					     .archs = archs,
					     .n_archs = ARRAY_SIZE(archs),
					     /* Without it, kernels before 5.16 slow every program
						under a filter down. */
					     .flags = SEC_FLAG_SPEC_ALLOW,
					     .rules = ret->rules,
				     } };
	add(ret, always, ARRAY_SIZE(always));
	for (size_t i = 0; i < ARRAY_SIZE(by_cap); i++) {
		bool has = caps & by_cap[i].caps;
		struct sec_rule rule = { .names = by_cap[i].names,
			.n_names = by_cap[i].n_names,
			.action = has ? SEC_ALLOW : SEC_ERRNO,
			.errno_ret = has ? 0 : EPERM };

		add(ret, &rule, 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(personas); i++) {
		struct sec_rule rule = ALLOW_IF(set_personality, personas[i]);

		add(ret, &rule, 1);
	}
	if (caps & CAPS_BIT(CAP_AUDIT_WRITE))
		add(ret, &socket_with_audit, 1);
	else
		add(ret, socket_without_audit, ARRAY_SIZE(socket_without_audit));
}
