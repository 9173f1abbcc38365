/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/spec_check.h"
#include "tests/unit/test.h"

#include <errno.h>

#define DOC(members)	 "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"}" members "}"
#define PROCESS(members) DOC(",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]" members "}")
#define LINUX(members)	 DOC(",\"linux\":{" members "}")

TEST(rules_between_members)
{
	static const struct {
		const char *text, *error; /* "": passes */
	} cases[] = {
		{ DOC(""), "" },
		{ PROCESS(""), "" },
		{ "{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"r\"}}",
			"ociVersion '2.0.0' is not supported: 1.x is" },
		{ "{\"ociVersion\":\"1.0.0\"}", "root.path is missing or empty" },
		{ DOC(",\"process\":{\"cwd\":\"tmp\",\"args\":[\"a\"]}"),
			"process.cwd 'tmp' is not an absolute path" },
		{ DOC(",\"process\":{\"cwd\":\"/\"}"),
			"process.args is empty: there is nothing to run" },
		{ DOC(",\"process\":{\"cwd\":\"/\",\"args\":[\"\"]}"),
			"process.args[0] is empty: there is nothing to run" },
		{ PROCESS(",\"env\":[\"A\",\"=b\"]"), "process.env[1] has no name" },
		{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1}]"), "" },
		{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]"),
			"process.rlimits[0] (RLIMIT_AS) has a soft limit above the hard one" },
		{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1},"
			  "{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1}]"),
			"process.rlimits[1] sets RLIMIT_AS a second time" },
		{ PROCESS(",\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":3,"
			  "\"deadline\":2,\"period\":2}"),
			"process.scheduler must have runtime <= deadline <= period" },
		{ DOC(",\"mounts\":[{\"destination\":\"proc\"}]"), "" },
		{ DOC(",\"mounts\":[{\"destination\":\"\"}]"), "mounts[0].destination is empty" },
		{ DOC(",\"mounts\":[{\"destination\":\"/m\",\"uidMappings\":[{\"containerID\":0,"
		      "\"hostID\":0,\"size\":1}]}]"),
			"mounts[0] (/m) has only one of uidMappings and gidMappings" },
		{ DOC(",\"hooks\":{\"prestart\":[{\"path\":\"a\"}]}"),
			"hook 'a' is not an absolute path" },
		{ DOC(",\"hostname\":\"h\""),
			"hostname needs a uts namespace of the container's own" },
		{ DOC(",\"hostname\":\"h\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}"), "" },
		{ LINUX("\"namespaces\":[{\"type\":\"uts\",\"path\":\"x\"}]"),
			"the path 'x' of the uts namespace is not absolute" },
		{ LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]"),
			"linux has only one of uidMappings and gidMappings" },
		{ LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}],"
			"\"gidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]"),
			"linux.uidMappings need a user namespace" },
		{ LINUX("\"timeOffsets\":{\"boottime\":{\"secs\":1}},\"namespaces\":[{\"type\":"
			"\"time\",\"path\":\"/x\"}]"),
			"linux.timeOffsets need a new time namespace" },
		{ LINUX("\"maskedPaths\":[\"/x\"]"),
			"linux.maskedPaths and readonlyPaths need a mount namespace" },
		{ LINUX("\"maskedPaths\":[\"x\"],\"namespaces\":[{\"type\":\"mount\"}]"),
			"linux.maskedPaths[0] 'x' is not absolute" },
		{ LINUX("\"devices\":[{\"path\":\"dev/x\",\"type\":\"c\"}]"),
			"linux.devices[0].path 'dev/x' is not absolute" },
		{ LINUX("\"sysctl\":{\"kernel.panic\":\"1\"}"),
			"linux.sysctl: 'kernel.panic' belongs to no namespace, it is the host's" },
		{ LINUX("\"sysctl\":{\"net.a\":\"1\"}"),
			"linux.sysctl: 'net.a' needs a network namespace of the container's own" },
		{ LINUX("\"sysctl\":{\"net.a\":\"1\"},\"namespaces\":[{\"type\":\"network\"}]"),
			"" },
		{ LINUX("\"sysctl\":{\"net/../kernel/panic\":\"1\"}"),
			"linux.sysctl: 'net/../kernel/panic' is not a sysctl" },
		{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}"),
			"linux.seccomp.defaultAction cannot be SCMP_ACT_NOTIFY" },
		{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
			"\"names\":[\"a\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}"),
			"linux.seccomp has SCMP_ACT_NOTIFY and no listenerPath" },
		{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/s\","
			"\"syscalls\":[{\"names\":[\"a\",\"sendmsg\"],\"action\":\"SCMP_ACT_"
			"NOTIFY\"}]}"),
			"linux.seccomp cannot have SCMP_ACT_NOTIFY for 'sendmsg'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_spec *s = NULL;
		struct err err = ERR_INIT;

		CHECK_INT(spec_parse(cases[i].text, strlen(cases[i].text), &s, &err), ==, 0);
		if (!s)
			continue;
		CHECK_INT(spec_check(s, &err), ==, cases[i].error[0] ? -EINVAL : 0);
		CHECK_STR(err.text, cases[i].error);
	}
}

TEST(the_user_must_be_mapped)
{
	static const char text[] =
		DOC(",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"user\":{"
		    "\"uid\":1,\"gid\":0}},\"linux\":{\"namespaces\":[{\"type\":\"user\"}],"
		    "\"uidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":1}],"
		    "\"gidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":1}]}");
	auto_spec *s = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(spec_parse(text, strlen(text), &s, &err), ==, 0);
	CHECK_INT(spec_check(s, &err), ==, -EINVAL);
	CHECK_STR(err.text, "process.user.uid 1 is not in linux.uidMappings");
	s->process->user.uid = 0;
	CHECK_INT(spec_check(s, &err), ==, 0);
	s->process->user.gid = 4;
	CHECK_INT(spec_check(s, &err), ==, -EINVAL);
}

TEST(hostnames_have_the_kernels_limit)
{
	char text[256], name[LIMIT_HOSTNAME + 2];

	for (size_t over = 0; over < 2; over++) {
		auto_spec *s = NULL;

		memset(name, 'h', LIMIT_HOSTNAME + over);
		name[LIMIT_HOSTNAME + over] = '\0';
		snprintf(text, sizeof(text),
			DOC(",\"hostname\":\"%s\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}"),
			name);
		CHECK_INT(spec_parse(text, strlen(text), &s, NULL), ==, 0);
		CHECK_INT(spec_check(s, NULL), ==, over ? -EINVAL : 0);
	}
}

TEST(sysctl_names_become_paths)
{
	static const struct {
		const char *name;
		int want;
		const char *path;
		int ns;
	} cases[] = {
		{ "net.ipv4.ip_forward", 0, "net/ipv4/ip_forward", SPEC_NS_NET },
		{ "net/ipv4/conf/eth0.1/forwarding", 0, "net/ipv4/conf/eth0.1/forwarding",
			SPEC_NS_NET },
		{ "net.ipv4.conf.eth0/1.forwarding", 0, "net/ipv4/conf/eth0.1/forwarding",
			SPEC_NS_NET },
		{ "kernel.shmmax", 0, "kernel/shmmax", SPEC_NS_IPC },
		{ "kernel.shmmaxx", 0, "kernel/shmmaxx", -ENOENT },
		{ "fs.mqueue.queues_max", 0, "fs/mqueue/queues_max", SPEC_NS_IPC },
		{ "kernel.domainname", 0, "kernel/domainname", SPEC_NS_UTS },
		{ "user.max_user_namespaces", 0, "user/max_user_namespaces", SPEC_NS_USER },
		{ "vm.swappiness", 0, "vm/swappiness", -ENOENT },
		{ "", -EINVAL, NULL, 0 },
		{ "net..x", -EINVAL, NULL, 0 },
		{ ".net", -EINVAL, NULL, 0 },
		{ "net.", -EINVAL, NULL, 0 },
		{ "net/../kernel", -EINVAL, NULL, 0 },
		{ "net.//.kernel", -EINVAL, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char path[LIMIT_SYSCTL_PATH + 1];

		CHECK_INT(spec_sysctl_path(cases[i].name, path), ==, cases[i].want);
		if (cases[i].want < 0)
			continue;
		CHECK_STR(path, cases[i].path);
		CHECK_INT(spec_sysctl_ns(path), ==, cases[i].ns);
	}
}
