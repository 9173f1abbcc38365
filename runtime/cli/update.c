/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: update
 *
 *      options of `lamina run` ─▶ resources ─┬▶ cgroup of the running container
 *                                            └▶ its config.json, for the next start
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/run_opts.h"
#include "runtime/ctrcgroup.h"
#include "runtime/spec_json.h"

/* ---- the document ---- */

/* Members of @to that @from has are @from's; the groups of both are merged. */
static int merge(json_t *to, json_t *from)
{
	const char *key;
	json_t *group;

	json_object_foreach (from, key, group) {
		json_t *there = json_object_get(to, key);

		if (json_is_object(there) ? json_object_update(there, group) < 0
					  : json_object_set(to, key, group) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_config(int dirfd, json_t **ret, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = at_read_file(dirfd, "config.json", LIMIT_SPEC_BYTES, &text, &len);

	return r < 0 ? err_set(err, r, "cannot read its configuration")
		     : spec_json_parse(text, len, "its configuration", ret, err);
}

static int write_config(int dirfd, const json_t *doc, struct err *err)
{
	auto_buf text = { 0 };
	int r = spec_json_dump(doc, &text);

	if (r >= 0)
		r = at_replace_file(dirfd, "config.json", text.data, text.len, 0600, 0);
	return r < 0 ? err_set(err, r, "cannot write its configuration") : 0;
}

static int change_config(int dirfd, json_t *resources, struct err *err)
{
	auto_json *doc = NULL;
	json_t *lnx, *there;
	int r = read_config(dirfd, &doc, err);

	if (r < 0)
		return r;
	lnx = json_object_get(doc, "linux");
	there = json_object_get(lnx, "resources");
	if (!json_is_object(there)) {
		there = json_object();
		r = json_object_set_new(lnx, "resources", there) < 0 ? -EBADMSG : 0;
	}
	if (r == 0)
		r = merge(there, resources);
	return r < 0 ? err_set(err, r, "cannot change its configuration")
		     : write_config(dirfd, doc, err);
}

/* ---- the cgroup ---- */

static int change_cgroup(const struct record *rec, const json_t *resources, struct err *err)
{
	auto_fd fd = ctrcgroup_open(rec, err);
	auto_buf text = { 0 };
	auto_spec *spec = NULL;
	int r;

	if (fd < 0)
		return fd;
	r = spec_json_dump(resources, &text);
	if (r < 0)
		return err_set(err, r, "cannot set the limits");
	r = spec_parse_resources(text.data, text.len, &spec, err);
	return r < 0 ? r : cgroup_apply(fd, &spec->resources, err);
}

static int update(struct ctl *ctl, const char *ref, json_t *resources, struct err *err)
{
	auto_control_ctr c = { 0 };
	auto_fd dirfd = -1;
	int r = control_open(&ctl->c, ref, &c, err);

	/* What cannot be set now is not promised for later. */
	if (r >= 0 && state_is_live(c.record.state))
		r = change_cgroup(&c.record, resources, err);
	if (r >= 0)
		r = dirfd = control_open_dir(&ctl->c, c.record.id, err);
	return r < 0 ? r : change_config(dirfd, resources, err);
}

static int run_update(struct cli *cli, void *opts, int argc, char **argv)
{
	struct spec_make_limits limits = { .memory = { 0 } };
	auto_json *resources = NULL;
	struct ctl ctl = CTL_INIT;
	struct err err = ERR_INIT;
	int r = run_plan_limits(opts, &limits, &err);

	if (r >= 0)
		r = spec_make_resources(&limits, &resources, &err);
	if (r >= 0 && json_object_size(resources) == 0)
		r = err_say(&err, -EINVAL, "no limit was named");
	if (r >= 0)
		r = ctl_open(&ctl, cli, 0, &err);
	if (r >= 0)
		r = update(&ctl, argv[0], resources, &err);
	ctl_close(&ctl);
	if (r < 0) {
		err_wrap(&err, r, "cannot update '%s'", argv[0]);
		return cli_fail(&err);
	}
	printf("%s\n", argv[0]);
	return 0;
}

#define STRING(name, letter, field, meta, help)                                                    \
	{                                                                                          \
		name, letter, ARGS_STRING, offsetof(struct run_opts, field), meta, help            \
	}
#define U64(name, letter, field, meta, help)                                                       \
	{                                                                                          \
		name, letter, ARGS_U64, offsetof(struct run_opts, field), meta, help               \
	}

static const struct args_opt update_table[] = {
	U64("cpu-period", 0, cpu_period, "MICROSECONDS", "period of --cpu-quota"),
	U64("cpu-quota", 0, cpu_quota, "MICROSECONDS", "processor time in each period"),
	U64("cpu-shares", 'c', cpu_shares, "N", "weight against others; 1024 is usual"),
	STRING("cpus", 0, cpus, "N", "so many processors' time: 1.5"),
	STRING("cpuset-cpus", 0, cpuset_cpus, "LIST", "these processors alone: 0-2,4"),
	STRING("cpuset-mems", 0, cpuset_mems, "LIST", "these memory nodes alone"),
	STRING("memory", 'm', memory, "SIZE", "limit of memory"),
	STRING("memory-reservation", 0, memory_reservation, "SIZE",
		"memory that others leave to it"),
	STRING("memory-swap", 0, memory_swap, "SIZE", "limit of memory and swap; -1: none"),
	STRING("pids-limit", 0, pids_limit, "N", "limit of processes; -1: none"),
	{ 0 },
};

const struct cli_verb cli_verbs_update[] = {
	{ "update", "[OPTION]… CONTAINER", "change the limits of a container", update_table,
		sizeof(struct run_opts), 1, 1, false, run_update },
	{ 0 },
};
