/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The user's parent user namespace: under it lives everything that Lamina runs
 *
 *      user's session ── parent namespace: 0 = the user, 1… = the subordinate ids
 *                          ├── monitors, overlay daemons, network processes, hand-made bridges
 *                          └── one user namespace per container
 */

#include "base/err.h"
#include "base/proc.h"
#include "overlay/idmap.h"

#include <stdbool.h>

struct userns {
	int rundir_fd; /* of rundir_open(); -1: not entered */
	bool single_id; /* no other id than the user's can be used */
	struct proc_id self; /* this process as a member */
};

#define USERNS_INIT                                                                                \
	{                                                                                          \
		.rundir_fd = -1                                                                    \
	}

/**
 * userns_enter() - make the calling process root of the parent namespace, and a member of it
 *
 * Joins the namespace if it exists; else makes it (with newuidmap and newgidmap, once), maps the
 * user to 0 and all subordinate ids from 1 on.  Without subordinate ids, or where they cannot be
 * used, it says so in one warning and maps the user alone.
 *
 * The process gets all capabilities in the namespace and a mount namespace of its own that belongs
 * to it; files stay reachable as before.  A caller that is in the namespace already stays there.
 * Only for processes with one thread.
 *
 * Return: 0, @ret is ended with userns_leave(); a negative errno with text and remedy where the
 * machine forbids it.
 */
int userns_enter(struct userns *ret, struct err *err);

/** userns_leave() - end the membership; the namespace itself ends with its last process */
void userns_leave(struct userns *ns);

/**
 * userns_write_maps() - map ids into a new user namespace below the caller's
 * @pid:        a process in it
 * @uids, @gids: outside ids are the caller's; an empty one maps all ids that the caller has
 */
int userns_write_maps(pid_t pid, const struct idmap *uids, const struct idmap *gids);

/**
 * userns_map_child() - map ids into a new user namespace, whoever the caller is
 * With CAP_SETUID and CAP_SETGID directly; the caller's own id alone without setgroups(2); all else
 * by newuidmap and newgidmap.
 */
int userns_map_child(
	pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err);

/**
 * userns_open_new() - a new user namespace with these maps, and nobody in it
 * Return: its fd, owned by the caller; a negative errno with a text.
 */
int userns_open_new(const struct idmap *uids, const struct idmap *gids, struct err *err);

/**
 * userns_default_ids() - ids for a container of which nothing but its user is known
 * @uid, @gid: in the container; become the caller's, the others the caller's subordinate ids
 * Return: 0, also without subordinate ids; -ENOMEM.
 */
int userns_default_ids(uint32_t uid, uint32_t gid, struct idmap *ret_uids, struct idmap *ret_gids);

/** userns_denies_setgroups() - whether groups cannot be changed where a process is */
bool userns_denies_setgroups(const char *proc_dir);

/** userns_own_ids() - the ids that the caller's user namespace has, each mapped to itself */
int userns_own_ids(struct idmap *ret_uids, struct idmap *ret_gids);

/** userns_probe() - can a user namespace be made?  0, or the error that containers would meet */
int userns_probe(struct err *err);

/** userns_probe_subids() - and can the subordinate ids be mapped in it?  Likewise; root needs none */
int userns_probe_subids(struct err *err);

/**
 * userns_explain() - say which setting of this machine forbids user namespaces, if one does
 * Return: @code, with a text and hint added to @err if a reason was found.
 */
int userns_explain(struct err *err, int code);

/** userns_hint_profile() - the AppArmor profile that lets @program make user namespaces, as a hint */
int userns_hint_profile(struct err *err, int code, const char *program);
