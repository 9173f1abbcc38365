/* SPDX-License-Identifier: Apache-2.0 */
/* What a well-formed configuration can still get wrong (the contract is in the header). */
#include "runtime/spec_check.h"

#include <errno.h>
#include <inttypes.h>

static bool is_absolute(const char *path)
{
	return path[0] == '/';
}

static int check_rlimits(const struct spec_process *p, struct err *err)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct spec_rlimit *l = &p->rlimits[i];

		if (l->soft > l->hard)
			return err_say(err, -EINVAL,
				"process.rlimits[%zu] (%s) has a soft limit above the hard one", i,
				l->name);
		for (size_t k = 0; k < i; k++)
			if (p->rlimits[k].resource == l->resource)
				return err_say(err, -EINVAL,
					"process.rlimits[%zu] sets %s a second time", i, l->name);
	}
	return 0;
}

static int check_scheduler(const struct spec_process *p, struct err *err)
{
	const struct spec_scheduler *s = &p->scheduler;

	if (s->set && s->deadline && (s->runtime > s->deadline || s->deadline > s->period))
		return err_say(
			err, -EINVAL, "process.scheduler must have runtime <= deadline <= period");
	return 0;
}

int spec_check_process(const struct spec_process *p, struct err *err)
{
	int r;

	if (!is_absolute(p->cwd))
		return err_say(
			err, -EINVAL, "process.cwd '%.256s' is not an absolute path", p->cwd);
	if (p->args.n == 0)
		return err_say(err, -EINVAL, "process.args is empty: there is nothing to run");
	if (!p->args.v[0][0])
		return err_say(err, -EINVAL, "process.args[0] is empty: there is nothing to run");
	for (size_t i = 0; i < p->env.n; i++)
		if (p->env.v[i][0] == '=')
			return err_say(err, -EINVAL, "process.env[%zu] has no name", i);
	r = check_rlimits(p, err);
	return r < 0 ? r : check_scheduler(p, err);
}

int spec_sysctl_path(const char *name, char *buf)
{
	size_t len = strlen(name), start = 0;
	bool dots = name[strcspn(name, "./")] == '.';

	if (len > LIMIT_SYSCTL_PATH)
		return -ENAMETOOLONG;
	for (size_t i = 0; i <= len; i++) {
		char c = name[i];

		if (dots && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		buf[i] = c;
		if (c && c != '/')
			continue;
		/* A component ends here: it must not lead anywhere else. */
		if (i == start || (i - start == 1 && buf[start] == '.') ||
			(i - start == 2 && buf[start] == '.' && buf[start + 1] == '.'))
			return -EINVAL;
		start = i + 1;
	}
	return 0;
}

int spec_sysctl_ns(const char *path)
{
	static const char *const ipc[] = { "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni",
		"kernel/sem", "kernel/shmall", "kernel/shmmax", "kernel/shmmni",
		"kernel/shm_rmid_forced", "kernel/msg_next_id", "kernel/sem_next_id",
		"kernel/shm_next_id" };

	if (str_starts(path, "net/"))
		return SPEC_NS_NET;
	if (str_starts(path, "fs/mqueue/"))
		return SPEC_NS_IPC;
	if (str_starts(path, "user/"))
		return SPEC_NS_USER;
	if (str_eq(path, "kernel/hostname") || str_eq(path, "kernel/domainname"))
		return SPEC_NS_UTS;
	if (str_eq(path, "kernel/ns_last_pid"))
		return SPEC_NS_PID;
	for (size_t i = 0; i < ARRAY_SIZE(ipc); i++)
		if (str_eq(path, ipc[i]))
			return SPEC_NS_IPC;
	return -ENOENT;
}

/* A sysctl of a namespace that the container shares with the host would change the host. */
static int check_sysctls(const struct spec *spec, struct err *err)
{
	char path[LIMIT_SYSCTL_PATH + 1];

	for (size_t i = 0; i < spec->sysctl.n; i++) {
		const char *name = spec->sysctl.v[i].key;
		int ns;

		if (spec_sysctl_path(name, path) < 0)
			return err_say(
				err, -EINVAL, "linux.sysctl: '%.256s' is not a sysctl", name);
		/* Two words for one thing may differ. */
		if (str_eq(path, "kernel/hostname") ||
			(str_eq(path, "kernel/domainname") && spec->domainname &&
				!str_eq(spec->domainname, spec->sysctl.v[i].value)))
			return err_say(err, -EINVAL,
				"linux.sysctl: '%.256s' is set by '%s' in the configuration", name,
				path + strlen("kernel/"));
		ns = spec_sysctl_ns(path);
		if (ns < 0)
			return err_say(err, -EINVAL,
				"linux.sysctl: '%.256s' belongs to no namespace, it is the host's",
				name);
		if (!spec->ns[ns].on)
			return err_say(err, -EINVAL,
				"linux.sysctl: '%.256s' needs a %s namespace of the container's "
				"own",
				name, spec_ns_name((enum spec_ns)ns));
	}
	return 0;
}

static int check_mounts(const struct spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (!m->destination[0])
			return err_say(err, -EINVAL, "mounts[%zu].destination is empty", i);
		if ((m->uid_map.n == 0) != (m->gid_map.n == 0))
			return err_say(err, -EINVAL,
				"mounts[%zu] (%.256s) has only one of uidMappings and gidMappings",
				i, m->destination);
	}
	return 0;
}

static int check_hooks(const struct spec *spec, struct err *err)
{
	for (int kind = 0; kind < SPEC_HOOK_MAX_; kind++)
		for (size_t i = 0; i < spec->hooks[kind].n; i++)
			if (!is_absolute(spec->hooks[kind].v[i].path))
				return err_say(err, -EINVAL,
					"hook '%.256s' is not an absolute path",
					spec->hooks[kind].v[i].path);
	return 0;
}

static int check_names(const struct spec *spec, struct err *err)
{
	const struct {
		const char *key, *value;
	} names[] = { { "hostname", spec->hostname }, { "domainname", spec->domainname } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i].value || !names[i].value[0])
			continue;
		if (strlen(names[i].value) > LIMIT_HOSTNAME)
			return err_say(err, -EINVAL, "%s is longer than %d bytes", names[i].key,
				LIMIT_HOSTNAME);
		if (!spec->ns[SPEC_NS_UTS].on)
			return err_say(err, -EINVAL,
				"%s needs a uts namespace of the container's own", names[i].key);
	}
	return 0;
}

static int check_paths(const struct spec_list *list, const char *key, struct err *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (!is_absolute(list->v[i]))
			return err_say(err, -EINVAL, "linux.%s[%zu] '%.256s' is not absolute", key,
				i, list->v[i]);
	return 0;
}

static int check_devices(const struct spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->n_devices; i++)
		if (!is_absolute(spec->devices[i].path))
			return err_say(err, -EINVAL,
				"linux.devices[%zu].path '%.256s' is not absolute", i,
				spec->devices[i].path);
	return 0;
}

/* Without a map of its own (a path, or a map that the engine adds) any id may turn out mapped. */
static int check_ids(const struct spec *spec, struct err *err)
{
	const struct spec_user *u = spec->process ? &spec->process->user : NULL;
	uint32_t out;

	if (!u || spec->ns[SPEC_NS_USER].path || spec->uid_map.n == 0)
		return 0;
	if (!idmap_out(&spec->uid_map, u->uid, &out))
		return err_say(err, -EINVAL,
			"process.user.uid %" PRIu32 " is not in linux.uidMappings", u->uid);
	if (!idmap_out(&spec->gid_map, u->gid, &out))
		return err_say(err, -EINVAL,
			"process.user.gid %" PRIu32 " is not in linux.gidMappings", u->gid);
	for (size_t i = 0; i < u->n_gids; i++)
		if (!idmap_out(&spec->gid_map, u->gids[i], &out))
			return err_say(err, -EINVAL,
				"process.user.additionalGids[%zu] %" PRIu32
				" is not in linux.gidMappings",
				i, u->gids[i]);
	return 0;
}

static int check_namespaces(const struct spec *spec, struct err *err)
{
	for (int ns = 0; ns < SPEC_NS_MAX_; ns++)
		if (spec->ns[ns].path && !is_absolute(spec->ns[ns].path))
			return err_say(err, -EINVAL,
				"the path '%.256s' of the %s namespace is not absolute",
				spec->ns[ns].path, spec_ns_name((enum spec_ns)ns));
	if ((spec->uid_map.n > 0) != (spec->gid_map.n > 0))
		return err_say(err, -EINVAL, "linux has only one of uidMappings and gidMappings");
	if (spec->uid_map.n > 0 && !spec->ns[SPEC_NS_USER].on)
		return err_say(err, -EINVAL, "linux.uidMappings need a user namespace");
	if ((spec->monotonic.set || spec->boottime.set) &&
		(!spec->ns[SPEC_NS_TIME].on || spec->ns[SPEC_NS_TIME].path))
		return err_say(err, -EINVAL, "linux.timeOffsets need a new time namespace");
	if ((spec->masked_paths.n || spec->readonly_paths.n) && !spec->ns[SPEC_NS_MNT].on)
		return err_say(
			err, -EINVAL, "linux.maskedPaths and readonlyPaths need a mount namespace");
	return check_ids(spec, err);
}

/* With it the listener goes to who would have to answer. */
static bool names_sendmsg(const struct sec_rule *rule)
{
	for (size_t i = 0; i < rule->n_names; i++)
		if (str_eq(rule->names[i], "sendmsg"))
			return true;
	return false;
}

static int check_seccomp(const struct sec_profile *p, struct err *err)
{
	bool notifies = false;

	if (!p)
		return 0;
	if (p->default_action == SEC_NOTIFY)
		return err_say(
			err, -EINVAL, "linux.seccomp.defaultAction cannot be SCMP_ACT_NOTIFY");
	for (size_t i = 0; i < p->n_rules; i++) {
		notifies |= p->rules[i].action == SEC_NOTIFY;
		if (p->rules[i].action == SEC_NOTIFY && names_sendmsg(&p->rules[i]))
			return err_say(err, -EINVAL,
				"linux.seccomp cannot have SCMP_ACT_NOTIFY for 'sendmsg'");
	}
	if (notifies && !p->listener_path)
		return err_say(
			err, -EINVAL, "linux.seccomp has SCMP_ACT_NOTIFY and no listenerPath");
	if (p->listener_metadata && !p->listener_path)
		return err_say(
			err, -EINVAL, "linux.seccomp has listenerMetadata and no listenerPath");
	return 0;
}

int spec_check(const struct spec *spec, struct err *err)
{
	int r;

	if (!str_starts(spec->oci_version, "1."))
		return err_say(err, -EINVAL, "ociVersion '%.64s' is not supported: 1.x is",
			spec->oci_version);
	if (!spec->root.path || !spec->root.path[0])
		return err_say(err, -EINVAL, "root.path is missing or empty");
	r = spec->process ? spec_check_process(spec->process, err) : 0;
	if (r == 0)
		r = check_mounts(spec, err);
	if (r == 0)
		r = check_hooks(spec, err);
	if (r == 0)
		r = check_namespaces(spec, err);
	if (r == 0)
		r = check_names(spec, err);
	if (r == 0)
		r = check_sysctls(spec, err);
	if (r == 0)
		r = check_devices(spec, err);
	if (r == 0)
		r = check_paths(&spec->masked_paths, "maskedPaths", err);
	if (r == 0)
		r = check_paths(&spec->readonly_paths, "readonlyPaths", err);
	return r < 0 ? r : check_seccomp(spec->seccomp, err);
}
