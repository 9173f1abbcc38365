/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that make a container and start its program. */
#include "runtime/stage_walk.h"

#include "base/cleanup.h"
#include "runtime/init.h"
#include "runtime/nsjoin.h"
#include "runtime/userns.h"

#include <assert.h>
#include <fcntl.h>

/* ---- what the outside does ---- */

static int check_supported(struct stage *st, struct err *err)
{
	const struct spec *s = st->spec;
	const char *what = NULL;

	for (int i = 0; i < SPEC_HOOK_MAX_; i++)
		if (s->hooks[i].n > 0 && !st->run_hooks)
			what = "hooks";
	if (s->intel_rdt_clos)
		what = "Intel RDT";
	if (s->seccomp && s->seccomp->listener_path && !st->hand_listener)
		what = "a seccomp listener";
	return what ? err_say(err, -EOPNOTSUPP, "%s: not supported", what) : 0;
}

static bool makes_userns(const struct stage *st)
{
	return st->spec->ns[SPEC_NS_USER].on && !st->spec->ns[SPEC_NS_USER].path;
}

static int map_ids(struct stage *st, struct err *err)
{
	return userns_map_child(st->pid, &st->spec->uid_map, &st->spec->gid_map, err);
}

static bool has_cgroup(const struct stage *st)
{
	return st->enter_cgroup;
}

static int enter_cgroup(struct stage *st, struct err *err)
{
	return st->enter_cgroup(st->arg, st->pid, err);
}

/*
 * Among the processes of others the inside cannot be looked at, by its monitor neither, so it shows
 * its network itself.
 */
static bool joins_processes(const struct stage *st)
{
	return st->spec->ns[SPEC_NS_PID].path;
}

/* What has the place of the terminal goes with the next meeting. */
static int show_network(struct stage *st, struct err *err)
{
	st->pty_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return st->pty_fd < 0 ? err_set(err, -errno, "cannot open the network namespace") : 0;
}

static int take_network(struct stage *st, struct err *err)
{
	st->netns_fd = fd_take(&st->pty_fd);
	return 0;
}

/* ---- the root file system, inside ---- */

/* A mount namespace that others are in, too: what is mounted shows there. */
static bool shares_mounts(const struct stage *st)
{
	const struct spec_namespace *mnt = &st->spec->ns[SPEC_NS_MNT];

	return mnt->on ? mnt->path != NULL : !makes_userns(st);
}

static bool parts(const struct stage *st)
{
	return !makes_userns(st) && !shares_mounts(st);
}

static bool opens_inside(const struct stage *st)
{
	return st->flags & STAGE_OPEN_INSIDE;
}

static int part(struct stage *st, struct err *err)
{
	return rootfs_part(err);
}

static int open_inside(struct stage *st, struct err *err)
{
	/* Mounts are listed in the order in which they are made: let it be that of the spec. */
	st->rootfs.in_order = true;
	return rootfs_take(&st->rootfs, AT_FDCWD, err);
}

static int make(struct stage *st, struct err *err)
{
	return rootfs_make(&st->rootfs, err);
}

static int pivot(struct stage *st, struct err *err)
{
	return rootfs_pivot(&st->rootfs,
		shares_mounts(st)	     ? ROOTFS_STAY
		: st->flags & STAGE_NO_PIVOT ? ROOTFS_CHROOT
					     : 0,
		err);
}

static int mounts(struct stage *st, struct err *err)
{
	return rootfs_mount(&st->rootfs, err);
}

static int devices(struct stage *st, struct err *err)
{
	return rootfs_devices(&st->rootfs, err);
}

static int freeze(struct stage *st, struct err *err)
{
	return rootfs_freeze(&st->rootfs, err);
}

static int mask(struct stage *st, struct err *err)
{
	return rootfs_mask(&st->rootfs, err);
}

static int seal(struct stage *st, struct err *err)
{
	return rootfs_seal(&st->rootfs, err);
}

/* ---- hooks ---- */

/*
 * Hooks that expect the container's tree at root.path, while the host's paths are still there:
 * then the root changes after the mounts.  Else it does before, which is the safer order.
 */
static bool has_early_hooks(const struct stage *st)
{
	const struct spec_hooks *h = st->spec->hooks;

	return h[SPEC_HOOK_PRESTART].n + h[SPEC_HOOK_CREATE_RUNTIME].n +
		       h[SPEC_HOOK_CREATE_CONTAINER].n >
	       0;
}

static bool attaches(const struct stage *st)
{
	return has_early_hooks(st) || shares_mounts(st);
}

static bool has_no_early_hooks(const struct stage *st)
{
	return !has_early_hooks(st);
}

static bool has_start_hooks(const struct stage *st)
{
	return st->spec->hooks[SPEC_HOOK_START_CONTAINER].n > 0;
}

static int attach(struct stage *st, struct err *err)
{
	return rootfs_attach(&st->rootfs, st->spec->root.path, err);
}

static int hooks_outside(struct stage *st, struct err *err)
{
	int r = st->run_hooks(st->arg, SPEC_HOOK_PRESTART, st->pid, err);

	return r < 0 ? r : st->run_hooks(st->arg, SPEC_HOOK_CREATE_RUNTIME, st->pid, err);
}

static int hooks_create(struct stage *st, struct err *err)
{
	return st->run_hooks(st->arg, SPEC_HOOK_CREATE_CONTAINER, getpid(), err);
}

static int hooks_start(struct stage *st, struct err *err)
{
	return st->run_hooks(st->arg, SPEC_HOOK_START_CONTAINER, getpid(), err);
}

/* ---- the list ---- */

static bool is_detached(const struct stage *st)
{
	return st->start_sock >= 0;
}

static const struct stage_step steps[] = {
	{ STAGE_OUTSIDE, "check what is asked for", check_supported, NULL },
	{ STAGE_OUTSIDE, "open namespaces to join", nsjoin_open, NULL },
	{ STAGE_CLONE, "clone into new namespaces", nsjoin_clone, NULL },
	{ STAGE_INSIDE, "die with the monitor", init_die_with_monitor, NULL },
	{ STAGE_INSIDE, "close what is the monitor's", init_close_others, NULL },
	{ STAGE_INSIDE, "show its network", show_network, joins_processes },
	{ STAGE_TELL_OUTSIDE, "shown", NULL, joins_processes },
	{ STAGE_OUTSIDE, "take its network", take_network, joins_processes },
	{ STAGE_OUTSIDE, "map ids", map_ids, makes_userns },
	{ STAGE_OUTSIDE, "enter the cgroup", enter_cgroup, has_cgroup },
	{ STAGE_TELL_INSIDE, "mapped", NULL, NULL },
	{ STAGE_INSIDE, "OOM score", init_oom_score, NULL },
	{ STAGE_INSIDE, "security label", init_open_label, NULL },
	{ STAGE_INSIDE, "clocks", init_clocks, NULL },
	{ STAGE_INSIDE, "become root of the namespaces", init_become_root, NULL },
	{ STAGE_INSIDE, "join and make what needs its root", init_namespaces, NULL },
	{ STAGE_INSIDE, "new session", init_new_session, NULL },
	{ STAGE_INSIDE, "new session keyring", init_new_keyring, NULL },
	{ STAGE_INSIDE, "host and domain name", init_set_names, NULL },
	{ STAGE_INSIDE, "loopback up", init_loopback_up, NULL },
	{ STAGE_INSIDE, "part from the host's mounts", part, parts },
	{ STAGE_INSIDE, "open what the host gives", open_inside, opens_inside },
	{ STAGE_INSIDE, "make file systems", make, NULL },
	{ STAGE_INSIDE, "attach the root at its directory", attach, attaches },
	{ STAGE_INSIDE, "change the root", pivot, has_no_early_hooks },
	{ STAGE_INSIDE, "mount file systems", mounts, NULL },
	{ STAGE_INSIDE, "devices", devices, NULL },
	{ STAGE_TELL_OUTSIDE, "mounted", NULL, has_early_hooks },
	{ STAGE_OUTSIDE, "hooks prestart and createRuntime", hooks_outside, has_early_hooks },
	{ STAGE_TELL_INSIDE, "hooked", NULL, has_early_hooks },
	{ STAGE_INSIDE, "hooks createContainer", hooks_create, has_early_hooks },
	{ STAGE_INSIDE, "change the root after hooks", pivot, has_early_hooks },
	{ STAGE_INSIDE, "terminal", init_console, NULL },
	{ STAGE_INSIDE, "kernel settings", init_sysctls, NULL },
	{ STAGE_INSIDE, "read-only mounts", freeze, NULL },
	{ STAGE_INSIDE, "mask paths", mask, NULL },
	{ STAGE_INSIDE, "working directory", init_work_dir, NULL },
	{ STAGE_INSIDE, "seal the root", seal, NULL },
	{ STAGE_INSIDE, "find the program", init_find_program, NULL },
	{ STAGE_INSIDE, "home directory", init_home, NULL },
	{ STAGE_INSIDE, "live without the monitor", init_live_alone, is_detached },
	{ STAGE_TELL_OUTSIDE, "ready", NULL, NULL },
	{ STAGE_INSIDE, "wait for who starts it", init_await_starter, is_detached },
	{ STAGE_TELL_INSIDE, "start", NULL, NULL },
	{ STAGE_INSIDE, "hooks startContainer", hooks_start, has_start_hooks },
	{ STAGE_INSIDE, "scheduling", init_scheduling, NULL },
	{ STAGE_INSIDE, "limits", init_limits, NULL },
	{ STAGE_INSIDE, "standard streams", init_streams, NULL },
	{ STAGE_INSIDE, "files close", init_close_on_exec, NULL },
	{ STAGE_INSIDE, "user", init_change_user, NULL },
	{ STAGE_INSIDE, "security label of the program", init_label, NULL },
	{ STAGE_INSIDE, "filter, without no_new_privs", init_filter_early, NULL },
	{ STAGE_TELL_OUTSIDE, "listening", NULL, stage_listens_early },
	{ STAGE_OUTSIDE, "hand on the listener", stage_hand_listener, stage_listens_early },
	{ STAGE_INSIDE, "capabilities", init_capabilities, NULL },
	{ STAGE_INSIDE, "filter, with no_new_privs", init_filter_late, NULL },
	{ STAGE_TELL_OUTSIDE, "listening", NULL, stage_listens_late },
	{ STAGE_OUTSIDE, "hand on the listener", stage_hand_listener, stage_listens_late },
	{ STAGE_INSIDE, "execute", init_exec, NULL },
	{ STAGE_TELL_OUTSIDE, "started", NULL, NULL },
};

void ctr_stage_init(struct stage *st, const struct spec *spec)
{
	stage_init_list(st, spec, steps, ARRAY_SIZE(steps));
}

void ctr_stage_print(void)
{
	static const char *const sides[] = { "outside", "inside", "both", "-> inside",
		"-> outside" };

	static_assert(ARRAY_SIZE(sides) == STAGE_SIDE_MAX_, "each side has a name");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		printf("%-10s  %s\n", sides[steps[i].side], steps[i].name);
}
