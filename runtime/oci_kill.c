/* SPDX-License-Identifier: Apache-2.0 */
/* lamina-runtime kill, delete */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "runtime/cgroup.h"
#include "runtime/oci_cgroup.h"
#include "runtime/oci_delete.h"
#include "runtime/oci_hooks.h"
#include "runtime/signame.h"

#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <sys/mount.h>

#define END_TIMEOUT_MS 10000

struct kill_opts {
	bool all, regex, force;
};

static const struct args_opt kill_opts[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct kill_opts, all), NULL, "to all of its processes" },
	{ "regex", 'r', ARGS_FLAG, offsetof(struct kill_opts, regex), NULL,
		"to all containers whose id matches ID" },
	{ 0 },
};

static const struct args_opt delete_opts[] = {
	{ "force", 'f', ARGS_FLAG, offsetof(struct kill_opts, force), NULL,
		"end it first; no error if there is none" },
	{ "regex", 'r', ARGS_FLAG, offsetof(struct kill_opts, regex), NULL,
		"all containers whose id matches ID" },
	{ 0 },
};

/* @one for the container, or for each whose id matches. */
static int for_each(struct oci *o, const char *id, const struct kill_opts *opts, int arg,
	int (*one)(struct oci *, const char *, const struct kill_opts *, int, struct err *),
	struct err *err)
{
	auto_strv ids = { 0 };
	regex_t re;
	int ret = 0, r;

	if (!opts->regex)
		return one(o, id, opts, arg, err);
	if (regcomp(&re, id, REG_EXTENDED | REG_NOSUB) != 0)
		return err_say(err, -EINVAL, "'%s' is no regular expression", id);
	r = oci_state_list(o, &ids);
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		if (regexec(&re, ids.v[i], 0, NULL, 0) != 0)
			continue;
		r = one(o, ids.v[i], opts, arg, err);
		ret = r < 0 ? r : ret;
		r = 0;
	}
	regfree(&re);
	return r < 0 ? err_set(err, r, "cannot list the containers") : ret;
}

/* ---- kill ---- */

static int kill_one(
	struct oci *o, const char *id, const struct kill_opts *opts, int sig, struct err *err)
{
	auto_oci_state s = OCI_STATE_INIT;
	auto_fd pidfd = -1, cgroup = -1;
	int r = oci_state_read(o, id, &s, err);

	if (r < 0)
		return r;
	cgroup = opts->all ? oci_cgroup_open(&s) : -1;
	if (cgroup >= 0 && sig == SIGKILL)
		r = cgroup_kill(cgroup);
	else if (cgroup >= 0)
		r = cgroup_signal(cgroup, sig);
	if (cgroup >= 0)
		return r < 0 ? err_set(err, r, "cannot kill container '%s'", id) : 0;
	pidfd = oci_state_pidfd(&s, err);
	if (pidfd < 0)
		return pidfd;
	r = proc_kill(pidfd, sig);
	if (r == -ESRCH)
		return err_say(err, r, "container not running");
	return r < 0 ? err_set(err, r, "cannot kill container '%s'", id) : 0;
}

static int run_kill(struct oci *o, void *opts, char **args, struct err *err)
{
	int sig = args[1] ? signame_parse(args[1]) : SIGTERM;

	if (args[1] && str_eq(args[1], "0"))
		sig = 0;
	if (sig < 0)
		return err_say(err, -EINVAL, "unknown signal '%s'", args[1]);
	return for_each(o, args[0], opts, sig, kill_one, err);
}

/* ---- delete ---- */

void oci_delete_stopped(const struct oci_state *s, struct oci *o, const struct spec *spec)
{
	struct err err = ERR_INIT;

	oci_cgroup_remove(s);
	/* Without a mount namespace of its own, its mounts are here. */
	if (spec && !spec->ns[SPEC_NS_MNT].on && !spec->ns[SPEC_NS_USER].on)
		(void)umount2(s->rootfs, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (spec && oci_hooks_run(s, spec, SPEC_HOOK_POSTSTOP, CTR_STOPPED, &err) < 0)
		log_warning("oci", "%s", err.text);
	if (oci_state_remove(o, s->id, &err) < 0)
		log_warning("oci", "%s", err.text);
}

static int wait_end(int pidfd, struct err *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (poll(&p, 1, END_TIMEOUT_MS) == 0)
		return err_say(err, -ETIMEDOUT, "the container does not end");
	return 0;
}

/* All of it: with a pid namespace of its own the first process takes the others along. */
static int end_container(const struct oci_state *s, struct err *err)
{
	auto_fd cgroup = oci_cgroup_open(s);
	auto_fd pidfd = proc_open(&s->init);

	if (cgroup >= 0 && cgroup_frozen(cgroup))
		(void)cgroup_freeze(cgroup, false, NULL);
	if (pidfd >= 0) {
		(void)proc_kill(pidfd, SIGKILL);
		if (cgroup >= 0)
			(void)cgroup_kill(cgroup);
		return wait_end(pidfd, err);
	}
	if (cgroup >= 0)
		(void)cgroup_kill(cgroup);
	return 0;
}

static int delete_one(
	struct oci *o, const char *id, const struct kill_opts *opts, int unused, struct err *err)
{
	auto_oci_state s = OCI_STATE_INIT;
	struct err why = ERR_INIT;
	auto_spec *spec = NULL;
	int r = oci_state_read(o, id, &s, err);

	if (r == -ENOENT && opts->force) {
		/* Also what a killed create left: a directory that never got a state. */
		(void)(strchr(id, '/') || id[0] == '.' ? 0 : oci_state_remove(o, id, &why));
		return 0;
	}
	if (r < 0)
		return r;
	/* One that never began has nothing to lose: engines count on it when a start has failed. */
	if (s.status != CTR_STOPPED && s.status != CTR_CREATED && !opts->force)
		return err_say(err, -EBUSY,
			"cannot delete container '%s': it is %s, not stopped; use --force", s.id,
			state_name(s.status));
	r = end_container(&s, err);
	if (r < 0)
		return r;
	s.status = CTR_STOPPED;
	/* A damaged configuration has no hooks that could be run. */
	(void)oci_state_config(&s, &spec, &why);
	oci_delete_stopped(&s, o, spec);
	return 0;
}

static int run_delete(struct oci *o, void *opts, char **args, struct err *err)
{
	return for_each(o, args[0], opts, 0, delete_one, err);
}

const struct oci_verb oci_verb_kill = { "kill", "[OPTION]… ID [SIGNAL]",
	"send a signal; default: TERM", kill_opts, sizeof(struct kill_opts), 1, 2, false,
	run_kill };
const struct oci_verb oci_verb_delete = { "delete", "[OPTION]… ID", "remove a stopped container",
	delete_opts, sizeof(struct kill_opts), 1, 1, false, run_delete };
