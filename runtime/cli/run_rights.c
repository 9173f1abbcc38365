/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of `lamina run` allow a container (the contract is in the header). */
#include "runtime/cli/run_opts.h"

#include "base/cleanup.h"
#include "runtime/size.h"
#include "runtime/ulimit.h"

/* ---- rights ---- */

static int plan_ulimits(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	p->rlimits = calloc(o->ulimit.n + 1, sizeof(*p->rlimits));
	if (!p->rlimits)
		return err_set(err, -ENOMEM, "limits");
	for (size_t i = 0; i < o->ulimit.n; i++) {
		int r = ulimit_parse(o->ulimit.v[i], &p->rlimits[p->n_rlimits++], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int split(const char *text, const char *separators, struct strv *ret)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *word;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (word = strsep(&rest, separators)))
		if (word[0])
			r = strv_add(ret, word);
	return r;
}

static int plan_unmask(const char *paths, struct run_plan *p)
{
	if (str_eq(paths, "ALL") || str_eq(paths, "all")) {
		p->flags |= SPEC_MAKE_UNMASK_ALL;
		return 0;
	}
	return split(paths, ":", &p->unmask);
}

static int plan_no_new_privs(
	const char *option, const char *value, struct run_plan *p, struct err *err)
{
	if (*value && !str_eq(value, "true") && !str_eq(value, "false"))
		return err_say(err, -EINVAL, "security option '%s': true or false", option);
	p->flags &= ~(unsigned int)SPEC_MAKE_NO_NEW_PRIVS;
	p->flags |= str_eq(value, "false") ? 0 : SPEC_MAKE_NO_NEW_PRIVS;
	return 0;
}

static int plan_apparmor(const char *profile, struct run_plan *p, struct err *err)
{
	if (str_eq(profile, "unconfined"))
		return 0;
	if (access("/sys/kernel/security/apparmor", F_OK) < 0)
		return err_say(err, -EOPNOTSUPP,
			"security option 'apparmor=%.64s': this machine has no AppArmor", profile);
	free(p->apparmor);
	p->apparmor = strdup(profile);
	return p->apparmor ? 0 : err_set(err, -ENOMEM, "AppArmor profile");
}

/* Without SELinux all labels are the same: none. */
static int plan_label(const char *label, struct err *err)
{
	if (str_eq(label, "disable") || access("/sys/fs/selinux/enforce", F_OK) < 0)
		return 0;
	err_say(err, -EOPNOTSUPP, "security option 'label=%.64s': labels are not set", label);
	return err_hint(err, -EOPNOTSUPP, "--security-opt label=disable");
}

static bool is_key(const char *option, size_t len, const char *key)
{
	return strlen(key) == len && memcmp(option, key, len) == 0;
}

/* KEY=VALUE, or KEY:VALUE as it was once. */
static int plan_security(const char *option, struct run_plan *p, struct err *err)
{
	size_t len = strcspn(option, "=:");
	const char *value = option + len + (option[len] != '\0');

	if (is_key(option, len, "no-new-privileges"))
		return plan_no_new_privs(option, value, p, err);
	if (!*value)
		return err_say(err, -EINVAL, "security option '%s' has no value", option);
	if (is_key(option, len, "seccomp") && str_eq(value, "unconfined")) {
		p->flags |= SPEC_MAKE_NO_SECCOMP;
		return 0;
	}
	if (is_key(option, len, "seccomp")) {
		free(p->seccomp_path);
		p->seccomp_path = strdup(value);
		return p->seccomp_path ? 0 : err_set(err, -ENOMEM, "seccomp profile");
	}
	if (is_key(option, len, "unmask"))
		return plan_unmask(value, p) < 0 ? err_set(err, -ENOMEM, "unmask") : 0;
	if (is_key(option, len, "mask"))
		return split(value, ":", &p->mask) < 0 ? err_set(err, -ENOMEM, "mask") : 0;
	if (is_key(option, len, "proc-opts"))
		return split(value, ",", &p->proc_opts) < 0 ? err_set(err, -ENOMEM, "proc-opts")
							    : 0;
	if (is_key(option, len, "apparmor"))
		return plan_apparmor(value, p, err);
	if (is_key(option, len, "label"))
		return plan_label(value, err);
	return err_say(err, -EINVAL, "unknown security option '%s'", option);
}

/* ---- resources ---- */

static int plan_size(const char *option, const char *text, struct spec_i64 *ret, struct err *err)
{
	uint64_t v;
	int r;

	if (!text)
		return 0;
	ret->set = true;
	ret->v = -1;
	if (str_eq(text, "-1"))
		return 0;
	r = size_parse(option, text, &v, err);
	if (r == 0)
		ret->v = (int64_t)v;
	return r;
}

/* A whole number, or -1. */
static int plan_number(const char *option, const char *text, int64_t min, int64_t max,
	struct spec_i64 *ret, struct err *err)
{
	bool negative = text && text[0] == '-';
	uint64_t v;

	if (!text)
		return 0;
	if (str_to_u64(text + negative, INT32_MAX, &v) < 0 || (negative && -(int64_t)v < min) ||
		(!negative && (int64_t)v > max))
		return err_say(
			err, -EINVAL, "%s: '%.32s' is no number that it takes", option, text);
	*ret = (struct spec_i64){ true, negative ? -(int64_t)v : (int64_t)v };
	return 0;
}

static int plan_cpus(const struct run_opts *o, struct spec_make_limits *l, struct err *err)
{
	int r = 0;

	if (o->cpus && (o->cpu_quota || o->cpu_period))
		return err_say(
			err, -EINVAL, "--cpus and --cpu-quota or --cpu-period exclude each other");
	if (o->cpus) {
		l->cpu_period_us = (struct spec_u64){ true, 100000 };
		l->cpu_quota_us.set = true;
		r = size_parse_decimal("--cpus", o->cpus, 100000, &l->cpu_quota_us.v, err);
	}
	if (o->cpu_quota)
		l->cpu_quota_us = (struct spec_u64){ true, o->cpu_quota };
	if (o->cpu_period)
		l->cpu_period_us = (struct spec_u64){ true, o->cpu_period };
	if (o->cpu_shares)
		l->cpu_shares = (struct spec_u64){ true, o->cpu_shares };
	l->cpuset_cpus = o->cpuset_cpus;
	l->cpuset_mems = o->cpuset_mems;
	l->unified = &o->cgroup_conf;
	return r;
}

int run_plan_limits(const struct run_opts *o, struct spec_make_limits *l, struct err *err)
{
	int r;

	r = plan_size("--memory", o->memory, &l->memory, err);
	if (r == 0)
		r = plan_size("--memory-swap", o->memory_swap, &l->memory_swap, err);
	if (r == 0)
		r = plan_size(
			"--memory-reservation", o->memory_reservation, &l->memory_reservation, err);
	if (r == 0)
		r = plan_number("--pids-limit", o->pids_limit, -1, INT32_MAX, &l->pids, err);
	return r == 0 ? plan_cpus(o, l, err) : r;
}

static int plan_resources(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	int r = run_plan_limits(o, &p->limits, err);

	if (r == 0)
		r = plan_number(
			"--oom-score-adj", o->oom_score_adj, -1000, 1000, &p->oom_score_adj, err);
	if (r == 0 && o->shm_size)
		r = size_parse("--shm-size", o->shm_size, &p->shm_bytes, err);
	return r;
}

int run_plan_rights(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	int r = plan_ulimits(o, p, err);

	for (size_t i = 0; r >= 0 && i < o->security_opt.n; i++)
		r = plan_security(o->security_opt.v[i], p, err);
	return r < 0 ? r : plan_resources(o, p, err);
}
