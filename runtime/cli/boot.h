/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From a container's files to its running monitor: what `run`, `create` and `start` share
 *
 *      store ─▶ image ─▶ container (new or existing) ─▶ root ─▶ network ─▶ monitor
 */

#include "base/json.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/client.h"
#include "runtime/container.h"

struct boot {
	struct img_store *store;
	struct img img; /* lease_fd -1 if there is none */
	json_t *image_config; /* NULL with a root file system of one's own */
	struct container c;
	int root_mount; /* -1: not mounted */
	struct network network;
	char *ns_paths[SPEC_NS_MAX_]; /* of namespaces that are shared; NULL: not */
	struct idmap uids, gids; /* the container's on the parent namespace's, by boot_root() */
};

void boot_init(struct boot *b);

/** boot_image() - resolve an image and take a lease on it; -ENOENT has a hint */
int boot_image(struct boot *b, const char *name, struct err *err);

/** boot_drop_image() - let go of what boot_image() took */
void boot_drop_image(struct boot *b);

/** boot_open() - hold an existing container that does not run, and its image; errors of ctr_open() */
int boot_open(struct boot *b, const char *id, struct err *err);

/** boot_network() - from b->c.opts: what the network is to be */
int boot_network(struct boot *b, struct err *err);

/** boot_root() - mount the root file system of the held container */
int boot_root(struct boot *b, struct err *err);

/** boot_unmount() - drop that mount again, of a container that is not started now */
void boot_unmount(struct boot *b);

/**
 * boot_start() - the configured container's processes, up to the running program
 * @opts: ->root_mount and ->network are filled in
 */
int boot_start(struct boot *b, struct ctr_start_opts *opts, struct err *err);

/**
 * boot_monitor() - the monitor's life behind the start: @r is what came of it
 * A client that still waits at @client is told of a failure.  Return: the exit code.
 */
int boot_monitor(struct boot *b, int client, int r, struct err *err);

void boot_done(struct boot *b);
