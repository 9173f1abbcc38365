/* SPDX-License-Identifier: Apache-2.0 */
/* lamina-runtime pause, resume, update */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/cgroup.h"
#include "runtime/oci_cgroup.h"
#include "runtime/spec_json.h"

#include <fcntl.h>

struct update_opts {
	const char *resources;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_idle;
	const char *cpu_rt_period, *cpu_rt_runtime, *cpuset_cpus, *cpuset_mems;
	const char *memory, *memory_reservation, *memory_swap, *pids_limit;
	const char *kernel_memory, *kernel_memory_tcp;
};

#define OPT(name, letter, field, meta, help)                                                       \
	{                                                                                          \
		name, letter, ARGS_STRING, offsetof(struct update_opts, field), meta, help         \
	}

static const struct args_opt update_opts[] = {
	OPT("resources", 'r', resources, "FILE", "a resources object of JSON; - is standard input"),
	OPT("blkio-weight", 0, blkio_weight, "N", "I/O weight, 10 to 1000"),
	OPT("cpu-period", 0, cpu_period, "US", "period of the quota"),
	OPT("cpu-quota", 0, cpu_quota, "US", "processor time in a period"),
	OPT("cpu-burst", 0, cpu_burst, "US", "what may be saved up"),
	OPT("cpu-share", 0, cpu_share, "N", "shares, 2 to 262144"),
	OPT("cpu-idle", 0, cpu_idle, "0|1", "run only when nobody else does"),
	OPT("cpu-rt-period", 0, cpu_rt_period, "US", "not with cgroup v2"),
	OPT("cpu-rt-runtime", 0, cpu_rt_runtime, "US", "not with cgroup v2"),
	OPT("cpuset-cpus", 0, cpuset_cpus, "LIST", "processors"),
	OPT("cpuset-mems", 0, cpuset_mems, "LIST", "memory nodes"),
	OPT("memory", 0, memory, "BYTES", "limit; -1: none"),
	OPT("memory-reservation", 0, memory_reservation, "BYTES", "kept from others"),
	OPT("memory-swap", 0, memory_swap, "BYTES", "memory and swap together"),
	OPT("pids-limit", 0, pids_limit, "N", "processes; -1: no limit"),
	OPT("kernel-memory", 0, kernel_memory, "BYTES", "taken, without effect"),
	OPT("kernel-memory-tcp", 0, kernel_memory_tcp, "BYTES", "taken, without effect"),
	{ 0 },
};

/* ---- pause, resume ---- */

static int freeze(struct oci *o, const char *id, enum ctr_state want, struct err *err)
{
	auto_oci_state s = OCI_STATE_INIT;
	auto_fd fd = -1;
	int r = oci_state_read(o, id, &s, err);

	if (r < 0)
		return r;
	if (s.status != want)
		return err_say(err, -EINVAL, "cannot %s container '%s': it is %s",
			want == CTR_RUNNING ? "pause" : "resume", id, state_name(s.status));
	fd = oci_cgroup_need(&s, err);
	return fd < 0 ? fd : cgroup_freeze(fd, want == CTR_RUNNING, err);
}

static int run_pause(struct oci *o, void *opts, char **args, struct err *err)
{
	return freeze(o, args[0], CTR_RUNNING, err);
}

static int run_resume(struct oci *o, void *opts, char **args, struct err *err)
{
	return freeze(o, args[0], CTR_PAUSED, err);
}

/* ---- update ---- */

static int read_resources(const char *path, struct spec **ret, struct err *err)
{
	bool from_stdin = str_eq(path, "-");
	auto_fd fd = from_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	auto_buf text = { 0 };
	char chunk[4096];
	ssize_t n = 0;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot read '%s'", path);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && buf_add(&text, chunk, (size_t)n) < 0)
			return err_set(err, -ENOMEM, "cannot read '%s'", path);
		if (text.len > LIMIT_SPEC_BYTES)
			return err_say(err, -EFBIG, "'%s' is too large", path);
	}
	if (n < 0)
		return err_set(err, -errno, "cannot read '%s'", path);
	r = spec_parse_resources(text.data ? text.data : "", text.len, ret, err);
	return r < 0 ? err_wrap(err, r, "'%s'", path) : 0;
}

static int put(json_t *group, const char *key, const char *text, const char *opt, struct err *err)
{
	bool negative = text && text[0] == '-';
	uint64_t v;

	if (!text)
		return 0;
	if (str_to_u64(text + negative, INT64_MAX, &v) < 0)
		return err_say(err, -EINVAL, "option '--%s' takes a number, not '%s'", opt, text);
	return json_object_set_new(
		       group, key, json_integer(negative ? -(json_int_t)v : (json_int_t)v)) < 0
		       ? -ENOMEM
		       : 0;
}

/* The options as the document that --resources reads. */
static int options_as_json(const struct update_opts *u, json_t **ret, struct err *err)
{
	auto_json *memory = json_object(), *cpu = json_object(), *io = json_object();
	auto_json *pids = json_object();
	const struct {
		json_t *group;
		const char *key, *text, *opt;
	} rows[] = {
		{ io, "weight", u->blkio_weight, "blkio-weight" },
		{ cpu, "period", u->cpu_period, "cpu-period" },
		{ cpu, "quota", u->cpu_quota, "cpu-quota" },
		{ cpu, "burst", u->cpu_burst, "cpu-burst" },
		{ cpu, "shares", u->cpu_share, "cpu-share" },
		{ cpu, "idle", u->cpu_idle, "cpu-idle" },
		{ cpu, "realtimePeriod", u->cpu_rt_period, "cpu-rt-period" },
		{ cpu, "realtimeRuntime", u->cpu_rt_runtime, "cpu-rt-runtime" },
		{ memory, "limit", u->memory, "memory" },
		{ memory, "reservation", u->memory_reservation, "memory-reservation" },
		{ memory, "swap", u->memory_swap, "memory-swap" },
		{ pids, "limit", u->pids_limit, "pids-limit" },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++)
		r = put(rows[i].group, rows[i].key, rows[i].text, rows[i].opt, err);
	if (r < 0)
		return r;
	if (u->cpuset_cpus)
		(void)json_object_set_new(cpu, "cpus", json_string(u->cpuset_cpus));
	if (u->cpuset_mems)
		(void)json_object_set_new(cpu, "mems", json_string(u->cpuset_mems));
	*ret = json_pack(
		"{s:O, s:O, s:O, s:O}", "memory", memory, "cpu", cpu, "blockIO", io, "pids", pids);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot read the options");
}

static int run_update(struct oci *o, void *opts, char **args, struct err *err)
{
	const struct update_opts *u = opts;
	auto_oci_state s = OCI_STATE_INIT;
	auto_spec *spec = NULL;
	auto_json *doc = NULL;
	auto_buf text = { 0 };
	auto_fd fd = -1;
	int r = oci_state_read(o, args[0], &s, err);

	if (r >= 0 && s.status == CTR_STOPPED)
		r = err_say(err, -ESRCH, "container not running: '%s' is stopped", args[0]);
	if (r >= 0 && u->resources)
		r = read_resources(u->resources, &spec, err);
	else if (r >= 0)
		r = options_as_json(u, &doc, err);
	if (r >= 0 && doc) {
		r = spec_json_dump(doc, &text);
		r = r < 0 ? err_set(err, r, "cannot read the options")
			  : spec_parse_resources(text.data, text.len, &spec, err);
	}
	if (r < 0)
		return r;
	if (!cgroup_wants_limits(&spec->resources))
		return 0;
	fd = oci_cgroup_need(&s, err);
	return fd < 0 ? fd : cgroup_apply(fd, &spec->resources, err);
}

const struct oci_verb oci_verb_pause = { "pause", "ID", "freeze all processes", NULL, 0, 1, 1,
	false, run_pause };
const struct oci_verb oci_verb_resume = { "resume", "ID", "let them go on", NULL, 0, 1, 1, false,
	run_resume };
const struct oci_verb oci_verb_update = { "update", "[OPTION]… ID", "change limits", update_opts,
	sizeof(struct update_opts), 1, 1, false, run_update };
