/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `lamina run` (the contract is in the header). */
#include "runtime/cli/run_opts.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtime/netmode.h"
#include "runtime/nsshare.h"
#include "runtime/size.h"
#include "runtime/spec_env.h"

#include <limits.h>
#include <pwd.h>

static int read_file(const char *path, char **ret, size_t *ret_len, struct err *err)
{
	int r = fd_read_named(path, LIMIT_ENV_FILE_BYTES, ret, ret_len);

	return r < 0 ? err_set(err, r, "cannot read '%s'", path) : 0;
}

static int plan_proxy(struct run_plan *p)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		r = env_set_default(&p->env, names[i], getenv(names[i]));
	return r;
}

static int plan_env(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	if (!o->no_http_proxy && plan_proxy(p) < 0)
		return err_set(err, -ENOMEM, "environment");
	for (char **e = environ; o->env_host && *e; e++)
		if (strchr(*e, '=') && env_set(&p->env, *e) < 0)
			return err_set(err, -ENOMEM, "environment");
	for (size_t i = 0; i < o->env_file.n; i++) {
		auto_free char *text = NULL;
		size_t len;
		int r = read_file(o->env_file.v[i], &text, &len, err);

		if (r < 0)
			return r;
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

	if (v->flags & VOLUME_OVERLAY && v->type != VOLUME_BIND)
		return err_hint(err,
			err_say(err, -EOPNOTSUPP,
				"volume for '%s': 'O' is for directories of the host", v->dest),
			"-v NAME:PATH:ro");
	if (v->flags & (VOLUME_SHARED_LABEL | VOLUME_PRIVATE_LABEL) &&
		access("/sys/fs/selinux/enforce", F_OK) == 0)
		log_warning("run", "volume for '%s': SELinux labels are not set", v->dest);
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
	if (!str_eq(option, "--ipc") && nsshare_is(value))
		return 0;
	if (str_eq(option, "--ipc") && str_eq(value, "shareable"))
		return 0;
	err_say(err, -EOPNOTSUPP, "%s %.64s: not supported", option, value);
	return err_hint(err, -EOPNOTSUPP,
		str_eq(option, "--ipc") ? "%s host or private"
					: "%s host, private or container:NAME",
		option);
}

/* Now, while we are still that user. */
static int plan_caller(struct run_plan *p, struct err *err)
{
	const struct passwd *pw = getpwuid(getuid());

	if (!pw)
		return 0;
	p->caller_name = strdup(pw->pw_name);
	p->caller_gecos = strdup(pw->pw_gecos ? pw->pw_gecos : "");
	return p->caller_name && p->caller_gecos ? 0 : err_set(err, -ENOMEM, "users");
}

static int plan_users(
	const struct run_opts *o, struct run_plan *p, struct ctropts *c, struct err *err)
{
	int r;

	r = usernsmode_parse(o->userns, getuid(), getgid(), &p->userns, err);
	if (r == 0 && o->userns && !(c->userns = usernsmode_text(&p->userns)))
		r = err_set(err, -ENOMEM, "options");
	if (r == 0 && p->userns.kind == USERNSMODE_KEEP_ID)
		r = plan_caller(p, err);
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
		r = check_namespace("--cgroupns", o->cgroupns, err);
	if (r == 0)
		r = check_namespace("--ipc", o->ipc, err);
	if (r == 0)
		r = check_namespace("--uts", o->uts, err);
	return r;
}

/* ---- words ---- */

/* Options that take one of some words; a hint where another engine takes more. */
static const struct {
	const char *option;
	size_t offset;
	const char *words[4];
	const char *hint;
} few_words[] = {
	{ "--cgroups", offsetof(struct run_opts, cgroups), { "enabled", "disabled" }, NULL },
	{ "--image-volume", offsetof(struct run_opts, image_volume),
		{ "bind", "anonymous", "tmpfs", "ignore" }, NULL },
	{ "--personality", offsetof(struct run_opts, personality), { "LINUX", "LINUX32" }, NULL },
	{ "--pull", offsetof(struct run_opts, pull), { "missing", "always", "never" }, NULL },
	{ "--restart", offsetof(struct run_opts, restart), { "no", "" },
		"a service manager restarts what ends: systemd's Restart=" },
	{ "--sdnotify", offsetof(struct run_opts, sdnotify), { "ignore" },
		"the container's own, by -v $NOTIFY_SOCKET:$NOTIFY_SOCKET -e NOTIFY_SOCKET" },
	{ "--systemd", offsetof(struct run_opts, systemd), { "false" },
		"--tmpfs /run --tmpfs /tmp, and the image's /sbin/init" },
};

static int check_words(const struct run_opts *o, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(few_words); i++) {
		const char *value = *(const char *const *)((const char *)o + few_words[i].offset);
		bool known = !value;

		for (size_t k = 0; value && k < 4 && few_words[i].words[k]; k++)
			known |= str_eq(value, few_words[i].words[k]);
		if (known)
			continue;
		err_say(err, -EINVAL, "%s '%.64s': not supported", few_words[i].option, value);
		return few_words[i].hint ? err_hint(err, -EINVAL, "%s", few_words[i].hint)
					 : err_hint(err, -EINVAL, "%s %s", few_words[i].option,
						   few_words[i].words[0]);
	}
	for (size_t i = 0; i < o->attach.n; i++)
		if (!str_eq(o->attach.v[i], "stdin") && !str_eq(o->attach.v[i], "stdout") &&
			!str_eq(o->attach.v[i], "stderr"))
			return err_say(err, -EINVAL,
				"--attach '%.32s' is not stdin, stdout or stderr", o->attach.v[i]);
	if (o->attach.n > 0 && o->detach)
		return err_say(err, -EINVAL, "--attach and --detach exclude each other");
	if (o->no_hosts && o->add_host.n > 0)
		return err_say(err, -EINVAL, "--no-hosts and --add-host exclude each other");
	return 0;
}

/* Pure.  What is not said is this machine's. */
static int plan_platform(const struct run_opts *o, struct run_plan *p, struct err *err)
{
	struct platform host;

	if (o->platform && (o->os || o->arch || o->variant))
		return err_say(err, -EINVAL,
			"--platform and --os, --arch or --variant exclude each other");
	if (o->platform)
		return platform_parse(o->platform, &p->platform, err);
	if (!o->os && !o->arch && !o->variant)
		return 0;
	platform_host(&host);
	return platform_set(&p->platform, o->os ? o->os : host.os, o->arch ? o->arch : host.arch,
		       o->variant) < 0
		       ? err_say(err, -EINVAL, "--os, --arch and --variant name no platform")
		       : 0;
}

/* ---- what the container keeps ---- */

static int add_labels(char *text, struct strv *ret, struct err *err)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		if (line[0] == '=')
			return err_say(err, -EINVAL, "a label without a name: '%.64s'", line);
		if (strv_add(ret, line) < 0)
			return err_set(err, -ENOMEM, "labels");
	}
	return 0;
}

/* Those of files first: what is typed comes on top. */
static int plan_labels(const struct run_opts *o, struct ctropts *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->label_file.n; i++) {
		auto_free char *text = NULL;
		size_t len;

		r = read_file(o->label_file.v[i], &text, &len, err);
		if (r == 0)
			r = add_labels(text, &c->labels, err);
	}
	for (size_t i = 0; r == 0 && i < o->label.n; i++)
		if (strv_add(&c->labels, o->label.v[i]) < 0)
			r = err_set(err, -ENOMEM, "labels");
	return r;
}

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
	if (o->preserve_fds > UINT16_MAX)
		return err_say(err, -EINVAL, "--preserve-fds: so many files cannot be open");
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

	c->init = o->init;
	c->interactive = o->interactive || strv_has(&o->attach, "stdin");
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
		r = copy_list(&c->dns_search, &o->dns_search);
	if (r == 0)
		r = copy_list(&c->dns_option, &o->dns_option);
	if (r == 0 && o->pidfile && !(c->pid_file = absolute(o->pidfile)))
		r = -ENOMEM;
	if (r < 0)
		return err_set(err, r, "options");
	r = plan_labels(o, c, err);
	if (r >= 0)
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
		p.flags |= SPEC_MAKE_READ_ONLY |
			   (o->no_read_only_tmpfs ? 0 : SPEC_MAKE_READ_ONLY_TMPFS);
	if (o->privileged) {
		p.flags |= SPEC_MAKE_PRIVILEGED;
		p.flags &= ~(unsigned int)SPEC_MAKE_NO_NEW_PRIVS;
	}
	r = check_words(o, err);
	if (r >= 0)
		r = plan_env(o, &p, err);
	if (r >= 0)
		r = plan_platform(o, &p, err);
	if (r >= 0)
		r = plan_volumes(o, &p, err);
	if (r >= 0)
		r = run_plan_rights(o, &p, err);
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
	strv_done(&p->mask);
	strv_done(&p->unmask);
	strv_done(&p->proc_opts);
	free(p->apparmor);
	free(p->seccomp_path);
	strv_done(&p->groups);
	free(p->caller_name);
	free(p->caller_gecos);
	memset(p, 0, sizeof(*p));
}
