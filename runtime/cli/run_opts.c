/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `lamina run` (the contract is in the header). */
#include "runtime/cli/run_opts.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/size.h"
#include "runtime/spec_env.h"
#include "runtime/netmode.h"
#include "runtime/ulimit.h"

#include <fcntl.h>
#include <limits.h>

#define FLAG(name, letter, field, help)                                                            \
	{                                                                                          \
		name, letter, ARGS_FLAG, offsetof(struct run_opts, field), NULL, help              \
	}
#define STRING(name, letter, field, meta, help)                                                    \
	{                                                                                          \
		name, letter, ARGS_STRING, offsetof(struct run_opts, field), meta, help            \
	}
#define U64(name, letter, field, meta, help)                                                       \
	{                                                                                          \
		name, letter, ARGS_U64, offsetof(struct run_opts, field), meta, help               \
	}
#define REFUSED(name, instead)                                                                     \
	{                                                                                          \
		name, 0, ARGS_REFUSED, 0, NULL, instead                                            \
	}
#define LIST(name, letter, field, meta, help)                                                      \
	{                                                                                          \
		name, letter, ARGS_LIST, offsetof(struct run_opts, field), meta, help              \
	}

const struct args_opt run_opts_table[] = {
	LIST("add-host", 0, add_host, "NAME:ADDRESS", "a line for /etc/hosts"),
	LIST("annotation", 0, annotation, "NAME=VALUE", "an annotation of the configuration"),
	LIST("cap-add", 0, cap_add, "CAP", "a capability more, or 'all'"),
	LIST("cap-drop", 0, cap_drop, "CAP", "a capability less, or 'all'"),
	STRING("cgroups", 0, cgroups, "enabled|disabled", "whether a cgroup is made; enabled"),
	STRING("cidfile", 0, cidfile, "FILE", "write the container's id there"),
	U64("cpu-period", 0, cpu_period, "MICROSECONDS", "period of --cpu-quota"),
	U64("cpu-quota", 0, cpu_quota, "MICROSECONDS", "processor time in each period"),
	U64("cpu-shares", 0, cpu_shares, "N", "weight against others; 1024 is usual"),
	STRING("cpus", 0, cpus, "N", "so many processors' time: 1.5"),
	STRING("cpuset-cpus", 0, cpuset_cpus, "LIST", "these processors alone: 0-2,4"),
	STRING("cpuset-mems", 0, cpuset_mems, "LIST", "these memory nodes alone"),
	FLAG("detach", 'd', detach, "let it run in the background, print its id"),
	STRING("detach-keys", 0, detach_keys, "KEYS", "keys that leave it running; ctrl-p,ctrl-q"),
	LIST("device", 0, device, "HOST[:PATH][:rwm]", "show a device of the host"),
	LIST("dns", 0, dns, "ADDRESS", "name server, instead of the network's own"),
	STRING("entrypoint", 0, entrypoint, "CMD", "instead of the image's"),
	LIST("env", 'e', env, "NAME[=VALUE]", "set an environment variable, or pass one on"),
	LIST("env-file", 0, env_file, "FILE", "read environment variables from a file"),
	FLAG("env-host", 0, env_host, "pass the caller's environment on"),
	LIST("group-add", 0, group_add, "GROUP", "a supplementary group more"),
	STRING("hostname", 'h', hostname, "NAME", "instead of the container's id"),
	FLAG("interactive", 'i', interactive, "keep stdin open"),
	STRING("ip", 0, ip, "ADDRESS", "IPv4 address in the network"),
	STRING("ipc", 0, ipc, "private|host", "namespace of shared memory and queues"),
	LIST("label", 'l', label, "NAME=VALUE", "a label of the container"),
	STRING("log-driver", 0, log_driver, "file|none|passthrough", "where its output goes"),
	LIST("log-opt", 0, log_opt, "max-size=SIZE", "when a log is put aside; 0: never"),
	STRING("mac-address", 0, mac_address, "MAC", "of the interface in the network"),
	STRING("memory", 'm', memory, "SIZE", "limit of memory"),
	STRING("memory-reservation", 0, memory_reservation, "SIZE",
		"what it may keep under pressure"),
	STRING("memory-swap", 0, memory_swap, "SIZE", "limit of memory and swap; -1: none"),
	LIST("mount", 0, mount, "type=TYPE,src=SRC,dst=DST,…", "mount a directory or a tmpfs"),
	STRING("name", 0, name, "NAME", "instead of the container's id"),
	LIST("network", 0, network, "none|host|slirp[:…]|NAME[:…]", "default: slirp"),
	LIST("network-alias", 0, network_alias, "NAME", "a name more in the network"),
	STRING("oom-score-adj", 0, oom_score_adj, "N",
		"-1000 to 1000: the more, the sooner killed"),
	STRING("pid", 0, pid, "private|host", "namespace of processes"),
	STRING("pidfile", 0, pidfile, "FILE", "write the process id of its first process there"),
	STRING("pids-limit", 0, pids_limit, "N", "limit of processes; -1: none"),
	U64("preserve-fds", 0, preserve_fds, "N", "pass N files on, from number 3"),
	FLAG("privileged", 0, privileged, "all capabilities, nothing masked, no filter"),
	LIST("publish", 'p', publish, "[[ADDRESS:][PORT]:]PORT[/udp]",
		"publish a port on the host"),
	STRING("pull", 0, pull, "missing|always|never", "when to pull the image; missing"),
	FLAG("read-only", 0, read_only, "the root file system cannot be written"),
	FLAG("replace", 0, replace, "remove the container that has the name"),
	FLAG("rm", 0, rm, "remove the container when it ends"),
	FLAG("rootfs", 0, rootfs, "IMAGE is a directory that holds a root file system"),
	LIST("security-opt", 0, security_opt, "OPTION",
		"no-new-privileges[=false], seccomp=unconfined|FILE, unmask=ALL|PATH:…"),
	STRING("shm-size", 0, shm_size, "SIZE", "of /dev/shm; 65536000 bytes"),
	STRING("stop-signal", 0, stop_signal, "SIGNAL", "instead of the image's"),
	STRING("stop-timeout", 0, stop_timeout, "SECONDS", "how long 'lamina stop' waits; 10"),
	LIST("sysctl", 0, sysctl, "NAME=VALUE", "a kernel setting of the container's namespaces"),
	U64("timeout", 0, timeout, "SECONDS", "kill it after that time"),
	LIST("tmpfs", 0, tmpfs, "PATH[:OPTIONS]", "mount a tmpfs"),
	FLAG("tty", 't', tty, "give the container a terminal"),
	STRING("tz", 0, tz, "ZONE", "time zone: Europe/Berlin, or local"),
	LIST("ulimit", 0, ulimit, "NAME=SOFT[:HARD]", "a resource limit"),
	STRING("umask", 0, umask, "MODE", "mask for new files; 0022"),
	STRING("user", 'u', user, "USER[:GROUP]", "instead of the image's"),
	STRING("userns", 0, userns, "host|keep-id|nomap", "how users lie on those of the host"),
	STRING("uts", 0, uts, "private|host", "namespace of the host name"),
	LIST("volume", 'v', volume, "[HOST|NAME:]PATH[:OPTIONS]",
		"mount a directory or file of the host, or a volume"),
	STRING("workdir", 'w', workdir, "PATH", "instead of the image's"),
	REFUSED("health-cmd", "there are no health checks: run one by 'lamina exec'"),
	REFUSED("pod", "there are no pods: --network NAME joins containers"),
	REFUSED("restart", "a service manager restarts what ends: systemd's Restart="),
	REFUSED("sdnotify",
		"the container's own, by -v $NOTIFY_SOCKET:$NOTIFY_SOCKET -e NOTIFY_SOCKET"),
	REFUSED("secret", "-v FILE:/run/secrets/NAME:ro"),
	REFUSED("systemd", "--tmpfs /run --tmpfs /tmp, and the image's /sbin/init"),
	{ 0 },
};

static int plan_env(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	for (char **e = environ; o->env_host && *e; e++)
		if (strchr(*e, '=') && env_set(&p->env, *e) < 0)
			return err_set(err, -ENOMEM, "environment");
	for (size_t i = 0; i < o->env_file.n; i++) {
		auto_fd fd = open(o->env_file.v[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		auto_free char *text = NULL;
		size_t len;
		int r = fd < 0 ? -errno : fd_read_file(fd, LIMIT_ENV_FILE_BYTES, &text, &len);

		if (r < 0)
			return err_set(err, r, "cannot read '%s'", o->env_file.v[i]);
		r = env_add_file(&p->env, text, len, environ, err);
		if (r < 0)
			return err_wrap(err, r, "'%s'", o->env_file.v[i]);
	}
	for (size_t i = 0; i < o->env.n; i++) {
		int r = env_add_option(&p->env, o->env.v[i], environ, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- volumes ---- */

/* What a person means by a path, from their working directory. */
static int make_source_absolute(struct volume *v, struct err *err)
{
	char *real;

	if (v->flags & (VOLUME_CHOWN | VOLUME_OVERLAY))
		return err_say(err, -EOPNOTSUPP, "volume for '%s': 'U' and 'O' are not supported",
			v->dest);
	/* Those of the store are made when the container is. */
	if (v->type != VOLUME_BIND)
		return 0;
	real = realpath(v->source, NULL);
	if (!real)
		return err_set(err, -errno, "volume '%s'", v->source);
	free(v->source);
	v->source = real;
	return 0;
}

static int plan_volumes(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	const struct {
		const struct strv *texts;
		int (*parse)(const char *text, struct volume *ret, struct err *err);
	} kinds[] = { { &o->volume, volume_parse }, { &o->mount, volume_parse_mount },
		{ &o->tmpfs, volume_parse_tmpfs }, { &o->device, volume_parse_device } };

	p->volumes = calloc(
		o->volume.n + o->mount.n + o->tmpfs.n + o->device.n + 2, sizeof(*p->volumes));
	if (!p->volumes)
		return err_set(err, -ENOMEM, "volumes");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < kinds[k].texts->n; i++) {
			struct volume *v = &p->volumes[p->n_volumes];
			int r = kinds[k].parse(kinds[k].texts->v[i], v, err);

			if (r < 0)
				return r;
			p->n_volumes++;
			r = make_source_absolute(v, err);
			if (r < 0)
				return r;
		}
	return 0;
}

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

static int plan_unmask(const char *paths, struct run_plan *p)
{
	auto_free char *copy = strdup(paths);
	char *rest = copy, *path;

	if (!copy)
		return -ENOMEM;
	if (str_eq(paths, "ALL") || str_eq(paths, "all")) {
		p->flags |= SPEC_MAKE_UNMASK_ALL;
		return 0;
	}
	while ((path = strsep(&rest, ":")))
		if (strv_add(&p->unmask, path) < 0)
			return -ENOMEM;
	return 0;
}

static int plan_security(const char *option, struct run_plan *p, struct err *err)
{
	const char *value = option + strcspn(option, "=:");
	size_t len = (size_t)(value - option);

	value += *value != '\0';
	if (strncmp(option, "no-new-privileges", len) == 0 && len == 17) {
		if (*value && !str_eq(value, "true") && !str_eq(value, "false"))
			return err_say(err, -EINVAL, "security option '%s': true or false", option);
		p->flags &= ~(unsigned int)SPEC_MAKE_NO_NEW_PRIVS;
		p->flags |= str_eq(value, "false") ? 0 : SPEC_MAKE_NO_NEW_PRIVS;
		return 0;
	}
	if (str_eq(option, "seccomp=unconfined")) {
		p->flags |= SPEC_MAKE_NO_SECCOMP;
		return 0;
	}
	if (str_starts(option, "seccomp=")) {
		free(p->seccomp_path);
		p->seccomp_path = strdup(value);
		return p->seccomp_path ? 0 : err_set(err, -ENOMEM, "seccomp profile");
	}
	if (str_starts(option, "unmask="))
		return plan_unmask(value, p) < 0 ? err_set(err, -ENOMEM, "unmask") : 0;
	/* Labels mean nothing where no SELinux policy is enforced on containers of ours. */
	if (str_eq(option, "label=disable") || str_eq(option, "label:disable"))
		return 0;
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
	return r;
}

static int plan_resources(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	struct spec_make_limits *l = &p->limits;
	int r;

	r = plan_size("--memory", o->memory, &l->memory, err);
	if (r == 0)
		r = plan_size("--memory-swap", o->memory_swap, &l->memory_swap, err);
	if (r == 0)
		r = plan_size(
			"--memory-reservation", o->memory_reservation, &l->memory_reservation, err);
	if (r == 0)
		r = plan_number("--pids-limit", o->pids_limit, -1, INT32_MAX, &l->pids, err);
	if (r == 0)
		r = plan_number(
			"--oom-score-adj", o->oom_score_adj, -1000, 1000, &p->oom_score_adj, err);
	if (r == 0)
		r = plan_cpus(o, l, err);
	if (r == 0 && o->shm_size)
		r = size_parse("--shm-size", o->shm_size, &p->shm_bytes, err);
	return r;
}

/* ---- who and where ---- */

static int plan_umask(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	const char *s = o->umask;

	if (!s)
		return 0;
	if (!*s || strlen(s) > 5 || strspn(s, "01234567") != strlen(s) ||
		strtoul(s, NULL, 8) > 0777)
		return err_say(err, -EINVAL, "--umask takes an octal mode, not '%.16s'", s);
	p->umask = (struct spec_u64){ true, strtoul(s, NULL, 8) };
	return 0;
}

/* The host's file of the zone, which takes the place of the image's. */
static int plan_timezone(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	auto_free char *path = NULL;
	struct volume *v = &p->volumes[p->n_volumes];

	if (!o->tz)
		return 0;
	if (strstr(o->tz, "..") || o->tz[0] == '/')
		return err_say(err, -EINVAL, "--tz '%.64s' is no time zone", o->tz);
	path = str_eq(o->tz, "local") ? strdup("/etc/localtime")
				      : str_format("/usr/share/zoneinfo/%s", o->tz);
	if (!path)
		return err_set(err, -ENOMEM, "time zone");
	v->type = VOLUME_BIND;
	v->source = realpath(path, NULL);
	if (!v->source)
		return err_set(err, -errno, "time zone '%s'", o->tz);
	v->dest = strdup("/etc/localtime");
	if (!v->dest || strv_add(&v->options, "bind") < 0 || strv_add(&v->options, "ro") < 0) {
		volume_done(v);
		return err_set(err, -ENOMEM, "time zone");
	}
	v->read_only = true;
	p->n_volumes++;
	return 0;
}

static int check_namespace(const char *option, const char *value, struct err *err)
{
	if (!value || str_eq(value, "host") || str_eq(value, "private"))
		return 0;
	if (str_eq(option, "--ipc") && str_eq(value, "shareable"))
		return 0;
	err_say(err, -EOPNOTSUPP, "%s %.64s: not supported", option, value);
	return err_hint(err, -EOPNOTSUPP, "%s host or private", option);
}

static int plan_users(
	const struct run_opts *o, struct run_plan *p, struct ctropts *c, struct err *err)
{
	int r;

	r = usernsmode_parse(o->userns, getuid(), getgid(), &p->userns, err);
	if (r == 0 && o->userns && !(c->userns = usernsmode_text(&p->userns)))
		r = err_set(err, -ENOMEM, "options");
	for (size_t i = 0; r == 0 && i < o->group_add.n; i++) {
		if (str_eq(o->group_add.v[i], "keep-groups"))
			c->keep_groups = true;
		else if (strv_add(&p->groups, o->group_add.v[i]) < 0)
			r = err_set(err, -ENOMEM, "groups");
	}
	if (r == 0 && c->keep_groups && p->groups.n > 0)
		r = err_say(err, -EINVAL, "--group-add keep-groups stands alone");
	if (r == 0)
		r = check_namespace("--pid", o->pid, err);
	if (r == 0)
		r = check_namespace("--ipc", o->ipc, err);
	if (r == 0)
		r = check_namespace("--uts", o->uts, err);
	if (r == 0 && o->pull && !str_eq(o->pull, "missing") && !str_eq(o->pull, "always") &&
		!str_eq(o->pull, "never"))
		r = err_say(
			err, -EINVAL, "--pull '%.32s' is not missing, always or never", o->pull);
	if (r == 0 && o->cgroups && !str_eq(o->cgroups, "enabled") &&
		!str_eq(o->cgroups, "disabled"))
		r = err_say(
			err, -EINVAL, "--cgroups '%.32s' is not enabled or disabled", o->cgroups);
	return r;
}

/* ---- what the container keeps ---- */

static int copy_list(struct strv *to, const struct strv *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = strv_add(to, from->v[i]);
	return r;
}

static int copy_text(char **to, const char *from)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

static int plan_log(const struct run_opts *o, struct ctropts *c, struct err *err)
{
	static const char *const files[] = { "file", "k8s-file", "json-file", "journald", NULL };
	const char *driver = o->log_driver;

	for (size_t i = 0; driver && files[i]; i++)
		if (str_eq(driver, files[i]))
			driver = "file";
	if (o->log_driver && str_eq(o->log_driver, "journald"))
		return err_hint(err, err_say(err, -EOPNOTSUPP, "there is no log driver 'journald'"),
			"--log-driver file, and 'lamina logs'");
	if (driver && !str_eq(driver, "file") && !str_eq(driver, "none") &&
		!str_eq(driver, "passthrough"))
		return err_say(err, -EINVAL, "log driver '%s' is not file, none or passthrough",
			o->log_driver);
	for (size_t i = 0; i < o->log_opt.n; i++) {
		const char *opt = o->log_opt.v[i];
		int r;

		if (!str_starts(opt, "max-size="))
			return err_say(err, -EINVAL, "--log-opt '%s' is not max-size=SIZE", opt);
		r = size_parse("--log-opt max-size", opt + 9, &c->log_max_bytes, err);
		if (r < 0)
			return r;
	}
	return copy_text(&c->log_driver, driver) < 0 ? err_set(err, -ENOMEM, "log") : 0;
}

static int plan_times(const struct run_opts *o, struct ctropts *c, struct err *err)
{
	c->timeout_s = o->timeout;
	if (o->timeout > INT32_MAX)
		return err_say(err, -EINVAL, "--timeout: that is too long");
	if (o->stop_timeout && str_to_u64(o->stop_timeout, INT32_MAX, &c->stop_timeout_s) < 0)
		return err_say(
			err, -EINVAL, "--stop-timeout takes seconds, not '%s'", o->stop_timeout);
	return 0;
}

/* A path of the caller's, for a process with another working directory. */
static char *absolute(const char *path)
{
	auto_free char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);

	return here ? str_format("%s/%s", here, path) : strdup(path);
}

static int plan_kept(const struct run_opts *o, struct ctropts *c, struct err *err)
{
	int r;

	c->interactive = o->interactive;
	c->network = netmode_join(&o->network, o->ip, o->mac_address, &o->network_alias, err);
	if (!c->network)
		return -EINVAL;
	c->no_cgroup = o->cgroups && str_eq(o->cgroups, "disabled");
	r = copy_list(&c->publish, &o->publish);
	if (r == 0)
		r = copy_list(&c->add_host, &o->add_host);
	if (r == 0)
		r = copy_list(&c->dns, &o->dns);
	if (r == 0)
		r = copy_list(&c->labels, &o->label);
	if (r == 0 && o->pidfile && !(c->pid_file = absolute(o->pidfile)))
		r = -ENOMEM;
	if (r < 0)
		return err_set(err, r, "options");
	r = plan_log(o, c, err);
	return r < 0 ? r : plan_times(o, c, err);
}

int run_plan_make(
	const struct run_opts *o, struct run_plan *ret, struct ctropts *ctropts, struct err *err)
{
	struct run_plan p = { .flags = SPEC_MAKE_NO_NEW_PRIVS };
	int r;

	if (access("/dev/mqueue", F_OK) < 0)
		p.flags |= SPEC_MAKE_NO_MQUEUE;
	if (o->tty)
		p.flags |= SPEC_MAKE_TTY;
	if (o->read_only)
		p.flags |= SPEC_MAKE_READ_ONLY | SPEC_MAKE_READ_ONLY_TMPFS;
	if (o->privileged) {
		p.flags |= SPEC_MAKE_PRIVILEGED;
		p.flags &= ~(unsigned int)SPEC_MAKE_NO_NEW_PRIVS;
	}
	r = plan_env(o, &p, err);
	if (r >= 0)
		r = plan_volumes(o, &p, err);
	if (r >= 0)
		r = plan_ulimits(o, &p, err);
	for (size_t i = 0; r >= 0 && i < o->security_opt.n; i++)
		r = plan_security(o->security_opt.v[i], &p, err);
	if (r >= 0)
		r = plan_resources(o, &p, err);
	if (r >= 0)
		r = plan_umask(o, &p, err);
	if (r >= 0)
		r = plan_timezone(o, &p, err);
	if (r >= 0)
		r = plan_users(o, &p, ctropts, err);
	if (r >= 0)
		r = plan_kept(o, ctropts, err);
	if (r >= 0)
		r = detach_parse(o->detach_keys ? o->detach_keys : DETACH_DEFAULT, &p.detach, err);
	if (r < 0)
		run_plan_done(&p);
	else
		*ret = p;
	return r;
}

void run_plan_done(struct run_plan *p)
{
	strv_done(&p->env);
	for (size_t i = 0; i < p->n_volumes; i++)
		volume_done(&p->volumes[i]);
	free(p->volumes);
	free(p->rlimits);
	strv_done(&p->unmask);
	free(p->seccomp_path);
	strv_done(&p->groups);
	memset(p, 0, sizeof(*p));
}
