/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container sees as its file system, from the spec and a detached mount of its root
 *
 *      outside, in the monitor    rootfs_open()         everything of the host that it gets, as fds
 *      inside, host still there   rootfs_make()         new proc, sysfs, tmpfs, … as fds
 *      inside                     rootfs_pivot()        the host is gone from here on
 *      inside                     rootfs_mount()        the fds are put into place
 *                                 rootfs_devices() rootfs_console() rootfs_freeze()
 *                                 rootfs_mask() rootfs_seal()
 *
 * No path of the image is looked at while a path of the host could still be reached.
 */

#include "base/err.h"
#include "runtime/mountopt.h"
#include "runtime/spec.h"

#include <stdbool.h>

#define ROOTFS_N_NODES 6

struct rootfs_node {
	const char *path;
	unsigned int minor, major;
};

/* The standard devices, in runtime/rootfs.c; the first is /dev/null. */
extern const struct rootfs_node rootfs_nodes[ROOTFS_N_NODES];

struct rootfs_mount {
	struct mountopt mo;
	int fd; /* detached, then in place; -1: not made yet */
	bool tree; /* taken from the host in place of a new one, with what is mounted below */
	int userns_fd; /* the ids of files are shifted by its maps; -1: they are not */
	char *link; /* instead of a mount: a symbolic link with this target.  NULL: none */
};

struct rootfs {
	const struct spec *spec; /* borrowed */
	int root_fd; /* the root's mount, owned */
	struct rootfs_mount *mounts; /* spec->n_mounts of them */
	int node_fds[ROOTFS_N_NODES]; /* detached /dev/null and its like */
	int *device_fds; /* detached, spec->n_devices of them */
	bool makes_nodes; /* device nodes are made, not bound */
	bool in_order; /* rootfs_take() runs inside, and leaves bind mounts to rootfs_make() */
	bool attached; /* by rootfs_attach() */
	int proc_fd; /* borrowed: the container's own procfs, of mounts[]; -1: none */
};

/** rootfs_is_bind() - whether a mount shows something of the host */
bool rootfs_is_bind(const struct spec_mount *m, const struct mountopt *mo);

/** rootfs_may_make_nodes() - whether the caller may make device nodes: in no other user namespace
 * than the machine's first */
bool rootfs_may_make_nodes(void);

/**
 * rootfs_init() - read the mount options, take nothing of the host yet; end with rootfs_done()
 * Outside: it makes user namespaces for mounts whose ids are shifted.
 */
int rootfs_init(struct rootfs *rf, const struct spec *spec, struct err *err);

/**
 * rootfs_take() - clone what the spec takes from the host; the root too, unless it is there
 * The caller has CAP_SYS_ADMIN over its mount namespace, which sees @bundle_fd (or AT_FDCWD).
 */
int rootfs_take(struct rootfs *rf, int bundle_fd, struct err *err);

/**
 * rootfs_open() - both, with a root that the caller made: clone what the spec takes from the host
 * @bundle_fd: directory that relative sources start from, borrowed
 * @root_fd:   detached mount; consumed, also on failure
 *
 * The caller has CAP_SYS_ADMIN over its mount namespace.  End with rootfs_done().
 */
int rootfs_open(
	struct rootfs *rf, const struct spec *spec, int bundle_fd, int root_fd, struct err *err);
void rootfs_done(struct rootfs *rf);

/** rootfs_part() - no mount made from now on shows in the host's mount namespace */
int rootfs_part(struct err *err);

int rootfs_make(struct rootfs *rf, struct err *err);

/** rootfs_attach() - put the root on a directory of the host, instead of at once on "/" */
int rootfs_attach(struct rootfs *rf, const char *path, struct err *err);

enum rootfs_pivot_flags {
	ROOTFS_CHROOT = 1 << 0, /* where pivot_root(2) cannot work */
	ROOTFS_STAY =
		1 << 1, /* chroot(2) to where rootfs_attach() put it: others see these mounts */
};

int rootfs_pivot(struct rootfs *rf, enum rootfs_pivot_flags flags, struct err *err);

/** rootfs_mount() - put all mounts into place, in runtime/rootmount.c as what follows on it */
int rootfs_mount(struct rootfs *rf, struct err *err);

/** rootfs_freeze() - make those mounts read-only that are to be, when nothing is to be made in them */
int rootfs_freeze(struct rootfs *rf, struct err *err);

/** rootfs_devices() - nodes and links of /dev, in runtime/rootdev.c */
int rootfs_devices(struct rootfs *rf, struct err *err);

/**
 * rootfs_console() - a terminal of the container's own devpts, also as /dev/console
 * @ret_master, @ret_slave: owned by the caller
 */
int rootfs_console(struct rootfs *rf, int *ret_master, int *ret_slave, struct err *err);

/**
 * rootfs_terminal() - the same without /dev/console, in any container
 * @root_fd: its root directory
 */
int rootfs_terminal(int root_fd, const struct spec_process *p, int *ret_master, int *ret_slave,
	struct err *err);

/** rootfs_mask() - masked and read-only paths */
int rootfs_mask(struct rootfs *rf, struct err *err);

/** rootfs_seal() - the root's propagation and, last of all, its read-only flag */
int rootfs_seal(struct rootfs *rf, struct err *err);
