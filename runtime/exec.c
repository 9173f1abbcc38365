/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a further program in a running container
 *
 * From the moment that it joins, processes of the container can see this one: it is not dumpable,
 * so they cannot open its files, memory or program, and what is the monitor's is closed first.
 */
#include "runtime/exec.h"

#include "base/cleanup.h"
#include "runtime/init.h"
#include "runtime/nsjoin.h"
#include "runtime/stage_walk.h"

#include <fcntl.h>

static bool has_cgroup(const struct stage *st)
{
	return st->enter_cgroup;
}

static int enter_cgroup(struct stage *st, struct err *err)
{
	return st->enter_cgroup(st->arg, st->pid, err);
}

static int open_root(struct stage *st, struct err *err)
{
	st->rootfs.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return st->rootfs.root_fd < 0 ? err_set(err, -errno, "cannot open the container's root")
				      : 0;
}

static const struct stage_step steps[] = {
	{ STAGE_OUTSIDE, "open the container's namespaces", nsjoin_open_of, NULL },
	{ STAGE_CLONE, "join them", nsjoin_clone, NULL },
	{ STAGE_INSIDE, "die with the monitor", init_die_with_monitor, NULL },
	{ STAGE_INSIDE, "close what is the monitor's", init_close_others, NULL },
	{ STAGE_INSIDE, "first processors", init_first_cpus, NULL },
	{ STAGE_OUTSIDE, "enter the cgroup", enter_cgroup, has_cgroup },
	{ STAGE_TELL_INSIDE, "mapped", NULL, NULL },
	{ STAGE_INSIDE, "become root of the namespaces", init_become_root, NULL },
	{ STAGE_INSIDE, "new session", init_new_session, NULL },
	{ STAGE_INSIDE, "new session keyring", init_new_keyring, NULL },
	{ STAGE_INSIDE, "root directory", open_root, NULL },
	{ STAGE_INSIDE, "security label", init_open_label, NULL },
	{ STAGE_INSIDE, "terminal", init_terminal, NULL },
	{ STAGE_INSIDE, "working directory", init_work_dir, NULL },
	{ STAGE_INSIDE, "find the program", init_find_program, NULL },
	{ STAGE_INSIDE, "home directory", init_home, NULL },
	{ STAGE_TELL_OUTSIDE, "ready", NULL, NULL },
	{ STAGE_TELL_INSIDE, "start", NULL, NULL },
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

void ctr_exec_init(struct stage *st, const struct spec *spec, int target)
{
	stage_init_list(st, spec, steps, ARRAY_SIZE(steps));
	st->target_pidfd = target;
}
