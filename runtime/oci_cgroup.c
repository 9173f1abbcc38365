/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup of a container of lamina-runtime (the contract is in the header). */
#include "runtime/oci_cgroup.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/cgroup.h"
#include "runtime/rootfs.h"

static int enter(void *arg, pid_t pid, struct err *err)
{
	const struct oci_create *c = arg;

	return cgroup_add(c->cgroup_fd, pid, err);
}

static bool is_disabled(const struct oci *o)
{
	return o->cgroup_manager && str_eq(o->cgroup_manager, "disabled");
}

/* A path that starts at the mount, or else where the caller is. */
static char *choose_path(const struct oci_create *c)
{
	const char *given = c->spec->cgroups_path;
	auto_free char *own = NULL;

	if (given && given[0] == '/')
		return strdup(given);
	if (geteuid() == 0 || cgroup_own_path(&own) < 0)
		return given ? str_format("/%s", given) : str_format("/lamina-%s", c->state.id);
	return given ? str_format("%s/%s", own, given)
		     : str_format("%s/lamina-%s", own, c->state.id);
}

static int cannot_limit(int code, const char *why, struct err *err)
{
	err_set(err, code, "cannot set the limits of linux.resources: %s", why);
	return err_hint(err, code, "use '--cgroup-manager disabled' to run without limits");
}

int oci_cgroup_prepare(struct oci_create *c, struct err *err)
{
	const struct spec_resources *res = &c->spec->resources;
	struct err why = ERR_INIT;
	auto_free char *path = NULL;
	auto_fd mount_fd = -1;
	int r;

	if (is_disabled(c->oci))
		return 0;
	if (c->oci->systemd_cgroup ||
		(c->oci->cgroup_manager && str_eq(c->oci->cgroup_manager, "systemd"))) {
		err_say(err, -EOPNOTSUPP, "cgroups by systemd are not supported");
		return err_hint(err, -EOPNOTSUPP,
			"put 'cgroup_manager = \"cgroupfs\"' below [engine] into containers.conf");
	}
	mount_fd = cgroup_mount_open();
	if (mount_fd < 0)
		return cgroup_wants_limits(res)
			       ? cannot_limit(mount_fd, "there is no cgroup v2 here", err)
			       : 0;
	path = choose_path(c);
	if (!path)
		return err_set(err, -ENOMEM, "cannot make a cgroup");
	c->cgroup_fd = cgroup_make(mount_fd, path, res, &why);
	if (c->cgroup_fd == -EINVAL) {
		*err = why;
		return -EINVAL;
	}
	if (c->cgroup_fd < 0) {
		log_debug("oci", "no cgroup: %s", why.text);
		if (cgroup_wants_limits(res))
			return cannot_limit(c->cgroup_fd, why.text, err);
		c->cgroup_fd = -1;
		return 0;
	}
	c->state.cgroup = ptr_take(&path);
	c->stage.enter_cgroup = enter;
	c->stage.arg = c;
	r = cgroup_apply(c->cgroup_fd, res, err);
	/* In a user namespace of its own nobody makes nodes, and what is bound was given. */
	if (r >= 0 && res->n_devices > 0 && !c->spec->ns[SPEC_NS_USER].on &&
		rootfs_may_make_nodes())
		r = cgroup_filter_devices(c->cgroup_fd, res, err);
	return r;
}

int oci_cgroup_open(const struct oci_state *s)
{
	auto_fd mount_fd = s->cgroup ? cgroup_mount_open() : -ENOENT;

	return mount_fd < 0 ? mount_fd : cgroup_open(mount_fd, s->cgroup);
}

int oci_cgroup_need(const struct oci_state *s, struct err *err)
{
	int fd = oci_cgroup_open(s);

	if (fd == -ENOENT && !s->cgroup)
		return err_say(
			err, fd, "container '%s' has no cgroup: none may be made here", s->id);
	return fd < 0 ? err_set(err, fd, "cannot open the cgroup of container '%s'", s->id) : fd;
}

void oci_cgroup_remove(const struct oci_state *s)
{
	auto_fd mount_fd = s->cgroup ? cgroup_mount_open() : -1;
	int r = mount_fd < 0 ? 0 : cgroup_remove(mount_fd, s->cgroup);

	if (r < 0)
		log_debug("oci", "cgroup '%s' stays: %s", s->cgroup, strerror(-r));
}
