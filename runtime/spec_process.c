/* SPDX-License-Identifier: Apache-2.0 */
/* The "process" member of config.json.  Spec: OCI runtime-spec 1.2, config.md, "Process". */
#include "runtime/caps.h"
#include "runtime/spec_json.h"
#include "runtime/spec_read.h"
#include "runtime/ulimit.h"

#include <errno.h>
#include <sched.h>

#define MAX_UMASK	07777
#define IOPRIO_SHIFT	13
#define MAX_IO_PRIORITY 7 /* IOPRIO_NR_LEVELS - 1 */

static const struct rd_field process_fields[] = {
	{ "terminal", RD_BOOL, offsetof(struct spec_process, terminal) },
	{ "cwd", RD_STR, offsetof(struct spec_process, cwd), .required = true },
	{ "args", RD_LIST, offsetof(struct spec_process, args), LIMIT_SPEC_ARGS },
	{ "env", RD_LIST, offsetof(struct spec_process, env), LIMIT_SPEC_ARGS },
	{ "noNewPrivileges", RD_BOOL, offsetof(struct spec_process, no_new_privs) },
	{ "oomScoreAdj", RD_OPT_I64, offsetof(struct spec_process, oom_score_adj), 1000, -1000 },
	{ "apparmorProfile", RD_STR, offsetof(struct spec_process, apparmor_profile) },
	{ "selinuxLabel", RD_STR, offsetof(struct spec_process, selinux_label) },
};

static const struct rd_field console_fields[] = {
	{ "height", RD_U16, offsetof(struct spec_process, rows), UINT16_MAX, .required = true },
	{ "width", RD_U16, offsetof(struct spec_process, cols), UINT16_MAX, .required = true },
};

static const struct rd_field user_fields[] = {
	{ "uid", RD_U32, offsetof(struct spec_user, uid), LIMIT_SPEC_ID },
	{ "gid", RD_U32, offsetof(struct spec_user, gid), LIMIT_SPEC_ID },
	{ "umask", RD_OPT_U64, offsetof(struct spec_user, umask), MAX_UMASK },
};

static const struct rd_field affinity_fields[] = {
	{ "initial", RD_STR, offsetof(struct spec_process, cpus_initial) },
	{ "final", RD_STR, offsetof(struct spec_process, cpus_final) },
};

static int read_cap_set(const struct rd *obj, const struct rd_field *field, struct spec_caps *caps)
{
	struct rd_field list_field = { field->key, RD_LIST, 0, LIMIT_SPEC_ARGS };
	struct spec_list list = { 0 };
	uint64_t set = 0;
	int r;

	r = rd_fields(obj, &list_field, 1, &list);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		int cap = caps_from_name(list.v[i]);

		if (cap >= 0)
			set |= CAPS_BIT(cap);
		else
			r = rd_warn(obj, "has an unknown capability '%.64s'", list.v[i]);
	}
	if (r < 0)
		return r;
	memcpy((char *)caps + field->offset, &set, sizeof(set));
	return 0;
}

static const struct rd_field cap_fields[] = {
	{ "bounding", RD_LIST, offsetof(struct spec_caps, bounding) },
	{ "effective", RD_LIST, offsetof(struct spec_caps, effective) },
	{ "inheritable", RD_LIST, offsetof(struct spec_caps, inheritable) },
	{ "permitted", RD_LIST, offsetof(struct spec_caps, permitted) },
	{ "ambient", RD_LIST, offsetof(struct spec_caps, ambient) },
};

/* Unknown names are warnings: the specification wants a container of a newer kernel to start. */
static int read_caps(const struct rd *obj, void *process)
{
	struct spec_caps *caps = &((struct spec_process *)process)->caps;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(cap_fields); i++) {
		r = read_cap_set(obj, &cap_fields[i], caps);
		if (r < 0)
			return r;
	}
	caps->set = true;
	return 0;
}

static const struct rd_field rlimit_fields[] = {
	{ "type", RD_STR, offsetof(struct spec_rlimit, name), .required = true },
	{ "soft", RD_U64, offsetof(struct spec_rlimit, soft), UINT64_MAX, .required = true },
	{ "hard", RD_U64, offsetof(struct spec_rlimit, hard), UINT64_MAX, .required = true },
};

static int read_rlimit(const struct rd *item, void *elem)
{
	struct spec_rlimit *limit = elem;
	int r;

	r = rd_fields(item, rlimit_fields, ARRAY_SIZE(rlimit_fields), limit);
	if (r < 0)
		return r;
	limit->resource = ulimit_resource(limit->name);
	if (limit->resource < 0)
		return rd_fail(
			item, -EINVAL, "has the type '%.64s', which is not known", limit->name);
	return 0;
}

static const struct rd_word policy_words[] = {
	{ "SCHED_OTHER", SCHED_OTHER },
	{ "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
};

/* sched(7); the values are the kernel's (linux/sched.h clashes with sched.h). */
static const struct rd_word sched_flag_words[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", 0x01 },
	{ "SCHED_FLAG_RECLAIM", 0x02 },
	{ "SCHED_FLAG_DL_OVERRUN", 0x04 },
	{ "SCHED_FLAG_KEEP_POLICY", 0x08 },
	{ "SCHED_FLAG_KEEP_PARAMS", 0x10 },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
};

static const struct rd_field scheduler_fields[] = {
	{ "nice", RD_I32, offsetof(struct spec_scheduler, nice), 19, -20 },
	{ "priority", RD_I32, offsetof(struct spec_scheduler, priority), 99, 0 },
	{ "runtime", RD_U64, offsetof(struct spec_scheduler, runtime), INT64_MAX },
	{ "deadline", RD_U64, offsetof(struct spec_scheduler, deadline), INT64_MAX },
	{ "period", RD_U64, offsetof(struct spec_scheduler, period), INT64_MAX },
};

static int read_scheduler(const struct rd *obj, void *process)
{
	struct spec_scheduler *s = &((struct spec_process *)process)->scheduler;
	long policy = 0;
	int r;

	r = rd_word(obj, "policy", policy_words, ARRAY_SIZE(policy_words), &policy);
	if (r == 0)
		return rd_fail(obj, -EINVAL, "has no 'policy'");
	if (r > 0)
		r = rd_fields(obj, scheduler_fields, ARRAY_SIZE(scheduler_fields), s);
	if (r == 0)
		r = rd_flags(
			obj, "flags", sched_flag_words, ARRAY_SIZE(sched_flag_words), &s->flags);
	s->policy = (int)policy;
	s->set = true;
	return r;
}

static const struct rd_word io_class_words[] = {
	{ "IOPRIO_CLASS_RT", 1 },
	{ "IOPRIO_CLASS_BE", 2 },
	{ "IOPRIO_CLASS_IDLE", 3 },
};

static int read_io_priority(const struct rd *obj, void *process)
{
	static const struct rd_field field = { "priority", RD_U32, 0, MAX_IO_PRIORITY };
	uint32_t priority = 0;
	long class = 0;
	int r;

	r = rd_word(obj, "class", io_class_words, ARRAY_SIZE(io_class_words), &class);
	if (r == 0)
		return rd_fail(obj, -EINVAL, "has no 'class'");
	if (r > 0)
		r = rd_fields(obj, &field, 1, &priority);
	if (r < 0)
		return r;
	((struct spec_process *)process)->io_priority =
		(struct spec_i64){ true, class << IOPRIO_SHIFT | priority };
	return 0;
}

static int read_console(const struct rd *obj, void *process)
{
	return rd_fields(obj, console_fields, ARRAY_SIZE(console_fields), process);
}

static int read_affinity(const struct rd *obj, void *process)
{
	return rd_fields(obj, affinity_fields, ARRAY_SIZE(affinity_fields), process);
}

static int read_user(const struct rd *obj, void *process)
{
	struct spec_user *u = &((struct spec_process *)process)->user;
	int r;

	r = rd_fields(obj, user_fields, ARRAY_SIZE(user_fields), u);
	return r < 0 ? r : rd_ids(obj, "additionalGids", &u->gids, &u->n_gids);
}

static const struct rd_part process_parts[] = {
	{ "consoleSize", read_console },
	{ "user", read_user },
	{ "capabilities", read_caps },
	{ "scheduler", read_scheduler },
	{ "ioPriority", read_io_priority },
	{ "execCPUAffinity", read_affinity },
};

static const struct rd_array process_arrays[] = {
	{ "rlimits", LIMIT_SPEC_RLIMITS, sizeof(struct spec_rlimit),
		offsetof(struct spec_process, rlimits), offsetof(struct spec_process, n_rlimits),
		read_rlimit },
};

int spec_read_process(const struct rd *obj, void *process)
{
	int r;

	r = rd_fields(obj, process_fields, ARRAY_SIZE(process_fields), process);
	if (r == 0)
		r = rd_parts(obj, process_parts, ARRAY_SIZE(process_parts), process);
	return r < 0 ? r : rd_arrays(obj, process_arrays, ARRAY_SIZE(process_arrays), process);
}
