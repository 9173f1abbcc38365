/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"
#include "runtime/spec.h"
#include "runtime/spec_json.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>

static int parse(const char *text, struct spec **ret, struct err *err)
{
	return spec_parse(text, strlen(text), ret, err);
}

/* Every member that we know, with a value that is not the default. */
static const char full[] =
	"{\"ociVersion\":\"1.2.0\",\"hostname\":\"box\",\"domainname\":\"example\","
	"\"unknown\":{\"x\":[1,2.5,null]},"
	"\"annotations\":{\"org.example\":\"yes\",\"empty\":\"\"},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	"\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},"
	"\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[3,4294967294]},"
	"\"args\":[\"sh\",\"-c\",\"true\"],\"env\":[\"A=b\",\"C=\"],\"cwd\":\"/tmp\","
	"\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_NEWER\"],\"effective\":[\"CAP_KILL\"],"
	"\"inheritable\":[],\"permitted\":[\"CAP_CHECKPOINT_RESTORE\"],\"ambient\":null},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":18446744073709551615}],"
	"\"noNewPrivileges\":true,\"oomScoreAdj\":-5,\"apparmorProfile\":\"p\","
	"\"selinuxLabel\":\"l\",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},"
	"\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":-3,"
	"\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_UTIL_CLAMP_MAX\"]},"
	"\"execCPUAffinity\":{\"initial\":\"0-1\",\"final\":\"2\"}},"
	"\"mounts\":[{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/srv\","
	"\"options\":[\"rbind\",\"ro\"],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":6,\"size\":1}]},"
	"{\"destination\":\"/proc\"}],"
	"\"hooks\":{\"prestart\":[{\"path\":\"/bin/a\",\"args\":[\"a\",\"b\"],\"env\":[\"X=1\"],"
	"\"timeout\":7}],\"poststop\":[{\"path\":\"/bin/z\"},{\"path\":\"/bin/y\"}]},"
	"\"linux\":{\"namespaces\":[{\"type\":\"user\"},{\"type\":\"network\",\"path\":\"/n\"},"
	"{\"type\":\"mount\",\"path\":\"\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1},"
	"{\"containerID\":1,\"hostID\":100000,\"size\":65536}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}],"
	"\"timeOffsets\":{\"monotonic\":{\"secs\":-1,\"nanosecs\":5},\"boottime\":{\"secs\":9}},"
	"\"devices\":[{\"path\":\"/dev/fuse\",\"type\":\"u\",\"major\":10,\"minor\":229,"
	"\"fileMode\":8630,\"uid\":0,\"gid\":7}],\"cgroupsPath\":\"/a\","
	"\"resources\":{\"memory\":{\"limit\":1048576,\"swap\":-1,\"disableOOMKiller\":true},"
	"\"cpu\":{\"shares\":512,\"quota\":-1,\"cpus\":\"0\",\"idle\":1},\"pids\":{\"limit\":99},"
	"\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":-1,\"access\":\"r\"}],"
	"\"unified\":{\"memory.high\":\"1M\"},\"blockIO\":{\"weight\":10}},"
	"\"rootfsPropagation\":\"rslave\",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},"
	"\"maskedPaths\":[\"/proc/keys\"],\"readonlyPaths\":[\"/proc/sys\"],"
	"\"mountLabel\":\"m\",\"personality\":{\"domain\":\"LINUX32\"},"
	"\"intelRdt\":{\"closID\":\"g\"},"
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
	"\"architectures\":[\"SCMP_ARCH_X86_64\"],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
	"\"listenerPath\":\"/s\",\"listenerMetadata\":\"m\","
	"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},"
	"{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,\"args\":["
	"{\"index\":5,\"value\":18446744073709551614,\"valueTwo\":2,"
	"\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}}}";

static void check_process(const struct spec_process *p)
{
	CHECK(p->terminal && p->no_new_privs);
	CHECK_INT(p->rows, ==, 24);
	CHECK_INT(p->cols, ==, 80);
	CHECK_INT(p->user.uid, ==, 1);
	CHECK_INT(p->user.gid, ==, 2);
	CHECK(p->user.umask.set);
	CHECK_INT(p->user.umask.v, ==, 022);
	CHECK_INT(p->user.n_gids, ==, 2);
	CHECK_INT(p->user.gids[1], ==, 4294967294u);
	CHECK_INT(p->args.n, ==, 3);
	CHECK_STR(p->args.v[2], "true");
	CHECK(!p->args.v[3]);
	CHECK_STR(p->env.v[1], "C=");
	CHECK_STR(p->cwd, "/tmp");
	CHECK(p->caps.set);
	CHECK_INT(p->caps.bounding, ==, 1);
	CHECK_INT(p->caps.effective, ==, 1 << 5);
	CHECK_INT(p->caps.permitted, ==, INT64_C(1) << 40);
	CHECK_INT(p->n_rlimits, ==, 1);
	CHECK_INT(p->rlimits[0].resource, ==, RLIMIT_NOFILE);
	CHECK_INT(p->rlimits[0].soft, ==, 10);
	CHECK(p->rlimits[0].hard == UINT64_MAX);
	CHECK_INT(p->oom_score_adj.v, ==, -5);
	CHECK_STR(p->apparmor_profile, "p");
	CHECK_STR(p->selinux_label, "l");
	CHECK_INT(p->io_priority.v, ==, 2 << 13 | 4);
	CHECK_INT(p->scheduler.policy, ==, SCHED_BATCH);
	CHECK_INT(p->scheduler.nice, ==, -3);
	CHECK_INT(p->scheduler.flags, ==, 0x41);
	CHECK_STR(p->cpus_initial, "0-1");
	CHECK_STR(p->cpus_final, "2");
}

static void check_resources(const struct spec_resources *r)
{
	CHECK(r->memory.limit.set && r->memory.swap.set && !r->memory.reservation.set);
	CHECK_INT(r->memory.limit.v, ==, 1048576);
	CHECK_INT(r->memory.swap.v, ==, -1);
	CHECK(r->memory.disable_oom_killer);
	CHECK_INT(r->cpu.shares.v, ==, 512);
	CHECK_INT(r->cpu.quota.v, ==, -1);
	CHECK_STR(r->cpu.cpus, "0");
	CHECK_INT(r->cpu.idle.v, ==, 1);
	CHECK_INT(r->pids.v, ==, 99);
	CHECK_INT(r->n_devices, ==, 2);
	CHECK_INT(r->devices[0].type, ==, 'a');
	CHECK_INT(r->devices[1].type, ==, 'c');
	CHECK_INT(r->devices[1].minor.v, ==, -1);
	CHECK_STR(r->unified.v[0].value, "1M");
	CHECK(json_object_get(r->json, "blockIO"));
}

static void check_linux(const struct spec *s)
{
	CHECK(s->ns[SPEC_NS_USER].on && s->ns[SPEC_NS_NET].on && s->ns[SPEC_NS_MNT].on);
	CHECK(!s->ns[SPEC_NS_PID].on);
	CHECK_STR(s->ns[SPEC_NS_NET].path, "/n");
	CHECK_STR(s->ns[SPEC_NS_MNT].path, NULL);
	CHECK_INT(s->uid_map.n, ==, 2);
	CHECK_INT(s->uid_map.v[1].outside, ==, 100000);
	CHECK_INT(s->gid_map.n, ==, 1);
	CHECK_INT(s->monotonic.secs, ==, -1);
	CHECK_INT(s->monotonic.nanosecs, ==, 5);
	CHECK_INT(s->boottime.secs, ==, 9);
	CHECK_INT(s->n_devices, ==, 1);
	CHECK_INT(s->devices[0].type, ==, 'c');
	CHECK_INT(s->devices[0].minor, ==, 229);
	CHECK_INT(s->devices[0].mode.v, ==, 0666);
	CHECK_INT(s->devices[0].gid, ==, 7);
	CHECK_STR(s->cgroups_path, "/a");
	CHECK_INT(s->rootfs_propagation, ==, MS_SLAVE | MS_REC);
	CHECK_STR(s->sysctl.v[0].key, "net.ipv4.ip_forward");
	CHECK_STR(s->masked_paths.v[0], "/proc/keys");
	CHECK_STR(s->readonly_paths.v[0], "/proc/sys");
	CHECK_STR(s->mount_label, "m");
	CHECK(s->personality.set);
	CHECK_STR(s->intel_rdt_clos, "g");
}

static void check_seccomp(const struct sec_profile *p)
{
	CHECK_INT(p->default_action, ==, SEC_ERRNO);
	CHECK_INT(p->default_errno, ==, 38);
	CHECK_STR(p->archs[0], "SCMP_ARCH_X86_64");
	CHECK_INT(p->flags, ==, SEC_FLAG_LOG);
	CHECK_STR(p->listener_path, "/s");
	CHECK_INT(p->n_rules, ==, 2);
	CHECK_STR(p->rules[0].names[1], "write");
	CHECK_INT(p->rules[0].action, ==, SEC_ALLOW);
	CHECK_INT(p->rules[1].errno_ret, ==, 1);
	CHECK_INT(p->rules[1].args[0].op, ==, SEC_MASKED_EQ);
	CHECK_INT(p->rules[1].args[0].index, ==, 5);
	CHECK(p->rules[1].args[0].value == UINT64_MAX - 1);
	CHECK_INT(p->rules[1].args[0].value2, ==, 2);
}

TEST(every_known_member_reaches_its_field)
{
	auto_spec *s = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(parse(full, &s, &err), ==, 0);
	CHECK_STR(err.text, "");
	if (!s)
		return;
	CHECK_STR(s->oci_version, "1.2.0");
	CHECK_STR(s->hostname, "box");
	CHECK_STR(s->domainname, "example");
	CHECK_STR(spec_annotation(s, "org.example"), "yes");
	CHECK_STR(spec_annotation(s, "other"), NULL);
	CHECK_STR(s->root.path, "rootfs");
	CHECK(s->root.readonly);
	check_process(s->process);
	CHECK_INT(s->n_mounts, ==, 2);
	CHECK_STR(s->mounts[0].options.v[1], "ro");
	CHECK_INT(s->mounts[0].gid_map.v[0].outside, ==, 6);
	CHECK_STR(s->mounts[1].type, NULL);
	CHECK_INT(s->hooks[SPEC_HOOK_PRESTART].v[0].timeout_s, ==, 7);
	CHECK_STR(s->hooks[SPEC_HOOK_PRESTART].v[0].args.v[1], "b");
	CHECK_INT(s->hooks[SPEC_HOOK_POSTSTOP].n, ==, 2);
	CHECK_INT(s->hooks[SPEC_HOOK_POSTSTART].n, ==, 0);
	check_linux(s);
	check_resources(&s->resources);
	check_seccomp(s->seccomp);
	/* A capability of a newer kernel is worth a line in the log, not a failure. */
	CHECK_INT(s->warnings.n, ==, 1);
	CHECK_STR(s->warnings.v[0], "process.capabilities has an unknown capability 'CAP_NEWER'");
}

TEST(little_is_required)
{
	auto_spec *s = NULL;

	CHECK_INT(parse("{\"ociVersion\":\"1.0.2\",\"process\":null}", &s, NULL), ==, 0);
	CHECK(s && !s->process && !s->seccomp && !s->hostname && !s->resources.json);
}

#define PROCESS(members) "{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\"," members "}}"
#define LINUX(members)	 "{\"ociVersion\":\"1.0.2\",\"linux\":{" members "}}"
#define SECCOMP(members) LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"," members "}")

TEST(mistakes_are_named_by_their_path)
{
	static const struct {
		const char *text;
		int want;
		const char *error;
	} cases[] = {
		{ "[]", -EINVAL, "the document is not an object" },
		{ "{}", -EINVAL, "the document has no 'ociVersion'" },
		{ "{\"ociVersion\":1}", -EINVAL, "ociVersion is not a string" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{}}", -EINVAL, "process has no 'cwd'" },
		{ "{\"ociVersion\":\"1.0\",\"root\":[]}", -EINVAL, "root is not an object" },
		{ "{\"ociVersion\":\"1.0\",\"mounts\":[{}]}", -EINVAL,
			"mounts[0] has no 'destination'" },
		{ "{\"ociVersion\":\"1.0\",\"mounts\":[3]}", -EINVAL,
			"mounts[0] is not an object" },
		{ "{\"ociVersion\":\"1.0\",\"annotations\":{\"a\":1}}", -EINVAL,
			"annotations.a is not a string" },
		{ "{\"ociVersion\":\"1.0\",\"annotations\":{\"\":\"\"}}", -EINVAL,
			"annotations has a member without a name" },
		{ "{\"ociVersion\":\"1.0\",\"hooks\":{\"poststop\":[{\"path\":\"/a\","
		  "\"args\":[\"a\",7]}]}}",
			-EINVAL, "hooks.poststop[0].args[1] is not a string" },
		{ PROCESS("\"terminal\":1"), -EINVAL, "process.terminal is not true or false" },
		{ PROCESS("\"args\":\"sh\""), -EINVAL, "process.args is not an array" },
		{ PROCESS("\"user\":{\"uid\":4294967295}"), -EINVAL,
			"process.user.uid is not between 0 and 4294967294" },
		{ PROCESS("\"user\":{\"uid\":18446744073709551615}"), -EINVAL,
			"process.user.uid is not between 0 and 4294967294" },
		{ PROCESS("\"user\":{\"uid\":-1}"), -EINVAL,
			"process.user.uid is not between 0 and 4294967294" },
		{ PROCESS("\"user\":{\"uid\":1.5}"), -EINVAL,
			"process.user.uid is not an integer" },
		{ PROCESS("\"user\":{\"additionalGids\":[1,4294967295]}"), -EINVAL,
			"process.user.additionalGids[1] is not between 0 and 4294967294" },
		{ PROCESS("\"oomScoreAdj\":1001"), -EINVAL,
			"process.oomScoreAdj is not between -1000 and 1000" },
		{ PROCESS("\"consoleSize\":{\"height\":65536,\"width\":1}"), -EINVAL,
			"process.consoleSize.height is not between 0 and 65535" },
		{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]"), -EINVAL,
			"process.rlimits[0] has the type 'RLIMIT_X', which is not known" },
		{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"hard\":1}]"), -EINVAL,
			"process.rlimits[0] has no 'soft'" },
		{ PROCESS("\"capabilities\":{\"ambient\":[1]}"), -EINVAL,
			"process.capabilities.ambient[0] is not a string" },
		{ PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":8}"), -EINVAL,
			"process.ioPriority.priority is not between 0 and 7" },
		{ PROCESS("\"scheduler\":{}"), -EINVAL, "process.scheduler has no 'policy'" },
		{ LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]"), -EINVAL,
			"linux.namespaces[1] names the pid namespace a second time" },
		{ LINUX("\"namespaces\":[{\"type\":\"moon\"}]"), -EINVAL,
			"linux.namespaces[0].type is 'moon', which is not known" },
		{ LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":2},"
			"{\"containerID\":1,\"hostID\":9,\"size\":1}]"),
			-EINVAL,
			"linux.uidMappings[1] is empty, too long or overlaps another range" },
		{ LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":0}]"), -EINVAL,
			"linux.uidMappings[0] has no 'size'" },
		{ LINUX("\"rootfsPropagation\":\"x\""), -EINVAL,
			"linux.rootfsPropagation is 'x', which is not known" },
		{ LINUX("\"devices\":[{\"path\":\"/a\",\"type\":\"c\",\"major\":4096}]"), -EINVAL,
			"linux.devices[0].major is not between 0 and 4095" },
		{ LINUX("\"devices\":[{\"path\":\"/a\"}]"), -EINVAL,
			"linux.devices[0] has no 'type'" },
		{ LINUX("\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}"), -EINVAL,
			"linux.timeOffsets.boottime.nanosecs is not between 0 and 999999999" },
		{ LINUX("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"x\"]}"), -EINVAL,
			"linux.personality has flags, and none are defined" },
		{ LINUX("\"resources\":{\"memory\":{\"limit\":-2}}"), -EINVAL,
			"linux.resources.memory.limit is not between -1 and 9223372036854775807" },
		{ LINUX("\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}"),
			-EINVAL,
			"linux.resources.devices[0] has an access that is not made of 'rwm'" },
		{ LINUX("\"seccomp\":{}"), -EINVAL, "linux.seccomp has no 'defaultAction'" },
		{ SECCOMP("\"flags\":[\"X\"]"), -EINVAL,
			"linux.seccomp.flags has 'X', which is not known" },
		{ SECCOMP("\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_LOG\"}]"), -EINVAL,
			"linux.seccomp.syscalls[0] names no system call" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"args\":["
			  "{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]"),
			-EINVAL, "linux.seccomp.syscalls[0].args[0].index is not between 0 and 5" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_spec *s = NULL;
		struct err err = ERR_INIT;

		CHECK_INT(parse(cases[i].text, &s, &err), ==, cases[i].want);
		CHECK_STR(err.text, cases[i].error);
		CHECK(!s);
	}
}

TEST(text_that_is_not_strict_json_is_refused)
{
	static const char *const cases[] = { "", "{", "{\"ociVersion\":\"1\"} x",
		"{\"ociVersion\":\"1\",\"ociVersion\":\"1\"}", "{\"ociVersion\":\"a\\u0000b\"}",
		"{\"ociVersion\":\"\xff\"}", "{\"ociVersion\":\"1\",\"x\":18446744073709551616}",
		"{\"ociVersion", "{\"ociVersion\":\"1\",\"x\":018446744073709551615}",
		"18446744073709551615" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_spec *s = NULL;

		CHECK_INT(parse(cases[i], &s, NULL), <, 0);
	}
}

/* n mounts, or whatever else is counted. */
static char *repeat(const char *head, const char *element, size_t n, const char *tail)
{
	auto_buf b = { 0 };
	int r = buf_add_str(&b, head);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = i ? buf_add_str(&b, ",") : 0;
		if (r == 0)
			r = buf_add_str(&b, element);
	}
	CHECK_INT(buf_add_str(&b, tail), ==, 0);
	return buf_take(&b);
}

TEST(limits_hold_on_both_sides)
{
	static const struct {
		const char *head, *element, *tail;
		size_t limit;
	} cases[] = {
		{ "{\"ociVersion\":\"1.0\",\"mounts\":[", "{\"destination\":\"/\"}", "]}",
			LIMIT_SPEC_MOUNTS },
		{ "{\"ociVersion\":\"1.0\",\"hooks\":{\"poststop\":[", "{\"path\":\"/\"}", "]}}",
			LIMIT_SPEC_HOOKS },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"cwd\":\"/\",\"args\":[", "\"\"", "]}}",
			LIMIT_SPEC_ARGS },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"cwd\":\"/\",\"user\":{"
		  "\"additionalGids\":[",
			"0", "]}}}", LIMIT_SPEC_ARGS },
		{ "{\"ociVersion\":\"1.0\",\"linux\":{\"devices\":[",
			"{\"type\":\"c\",\"path\":\"/\"}", "]}}", LIMIT_SPEC_DEVICES },
		{ "{\"ociVersion\":\"1.0\",\"linux\":{\"seccomp\":{\"defaultAction\":"
		  "\"SCMP_ACT_LOG\",\"syscalls\":[",
			"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\"}", "]}}}",
			LIMIT_SPEC_SECCOMP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t over = 0; over < 2; over++) {
			auto_free char *text = repeat(cases[i].head, cases[i].element,
				cases[i].limit + over, cases[i].tail);
			auto_spec *s = NULL;

			CHECK_INT(parse(text, &s, NULL), ==, over ? -E2BIG : 0);
		}
}

TEST(long_strings_have_a_limit)
{
	auto_free char *ok = NULL, *over = NULL;
	auto_spec *s = NULL;
	char *name = malloc(LIMIT_SPEC_STRING + 2);

	memset(name, 'x', LIMIT_SPEC_STRING + 1);
	name[LIMIT_SPEC_STRING + 1] = '\0';
	over = str_format("{\"ociVersion\":\"1.0\",\"hostname\":\"%s\"}", name);
	ok = str_format("{\"ociVersion\":\"1.0\",\"hostname\":\"%s\"}", name + 1);
	free(name);
	CHECK_INT(parse(over, &s, NULL), ==, -E2BIG);
	CHECK_INT(parse(ok, &s, NULL), ==, 0);
}

TEST(a_process_or_resources_can_stand_alone)
{
	static const char process[] = "{\"cwd\":\"/\",\"args\":[\"id\"],\"user\":{\"uid\":5}}";
	static const char resources[] = "{\"pids\":{\"limit\":5}}";
	auto_spec *p = NULL, *r = NULL;

	CHECK_INT(spec_parse_process(process, strlen(process), &p, NULL), ==, 0);
	CHECK(p && p->process);
	CHECK_INT(p->process->user.uid, ==, 5);
	CHECK_INT(spec_parse_resources(resources, strlen(resources), &r, NULL), ==, 0);
	CHECK_INT(r->resources.pids.v, ==, 5);
	CHECK(!r->process);
}

TEST(memory_for_changes_lives_as_long_as_the_spec)
{
	auto_spec *s = NULL;
	struct spec_mount *m;

	CHECK_INT(parse("{\"ociVersion\":\"1.0.2\"}", &s, NULL), ==, 0);
	m = spec_alloc(s, 2, sizeof(*m));
	CHECK(m && !m[1].destination);
	m[1].destination = spec_strdup(s, "/dev");
	CHECK_STR(m[1].destination, "/dev");
	CHECK(!spec_alloc(s, SIZE_MAX, 2));
	CHECK(!spec_alloc(s, SIZE_MAX, 1));
}

TEST(wide_integers_survive_writing_and_reading)
{
	auto_json *doc = json_object(), *back = NULL;
	auto_buf text = { 0 };
	uint64_t v = 0;

	json_object_set_new(doc, "max", spec_json_new_u64(UINT64_MAX));
	json_object_set_new(doc, "small", spec_json_new_u64(7));
	json_object_set_new(doc, "list", json_pack("[s, b, []]", "u64:9", 1));
	json_object_set_new(doc, "none", json_object());
	CHECK_INT(spec_json_dump(doc, &text), ==, 0);
	CHECK_STR(text.data, "{\n\t\"max\": 18446744073709551615,\n\t\"small\": 7,\n\t\"list\": [\n"
			     "\t\t\"u64:9\",\n\t\ttrue,\n\t\t[]\n\t],\n\t\"none\": {}\n}\n");
	CHECK_INT(spec_json_parse(text.data, text.len, "it", &back, NULL), ==, 0);
	CHECK_INT(spec_json_u64(json_object_get(back, "max"), &v), ==, 0);
	CHECK(v == UINT64_MAX);
	CHECK_INT(spec_json_u64(json_object_get(back, "small"), &v), ==, 0);
	CHECK_INT(v, ==, 7);
}

TEST(namespaces_have_names_and_flags)
{
	CHECK_STR(spec_ns_name(SPEC_NS_NET), "network");
	CHECK_INT(spec_ns_clone_flag(SPEC_NS_MNT), ==, CLONE_NEWNS);
	CHECK_INT(spec_ns_clone_flag(SPEC_NS_TIME), ==, 0x80);
}
