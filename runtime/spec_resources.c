/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources of config.json: the limits that a cgroup enforces
 *
 * Memory, cpu, pids, device rules and the raw files of cgroup v2 become structs; the rest (blockIO,
 * hugepageLimits, network, rdma) stays in ->json for whoever applies it.
 * Spec: OCI runtime-spec 1.2, config-linux.md, "Control groups".
 */
#include "runtime/spec_json.h"
#include "runtime/spec_read.h"

#include <errno.h>

#define MEM(name) offsetof(struct spec_resources, memory.name)
#define CPU(name) offsetof(struct spec_resources, cpu.name)

static const struct rd_field memory_fields[] = {
	{ "limit", RD_OPT_I64, MEM(limit), INT64_MAX, -1 },
	{ "reservation", RD_OPT_I64, MEM(reservation), INT64_MAX, -1 },
	{ "swap", RD_OPT_I64, MEM(swap), INT64_MAX, -1 },
	/* -1 as 64 bits without sign is how some engines say "as it is". */
	{ "swappiness", RD_OPT_U64, MEM(swappiness), UINT64_MAX },
	{ "disableOOMKiller", RD_BOOL, MEM(disable_oom_killer) },
	{ "checkBeforeUpdate", RD_BOOL, MEM(check_before_update) },
};

static const struct rd_field cpu_fields[] = {
	{ "shares", RD_OPT_U64, CPU(shares), INT64_MAX },
	{ "quota", RD_OPT_I64, CPU(quota), INT64_MAX, -1 },
	{ "period", RD_OPT_U64, CPU(period), INT64_MAX },
	{ "burst", RD_OPT_U64, CPU(burst), INT64_MAX },
	{ "realtimeRuntime", RD_OPT_I64, CPU(rt_runtime), INT64_MAX, -1 },
	{ "realtimePeriod", RD_OPT_U64, CPU(rt_period), INT64_MAX },
	{ "idle", RD_OPT_I64, CPU(idle), 1, 0 },
	{ "cpus", RD_STR, CPU(cpus) },
	{ "mems", RD_STR, CPU(mems) },
};

static const struct rd_field pids_fields[] = {
	{ "limit", RD_OPT_I64, offsetof(struct spec_resources, pids), INT64_MAX, -1 },
};

static const struct rd_field resources_fields[] = {
	{ "unified", RD_PAIRS, offsetof(struct spec_resources, unified), LIMIT_SPEC_PAIRS },
};

static const struct rd_field rule_fields[] = {
	{ "allow", RD_BOOL, offsetof(struct spec_device_rule, allow), .required = true },
	{ "major", RD_OPT_I64, offsetof(struct spec_device_rule, major), UINT32_MAX, -1 },
	{ "minor", RD_OPT_I64, offsetof(struct spec_device_rule, minor), UINT32_MAX, -1 },
	{ "access", RD_STR, offsetof(struct spec_device_rule, access) },
};

static int read_memory(const struct rd *at, void *resources)
{
	return rd_fields(at, memory_fields, ARRAY_SIZE(memory_fields), resources);
}

static int read_cpu(const struct rd *at, void *resources)
{
	return rd_fields(at, cpu_fields, ARRAY_SIZE(cpu_fields), resources);
}

static int read_pids(const struct rd *at, void *resources)
{
	return rd_fields(at, pids_fields, ARRAY_SIZE(pids_fields), resources);
}

static int read_rule(const struct rd *item, void *elem)
{
	static const struct rd_word words[] = { { "a", 'a' }, { "", 'a' }, { "c", 'c' },
		{ "b", 'b' } };
	struct spec_device_rule *rule = elem;
	long type = 'a';
	int r;

	r = rd_fields(item, rule_fields, ARRAY_SIZE(rule_fields), rule);
	if (r == 0)
		r = rd_word(item, "type", words, ARRAY_SIZE(words), &type);
	if (r < 0)
		return r;
	if (rule->access && strspn(rule->access, "rwm") != strlen(rule->access))
		return rd_fail(item, -EINVAL, "has an access that is not made of 'rwm'");
	rule->type = (char)type;
	return 0;
}

static const struct rd_part resources_parts[] = {
	{ "memory", read_memory },
	{ "cpu", read_cpu },
	{ "pids", read_pids },
};

static const struct rd_array rule_array = { "devices", LIMIT_SPEC_DEVICES,
	sizeof(struct spec_device_rule), offsetof(struct spec_resources, devices),
	offsetof(struct spec_resources, n_devices), read_rule };

int spec_read_resources(const struct rd *at, void *spec)
{
	struct spec_resources *res = &((struct spec *)spec)->resources;
	int r;

	res->json = at->j;
	r = rd_fields(at, resources_fields, ARRAY_SIZE(resources_fields), res);
	if (r == 0)
		r = rd_parts(at, resources_parts, ARRAY_SIZE(resources_parts), res);
	return r < 0 ? r : rd_arrays(at, &rule_array, 1, res);
}
