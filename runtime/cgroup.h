/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Control groups, version 2
 *
 *      cgroup_mount_open() ─▶ cgroup_make() ─▶ cgroup_add(), cgroup_apply() … cgroup_remove()
 *
 * Everything goes through a directory fd of the hierarchy, so a fake tree serves as well.  Machines
 * with both versions have version 2 at /sys/fs/cgroup/unified, mostly without controllers; groups
 * can be made, frozen and killed there all the same.
 * Spec: kernel Documentation/admin-guide/cgroup-v2.rst
 */

#include "base/err.h"
#include "base/str.h"
#include "runtime/spec.h"

#include <stdbool.h>
#include <sys/types.h>

#define LIMIT_CGROUP_FILE_BYTES (1 << 20)

/** cgroup_mount_open() - the root of the hierarchy; -ENOENT where there is none */
int cgroup_mount_open(void);

/** cgroup_own_path() - where the caller is, below the mount: "/user.slice/…", owned by the caller */
int cgroup_own_path(char **ret);

/**
 * cgroup_make() - make a group with its parents
 * @path: below the mount; components "." and ".." are refused
 * @res:  controllers that it needs are switched on in the parents, as far as they allow it
 * Return: an fd of it, owned by the caller; -EROFS, -EACCES, … where that is not allowed.
 */
int cgroup_make(int mount_fd, const char *path, const struct spec_resources *res, struct err *err);

/** cgroup_open() - an fd of an existing one, or a negative errno */
int cgroup_open(int mount_fd, const char *path);

/** cgroup_add() - move a process into it */
int cgroup_add(int fd, pid_t pid, struct err *err);

/**
 * cgroup_apply() - set limits
 * Return: 0; -EOPNOTSUPP with a text that names the controller that is missing and the remedy;
 * another negative errno that names the file.
 */
int cgroup_apply(int fd, const struct spec_resources *res, struct err *err);

/**
 * cgroup_filter_devices() - have the kernel apply res->devices to all accesses from the group
 * Needs CAP_SYS_ADMIN of the machine's first user namespace.  In runtime/cgroup_devices.c.
 */
int cgroup_filter_devices(int fd, const struct spec_resources *res, struct err *err);

/** cgroup_wants_limits() - whether anything is asked for that needs a controller */
bool cgroup_wants_limits(const struct spec_resources *res);

/** cgroup_freeze() - stop (or let go) all processes, and wait until it is so */
int cgroup_freeze(int fd, bool on, struct err *err);

bool cgroup_frozen(int fd);

/** cgroup_kill() - SIGKILL to all of it; 0 or a negative errno */
int cgroup_kill(int fd);

/** cgroup_signal() - a signal to each process in it; 0 or a negative errno */
int cgroup_signal(int fd, int sig);

/** cgroup_pids() - its processes and those of groups below it */
int cgroup_pids(int fd, pid_t **ret, size_t *ret_n);

/** cgroup_remove() - the group and those below it, once their processes are gone; 0 if missing */
int cgroup_remove(int mount_fd, const char *path);

/** cgroup_read() - a file of a group as text, owned by the caller; 0 or a negative errno */
int cgroup_read(int fd, const char *name, char **ret);

/** cgroup_read_u64() - a file that holds a number; "max" is UINT64_MAX; 0 or a negative errno */
int cgroup_read_u64(int fd, const char *name, uint64_t *ret);
