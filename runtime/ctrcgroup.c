/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups of containers (the contract is in the header). */
#include "runtime/ctrcgroup.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <fcntl.h>

static int cannot_limit(int code, const char *why, struct err *err)
{
	err_say(err, code, "cannot limit what the container uses: %s", why);
	return err_hint(err, code,
		"systemd-run --user --scope -p Delegate=yes lamina run …, on a machine with cgroup "
		"v2");
}

int ctrcgroup_prepare(const char *id, const struct spec_resources *res, char **ret_path,
	int *ret_fd, struct err *err)
{
	auto_fd mount_fd = cgroup_mount_open(), fd = -1;
	auto_free char *own = NULL, *path = NULL;
	bool wanted = cgroup_wants_limits(res);
	struct err why = ERR_INIT;

	*ret_fd = -1;
	if (mount_fd < 0)
		return wanted ? cannot_limit(-EOPNOTSUPP, "there is no cgroup v2 here", err) : 0;
	if (cgroup_own_path(&own) < 0)
		own = NULL;
	path = str_format("%s/lamina-%s", own && !str_eq(own, "/") ? own : "", id);
	if (!path)
		return err_set(err, -ENOMEM, "cannot make a cgroup");
	fd = cgroup_make(mount_fd, path, res, &why);
	if (fd < 0) {
		log_debug("run", "no cgroup: %s", why.text);
		return wanted ? cannot_limit(fd, why.text, err) : 0;
	}
	*ret_path = ptr_take(&path);
	*ret_fd = fd_take(&fd);
	return cgroup_apply(*ret_fd, res, err);
}

int ctrcgroup_probe(struct err *err)
{
	static const char *const needed[] = { "cpu", "memory", "pids" };
	auto_fd mount_fd = cgroup_mount_open(), fd = -1;
	auto_free char *own = NULL, *have = NULL;

	if (mount_fd < 0)
		return cannot_limit(-EOPNOTSUPP, "there is no cgroup v2 here", err);
	if (cgroup_own_path(&own) < 0)
		return cannot_limit(-EOPNOTSUPP, "this process has no cgroup", err);
	fd = cgroup_open(mount_fd, own);
	if (fd < 0 || faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) < 0)
		return cannot_limit(-EACCES, "the cgroup here belongs to another user", err);
	if (cgroup_read(fd, "cgroup.controllers", &have) < 0)
		have = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!have || !strstr(have, needed[i]))
			return cannot_limit(-EOPNOTSUPP,
				"the controllers cpu, memory and pids are not delegated", err);
	return 0;
}

int ctrcgroup_open(const struct record *r, struct err *err)
{
	auto_fd mount_fd = r->cgroup ? cgroup_mount_open() : -ENOENT;
	int fd;

	if (mount_fd < 0) {
		err_say(err, -EOPNOTSUPP, "it has no cgroup: none may be made here");
		return err_hint(err, -EOPNOTSUPP,
			"start it below 'systemd-run --user --scope -p Delegate=yes', on cgroup "
			"v2");
	}
	fd = cgroup_open(mount_fd, r->cgroup);
	return fd < 0 ? err_set(err, fd, "cannot open its cgroup") : fd;
}

bool ctrcgroup_is_frozen(const struct record *r)
{
	auto_fd fd = r->cgroup ? ctrcgroup_open(r, NULL) : -1;

	return fd >= 0 && cgroup_frozen(fd);
}

void ctrcgroup_remove(const char *path)
{
	auto_fd mount_fd = path ? cgroup_mount_open() : -1;

	if (mount_fd >= 0 && cgroup_remove(mount_fd, path) < 0)
		log_debug("run", "cgroup '%s' stays", path);
}
