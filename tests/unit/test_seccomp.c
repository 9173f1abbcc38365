/* SPDX-License-Identifier: Apache-2.0 */
/* Filters are run for real, in a forked child; the default profile is compared with Podman's. */
#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/caps.h"
#include "runtime/seccomp_default.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec.h"
#include "runtime/spec_json.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LIMIT_PROFILE (1 << 20)
#define NOT_LOADED    250

/* The errno of a system call under a filter, 0 for success, or NOT_LOADED.  Arguments that are
 * allowed are chosen so that the kernel refuses them otherwise, and nothing happens. */
static int errno_under(const struct sec_filter *f, const long call[5])
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		long r;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sec_load(f) < 0)
			_exit(NOT_LOADED);
		r = syscall(call[0], call[1], call[2], call[3], call[4]);
		_exit(r < 0 ? errno : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(the_default_profile_decides_by_call_argument_and_capability)
{
	static const struct {
		long call[5];
		uint64_t caps;
		int want;
	} cases[] = {
		{ { SYS_getpid }, CAPS_DEFAULT, 0 },
		{ { SYS_read, -1 }, CAPS_DEFAULT, EBADF },
		{ { SYS_kexec_load, 0, 0, 0, -1 }, CAPS_ALL, EPERM },
		{ { SYS_userfaultfd, -1 }, CAPS_DEFAULT, EPERM },
		{ { SYS_io_uring_setup, 0, 0 }, CAPS_ALL, ENOSYS },
		{ { SYS_personality, 0xffffffff }, CAPS_DEFAULT, 0 },
		{ { SYS_personality, ADDR_NO_RANDOMIZE }, CAPS_DEFAULT, ENOSYS },
		{ { SYS_socket, AF_UNIX, -1, 9 }, CAPS_DEFAULT, EINVAL },
		{ { SYS_socket, AF_UNIX, SOCK_STREAM, 0 }, CAPS_DEFAULT, 0 },
		{ { SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, CAPS_DEFAULT, 0 },
		{ { SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT }, CAPS_DEFAULT, EINVAL },
		{ { SYS_unshare, -1 }, CAPS_DEFAULT, EINVAL },
		{ { SYS_mount, 0, 0, 0, 0 }, 0, EFAULT },
		{ { SYS_setns, -1, 0 }, CAPS_DEFAULT, EBADF },
		{ { SYS_bpf, -1, 0, 0 }, CAPS_DEFAULT, EPERM },
		{ { SYS_acct, -1 }, CAPS_DEFAULT, EPERM },
		{ { SYS_kcmp, -1, -1, 0, 0 }, CAPS_DEFAULT, EPERM },
		{ { SYS_kcmp, -1, -1, 0, 0 }, CAPS_BIT(CAP_SYS_PTRACE), ESRCH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_sec_filter f = { 0 };
		struct sec_default d;
		int got;

		sec_default_init(&d, cases[i].caps);
		CHECK_INT(sec_compile(&d.profile, &f, NULL), ==, 0);
		got = errno_under(&f, cases[i].call);
		if (got == EPERM && cases[i].want == EFAULT)
			continue; /* mount(2): an ordinary user is refused before */
		if (got != cases[i].want)
			test_fail(__FILE__, __LINE__, "case %zu: call %ld: %d, not %d", i,
				cases[i].call[0], got, cases[i].want);
	}
}

static struct sec_filter compile_json(const char *member)
{
	auto_free char *text =
		str_format("{\"ociVersion\":\"1.0.2\",\"linux\":{\"seccomp\":%s}}", member);
	auto_spec *spec = NULL;
	struct sec_filter f = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(spec_parse(text, strlen(text), &spec, &err), ==, 0);
	if (spec)
		CHECK_INT(sec_compile(spec->seccomp, &f, &err), ==, 0);
	CHECK_STR(err.text, "");
	return f;
}

#define DENY(op, value, more)                                                                      \
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"personality\","         \
	"\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77,\"args\":[{"              \
	"\"index\":0,\"op\":\"SCMP_CMP_" op "\",\"value\":" value more "}]}]}"

TEST(operators_compare_as_named)
{
	static const struct {
		const char *profile;
		long hit, miss;
	} cases[] = {
		{ DENY("EQ", "4294967295", ""), 0xffffffff, 0x1ffffffff },
		{ DENY("NE", "4294967295", ""), 0x1ffffffff, 0xffffffff },
		{ DENY("GT", "4294967295", ""), 0x1ffffffff, 0xffffffff },
		{ DENY("GE", "8589934591", ""), 0x1ffffffff, 0xffffffff },
		{ DENY("LT", "8589934591", ""), 0xffffffff, 0x1ffffffff },
		{ DENY("LE", "4294967295", ""), 0xffffffff, 0x1ffffffff },
		{ DENY("MASKED_EQ", "18446744069414584320", ",\"valueTwo\":4294967296"),
			0x1ffffffff, 0xffffffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_sec_filter f = compile_json(cases[i].profile);
		long hit[5] = { SYS_personality, cases[i].hit };
		long miss[5] = { SYS_personality, cases[i].miss };

		CHECK_INT(errno_under(&f, hit), ==, 77);
		CHECK_INT(errno_under(&f, miss), ==, 0);
	}
}

TEST(an_argument_that_is_tested_twice_makes_two_rules)
{
	auto_sec_filter f = compile_json(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"close\"],"
		"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77,\"args\":["
		"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1000001},"
		"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1000002}]}]}");
	const long one[5] = { SYS_close, 1000001 }, two[5] = { SYS_close, 1000002 };
	const long three[5] = { SYS_close, 1000003 };

	CHECK_INT(errno_under(&f, one), ==, 77);
	CHECK_INT(errno_under(&f, two), ==, 77);
	CHECK_INT(errno_under(&f, three), ==, EBADF);
}

TEST(actions_that_end_a_process)
{
	auto_sec_filter kill = compile_json(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"acct\"],"
		"\"action\":\"SCMP_ACT_KILL_PROCESS\"}]}");
	auto_sec_filter trap = compile_json(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"acct\"],"
		"\"action\":\"SCMP_ACT_TRAP\"}]}");
	const long call[5] = { SYS_acct, -1 };

	CHECK_INT(errno_under(&kill, call), ==, 1000 + SIGSYS);
	CHECK_INT(errno_under(&trap, call), ==, 1000 + SIGSYS);
}

TEST(an_unknown_architecture_is_an_error)
{
	static const char *const archs[] = { "SCMP_ARCH_ABACUS" };
	struct sec_profile p = { .default_action = SEC_ALLOW, .archs = archs, .n_archs = 1 };
	auto_sec_filter f = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(sec_compile(&p, &f, &err), ==, -EINVAL);
	CHECK_STR(err.text, "seccomp: unknown architecture 'SCMP_ARCH_ABACUS'");
}

TEST(the_listener_comes_back_from_loading)
{
	auto_sec_filter f = compile_json(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\",\"syscalls\":[{"
		"\"names\":[\"acct\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}");
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		fd = sec_load(&f);
		_exit(fd > 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, ==, 0);
}

TEST(conditions_of_profile_files_are_decided)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"archMap\":["
		"{\"architecture\":\"SCMP_ARCH_S390X\",\"subArchitectures\":[\"SCMP_ARCH_S390\"]},"
		"{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}]"
		","
		"\"syscalls\":["
		"{\"name\":\"a\",\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"b\"],\"action\":\"X\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"c\"],\"action\":\"X\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"d\"],\"action\":\"X\",\"includes\":{\"arches\":[\"amd64\"]}},"
		"{\"names\":[\"e\"],\"action\":\"X\",\"excludes\":{\"arches\":[\"arm64\"]}},"
		"{\"names\":[\"f\"],\"action\":\"X\",\"includes\":{\"minKernel\":\"4.8\"}},"
		"{\"names\":[\"g\"],\"action\":\"X\",\"includes\":{\"minKernel\":\"6.20\"}}]}";
	static const struct sec_host host = { "arm64", "SCMP_ARCH_AARCH64", 6, 1 };
	auto_json *file = NULL, *out = NULL;
	auto_buf dump = { 0 };

	CHECK_INT(json_parse(text, strlen(text), "it", &file, NULL), ==, 0);
	CHECK_INT(sec_json_resolve(file, 0, &host, &out, NULL), ==, 0);
	for (size_t i = 0; i < json_array_size(json_object_get(out, "syscalls")); i++) {
		const json_t *rule = json_array_get(json_object_get(out, "syscalls"), i);

		(void)buf_add_str(&dump,
			json_string_value(json_array_get(json_object_get(rule, "names"), 0)));
	}
	CHECK_STR(dump.data, "acf");
	CHECK_STR(json_string_value(json_array_get(json_object_get(out, "architectures"), 1)),
		"SCMP_ARCH_ARM");
	CHECK_INT(sec_json_resolve(json_object_get(file, "archMap"), 0, &host, &out, NULL), ==,
		-EINVAL);
}

/* What a profile says of one call: its rules without and with arguments, one a line. */
static void describe(const struct sec_profile *p, const char *name, struct buf *out)
{
	bool allowed = false;

	for (size_t i = 0; i < p->n_rules; i++)
		for (size_t k = 0; k < p->rules[i].n_names; k++) {
			const struct sec_rule *rule = &p->rules[i];

			/* An allowance without conditions stands first and ends the matter. */
			if (!str_eq(rule->names[k], name) || allowed)
				continue;
			allowed = rule->action == SEC_ALLOW && rule->n_args == 0;
			(void)buf_printf(out, "%d/%u", (int)rule->action,
				rule->action == SEC_ERRNO ? rule->errno_ret : 0);
			for (size_t a = 0; a < rule->n_args; a++)
				(void)buf_printf(out, " %u.%d.%llu", rule->args[a].index,
					(int)rule->args[a].op,
					(unsigned long long)rule->args[a].value);
			(void)buf_add_str(out, "\n");
		}
}

static void check_same(const struct sec_profile *a, const struct sec_profile *b, const char *name)
{
	auto_buf da = { 0 }, db = { 0 };

	describe(a, name, &da);
	describe(b, name, &db);
	if (!str_eq(da.data ? da.data : "", db.data ? db.data : ""))
		test_fail(__FILE__, __LINE__, "%s: ours says '%s', the reference '%s'", name,
			da.data ? da.data : "", db.data ? db.data : "");
}

/*
 * Calls of later kernels and of other machines, and those on which the references of Debian 12 and 13
 * differ: what no kernel or only 32-bit ones know, and what capabilities of their own allow since.
 */
static bool is_beyond_reference(const char *name)
{
	static const char *const names[] = { "bpf", "io_pgetevents_time64", "perf_event_open",
		"quotactl_fd", "readdir", "sigaction", "sigpending", "sigsuspend", "swapcontext",
		"syscall", "timerfd", "arm_fadvise64_64", "arm_sync_file_range", "breakpoint",
		"cacheflush", "cachestat", "fchmodat2", "file_getattr", "file_setattr",
		"futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "getxattrat",
		"listmount", "listxattrat", "map_shadow_stack", "mseal", "open_tree_attr",
		"removexattrat", "riscv_flush_icache", "riscv_hwprobe", "s390_pci_mmio_read",
		"s390_pci_mmio_write", "s390_runtime_instr", "set_mempolicy_home_node", "set_tls",
		"setxattrat", "statmount", "sync_file_range2", "uretprobe" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

static enum sec_action action_of(const struct sec_profile *p, const char *name)
{
	for (size_t i = 0; i < p->n_rules; i++)
		for (size_t k = 0; k < p->rules[i].n_names; k++)
			if (str_eq(p->rules[i].names[k], name))
				return p->rules[i].action;
	return p->default_action;
}

static void compare(const json_t *file, uint64_t caps)
{
	auto_json *member = NULL, *doc = NULL;
	auto_spec *spec = NULL;
	struct sec_default ours;
	struct sec_host host;

	sec_host_init(&host, "6.1.0");
	CHECK_INT(sec_json_resolve(file, caps, &host, &member, NULL), ==, 0);
	doc = json_pack("{s:s, s:{s:O}}", "ociVersion", "1.0.2", "linux", "seccomp", member);
	CHECK_INT(spec_parse_json(doc, &spec, NULL), ==, 0);
	if (!spec)
		return;
	sec_default_init(&ours, caps);
	CHECK_INT(ours.profile.default_action, ==, spec->seccomp->default_action);
	CHECK_INT(ours.profile.default_errno, ==, spec->seccomp->default_errno);
	CHECK_INT(ours.profile.n_archs, ==, spec->seccomp->n_archs);
	for (size_t i = 0; i < spec->seccomp->n_rules; i++)
		for (size_t k = 0; k < spec->seccomp->rules[i].n_names; k++) {
			const char *name = spec->seccomp->rules[i].names[k];

			if (!is_beyond_reference(name) && !str_eq(name, "socket"))
				check_same(&ours.profile, spec->seccomp, name);
		}
	for (size_t i = 0; i < ours.profile.n_rules; i++)
		for (size_t k = 0; k < ours.profile.rules[i].n_names; k++) {
			const char *name = ours.profile.rules[i].names[k];

			if (!is_beyond_reference(name) && !str_eq(name, "socket"))
				check_same(&ours.profile, spec->seccomp, name);
		}
}

TEST(the_default_profile_is_podmans)
{
	auto_free char *text = NULL;
	auto_json *file = NULL;
	auto_fd dir = open("/usr/share/containers", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t len;

	if (dir < 0 || at_read_file(dir, "seccomp.json", LIMIT_PROFILE, &text, &len) < 0) {
		test_skip("no /usr/share/containers/seccomp.json to compare with");
		return;
	}
	CHECK_INT(spec_json_parse(text, len, "the profile", &file, NULL), ==, 0);
#ifdef __x86_64__
	compare(file, CAPS_DEFAULT);
	compare(file, CAPS_ALL);
	compare(file, 0);
	for (int cap = 0; cap < CAPS_N; cap++)
		compare(file, CAPS_BIT(cap));
#endif
}

TEST(capabilities_of_their_own_allow_bpf_and_perf)
{
	static const struct {
		const char *name;
		int cap, other;
	} cases[] = { { "bpf", CAP_BPF, CAP_PERFMON },
		{ "perf_event_open", CAP_PERFMON, CAP_BPF } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sec_default with, admin, without;

		sec_default_init(&with, CAPS_BIT(cases[i].cap));
		sec_default_init(&admin, CAPS_BIT(CAP_SYS_ADMIN));
		sec_default_init(&without, CAPS_DEFAULT | CAPS_BIT(cases[i].other));
		check_same(&with.profile, &admin.profile, cases[i].name);
		CHECK_INT(action_of(&with.profile, cases[i].name), ==, SEC_ALLOW);
		CHECK_INT(action_of(&without.profile, cases[i].name), ==, SEC_ERRNO);
	}
}

TEST(our_json_is_read_back_as_it_was)
{
	auto_json *doc = NULL;
	auto_spec *spec = NULL;
	struct sec_default d;

	sec_default_init(&d, CAPS_DEFAULT);
	doc = json_pack("{s:s, s:{s:o}}", "ociVersion", "1.0.2", "linux", "seccomp",
		sec_json_new(&d.profile));
	CHECK_INT(spec_parse_json(doc, &spec, NULL), ==, 0);
	if (!spec)
		return;
	CHECK_INT(spec->seccomp->n_rules, ==, d.profile.n_rules);
	CHECK_INT(spec->seccomp->flags, ==, d.profile.flags);
	CHECK_INT(spec->seccomp->default_errno, ==, ENOSYS);
	for (size_t i = 0; i < d.profile.n_rules; i++)
		for (size_t k = 0; k < d.profile.rules[i].n_names; k++)
			check_same(&d.profile, spec->seccomp, d.profile.rules[i].names[k]);
}
