/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as files of cgroup v2
 *
 *      resources --plan--> list of (controller, file, text) --> writes, in that order
 *
 * The specification speaks the language of version 1; what version 2 counts differently is
 * converted as other runtimes do.  What it cannot express is an error, never dropped.
 * Spec: OCI runtime-spec 1.2, config-linux.md, "Control groups"; kernel cgroup-v2.rst
 */
#include "runtime/cgroup.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/cgroup_plan.h"
#include "runtime/spec_json.h"

#include <fcntl.h>
#include <inttypes.h>

void cgroup_plan_done(struct cgroup_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].file);
		free(p->v[i].text);
	}
	free(p->v);
	memset(p, 0, sizeof(*p));
}

/* @file and @text become the plan's; NULL is out of memory. */
static int plan_take(struct cgroup_plan *p, char *file, char *text)
{
	struct cgroup_write *more = reallocarray(p->v, p->n + 1, sizeof(*more));

	if (more)
		p->v = more;
	if (!more || !file || !text) {
		free(file);
		free(text);
		return -ENOMEM;
	}
	more[p->n++] = (struct cgroup_write){ file, text };
	return 0;
}

static int plan_i64(struct cgroup_plan *p, const char *file, int64_t v)
{
	return plan_take(p, strdup(file), v < 0 ? strdup("max") : str_format("%" PRId64, v));
}

static int refuse(const char *what, struct err *err)
{
	return err_say(err, -EOPNOTSUPP, "linux.resources.%s: cgroup v2 has nothing like it", what);
}

/* ---- memory ---- */

static int plan_memory(struct cgroup_plan *p, const struct spec_resources *res, struct err *err)
{
	const struct spec_i64 *limit = &res->memory.limit, *swap = &res->memory.swap;
	int r = 0;

	/* All ones is how some engines say "as it is". */
	if (res->memory.swappiness.set && res->memory.swappiness.v != UINT64_MAX)
		return refuse("memory.swappiness", err);
	if (res->memory.disable_oom_killer)
		return refuse("memory.disableOOMKiller", err);
	if (limit->set && limit->v != 0)
		r = plan_i64(p, "memory.max", limit->v);
	/* Version 1 counts memory and swap together, version 2 swap alone. */
	if (r >= 0 && swap->set && swap->v != 0) {
		if (swap->v > 0 && (!limit->set || limit->v <= 0 || limit->v > swap->v))
			return err_say(err, -EINVAL,
				"linux.resources.memory.swap is memory and swap together, so it "
				"needs a memory.limit that is not larger");
		r = plan_i64(p, "memory.swap.max", swap->v < 0 ? -1 : swap->v - limit->v);
	}
	if (r >= 0 && res->memory.reservation.set && res->memory.reservation.v != 0)
		r = plan_i64(p, "memory.low", res->memory.reservation.v);
	return r;
}

/* ---- cpu ---- */

/* 2…262144 shares are 1…10000 of weight. */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	if (shares < 2)
		shares = 2;
	if (shares > 262144)
		shares = 262144;
	return 1 + (shares - 2) * 9999 / 262142;
}

static int plan_cpu(struct cgroup_plan *p, const struct spec_resources *res, struct err *err)
{
	const struct spec_i64 *quota = &res->cpu.quota;
	const struct spec_u64 *period = &res->cpu.period;
	uint64_t period_us = period->set && period->v > 0 ? period->v : 100000;
	int r = 0;

	if ((res->cpu.rt_period.set && res->cpu.rt_period.v) ||
		(res->cpu.rt_runtime.set && res->cpu.rt_runtime.v))
		return refuse("cpu.realtimePeriod and realtimeRuntime", err);
	if (res->cpu.shares.set && res->cpu.shares.v > 0)
		r = plan_i64(p, "cpu.weight", (int64_t)cgroup_weight_of_shares(res->cpu.shares.v));
	if (r >= 0 && ((quota->set && quota->v != 0) || (period->set && period->v > 0)))
		r = plan_take(p, strdup("cpu.max"),
			quota->set && quota->v > 0
				? str_format("%" PRId64 " %" PRIu64, quota->v, period_us)
				: str_format("max %" PRIu64, period_us));
	if (r >= 0 && res->cpu.burst.set)
		r = plan_i64(p, "cpu.max.burst", (int64_t)res->cpu.burst.v);
	if (r >= 0 && res->cpu.idle.set)
		r = plan_i64(p, "cpu.idle", res->cpu.idle.v);
	if (r >= 0 && res->cpu.cpus && res->cpu.cpus[0])
		r = plan_take(p, strdup("cpuset.cpus"), strdup(res->cpu.cpus));
	if (r >= 0 && res->cpu.mems && res->cpu.mems[0])
		r = plan_take(p, strdup("cpuset.mems"), strdup(res->cpu.mems));
	return r;
}

/* ---- what is left as JSON: block devices, huge pages, RDMA ---- */

static int get_u64(const json_t *obj, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(obj, key);

	return v && !json_is_null(v) ? spec_json_u64(v, ret) : -ENOENT;
}

/* 10…1000 of version 1 are 1…10000. */
static uint64_t io_weight(uint64_t weight)
{
	return weight <= 10 ? 1 : weight >= 1000 ? 10000 : 1 + (weight - 10) * 9999 / 990;
}

static int plan_throttle(
	struct cgroup_plan *p, const json_t *list, const char *word, struct err *err)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		uint64_t major, minor, rate;
		int r;

		if (get_u64(item, "major", &major) < 0 || get_u64(item, "minor", &minor) < 0 ||
			get_u64(item, "rate", &rate) < 0)
			return err_say(err, -EINVAL,
				"linux.resources.blockIO: a throttle needs major, minor and rate");
		r = plan_take(p, strdup("io.max"),
			rate ? str_format("%" PRIu64 ":%" PRIu64 " %s=%" PRIu64, major, minor, word,
				       rate)
			     : str_format("%" PRIu64 ":%" PRIu64 " %s=max", major, minor, word));
		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_io(struct cgroup_plan *p, const json_t *io, struct err *err)
{
	static const struct {
		const char *key, *word;
	} throttles[] = { { "throttleReadBpsDevice", "rbps" }, { "throttleWriteBpsDevice", "wbps" },
		{ "throttleReadIOPSDevice", "riops" }, { "throttleWriteIOPSDevice", "wiops" } };
	uint64_t weight, major, minor;
	json_t *item;
	size_t i;
	int r = 0;

	if (get_u64(io, "leafWeight", &weight) == 0 && weight > 0)
		return refuse("blockIO.leafWeight", err);
	if (get_u64(io, "weight", &weight) == 0 && weight > 0)
		r = plan_take(
			p, strdup("io.weight"), str_format("default %" PRIu64, io_weight(weight)));
	json_array_foreach (json_object_get(io, "weightDevice"), i, item) {
		if (r < 0 || get_u64(item, "weight", &weight) < 0 || weight == 0)
			continue;
		if (get_u64(item, "major", &major) < 0 || get_u64(item, "minor", &minor) < 0)
			return err_say(err, -EINVAL,
				"linux.resources.blockIO.weightDevice needs major and minor");
		r = plan_take(p, strdup("io.weight"),
			str_format("%" PRIu64 ":%" PRIu64 " %" PRIu64, major, minor,
				io_weight(weight)));
	}
	for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(throttles); k++)
		r = plan_throttle(p, json_object_get(io, throttles[k].key), throttles[k].word, err);
	return r;
}

static bool is_file_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/');
}

static int plan_hugetlb(struct cgroup_plan *p, const json_t *list, struct err *err)
{
	json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach (list, i, item) {
		const char *size = json_get_str(item, "pageSize");
		uint64_t limit;
		char *file;

		if (r < 0 || !size || !is_file_name(size) || get_u64(item, "limit", &limit) < 0)
			return r < 0 ? r
				     : err_say(err, -EINVAL,
					       "linux.resources.hugepageLimits[%zu] needs pageSize "
					       "and limit",
					       i);
		file = str_format("hugetlb.%s.max", size);
		r = plan_take(
			p, file, limit > INT64_MAX ? strdup("max") : str_format("%" PRIu64, limit));
	}
	return r;
}

static int plan_rdma(struct cgroup_plan *p, const json_t *devices)
{
	const char *name;
	json_t *item;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)devices, name, item) {
		auto_buf text = { 0 };
		uint64_t v;

		r = buf_add_str(&text, name);
		if (r >= 0 && get_u64(item, "hcaHandles", &v) == 0)
			r = buf_printf(&text, " hca_handle=%" PRIu64, v);
		if (r >= 0 && get_u64(item, "hcaObjects", &v) == 0)
			r = buf_printf(&text, " hca_object=%" PRIu64, v);
		if (r >= 0)
			r = plan_take(p, strdup("rdma.max"), buf_take(&text));
		if (r < 0)
			break;
	}
	return r;
}

static int plan_json(struct cgroup_plan *p, const json_t *res, struct err *err)
{
	const json_t *net = json_object_get(res, "network");
	uint64_t v;
	int r;

	if ((get_u64(net, "classID", &v) == 0 && v > 0) ||
		json_array_size(json_object_get(net, "priorities")) > 0)
		return refuse("network", err);
	r = plan_io(p, json_object_get(res, "blockIO"), err);
	if (r >= 0)
		r = plan_hugetlb(p, json_object_get(res, "hugepageLimits"), err);
	return r < 0 ? r : plan_rdma(p, json_object_get(res, "rdma"));
}

/* ---- all of it ---- */

int cgroup_plan_make(const struct spec_resources *res, struct cgroup_plan *p, struct err *err)
{
	int r = plan_memory(p, res, err);

	if (r >= 0)
		r = plan_cpu(p, res, err);
	if (r >= 0 && res->pids.set)
		r = plan_i64(p, "pids.max", res->pids.v > 0 ? res->pids.v : -1);
	if (r >= 0)
		r = plan_json(p, res->json, err);
	/* The raw files last: they have the last word. */
	for (size_t i = 0; r >= 0 && i < res->unified.n; i++) {
		if (!is_file_name(res->unified.v[i].key))
			return err_say(err, -EINVAL, "linux.resources.unified: '%s' is no file",
				res->unified.v[i].key);
		r = plan_take(p, strdup(res->unified.v[i].key), strdup(res->unified.v[i].value));
	}
	return r == -ENOMEM ? err_set(err, r, "cannot plan the limits") : r;
}

bool cgroup_wants_limits(const struct spec_resources *res)
{
	struct cgroup_plan p = { 0 };
	/* What cannot be planned is told by whoever applies it. */
	bool wants = cgroup_plan_make(res, &p, NULL) < 0 || p.n > 0;

	for (size_t i = 0; wants && i < p.n; i++)
		if (!str_eq(p.v[i].text, "max"))
			break;
		else if (i + 1 == p.n)
			wants = false; /* no limit needs no controller */
	cgroup_plan_done(&p);
	return wants;
}

static int missing(int fd, const struct cgroup_write *w, struct err *err)
{
	auto_free char *have = NULL;
	int len = (int)strcspn(w->file, ".");

	if (cgroup_read(fd, "cgroup.controllers", &have) < 0)
		have = strdup("");
	if (have)
		have[strcspn(have, "\n")] = '\0';
	err_say(err, -EOPNOTSUPP,
		"cannot set %s to '%s': the controller '%.*s' is not delegated (there %s: '%s')",
		w->file, w->text, len, w->file, have && strchr(have, ' ') ? "are" : "is",
		have ? have : "");
	return err_hint(err, -EOPNOTSUPP,
		"as root, put 'Delegate=cpu cpuset io memory pids' below [Service] into "
		"/etc/systemd/system/user@.service.d/delegate.conf and log in again");
}

int cgroup_apply(int fd, const struct spec_resources *res, struct err *err)
{
	struct cgroup_plan p = { 0 };
	int r = cgroup_plan_make(res, &p, err);

	for (size_t i = 0; r >= 0 && i < p.n; i++) {
		const struct cgroup_write *w = &p.v[i];
		auto_fd file = at_open(fd, w->file, O_WRONLY, 0);

		if (file == -ENOENT && str_eq(w->text, "max"))
			continue;
		if (file == -ENOENT && str_eq(w->file, "memory.swap.max"))
			continue; /* a kernel that does not count swap */
		if (file == -ENOENT)
			r = missing(fd, w, err);
		else
			r = file < 0 ? file : fd_write_all(file, w->text, strlen(w->text));
		if (r < 0 && file != -ENOENT)
			err_set(err, r, "cannot set %s to '%s'", w->file, w->text);
	}
	cgroup_plan_done(&p);
	return r;
}
