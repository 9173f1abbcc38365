/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is written down about containers, in the store
 *
 *      containers/<id>/lock         held by the monitor as long as the container lives
 *      containers/<id>/state.json   struct record
 *      containers/<id>/name         the name that it was given later: stands for that in state.json,
 *                                   which a monitor writes
 *      containers/<id>/config.json  the OCI bundle, and what else belongs to the container
 *      containers/.names/NAME       symlink to the id
 *      containers/.gone/<id>        the container goes when its lock is free: `run --rm`, or one
 *                                   that was never completely made
 *
 * Liveness is the lock, never a pid: the kernel drops it with the monitor, however that ends.
 */

#include "base/err.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/state.h"

#include <stdbool.h>
#include <stdint.h>

#define CTR_ID_LEN	  64
#define CTR_SHORT_ID_LEN  12
#define LIMIT_CTR_NAME	  128
#define LIMIT_STATE_BYTES (1 << 20)

struct record {
	char id[CTR_ID_LEN + 1];
	char *name; /* unique in the store; the short id where none was given */
	char *image; /* as it was asked for; NULL: none */
	char *image_id; /* digest of its config; NULL: none */
	char *command; /* as one line, for listings */
	char *cgroup; /* while it lives, below the mount; NULL: none */
	enum ctr_state state;
	struct proc_id init; /* first process, seen from the monitor's pid namespace */
	struct proc_id monitor;
	int exit_code; /* of a stopped one; -1: nobody saw it end */
	int64_t created_ns; /* since the epoch; for an order of those made within a second */
	int64_t created_s, started_s, finished_s; /* since the epoch; 0: not yet */
	bool auto_remove;
	char machine_id[33]; /* "" if this machine has none */
	char boot_id[37];
};

void record_done(struct record *r);

/* A container's directory, held. */
struct ctr_dir {
	char id[CTR_ID_LEN + 1];
	int containers_fd; /* containers/ */
	int fd; /* containers/<id>/ */
	int lock_fd;
};

#define CTR_DIR_INIT                                                                               \
	{                                                                                          \
		.containers_fd = -1, .fd = -1, .lock_fd = -1                                       \
	}

/** ctr_dir_close() - end the hold; the lock goes with it unless a child kept the fd */
void ctr_dir_close(struct ctr_dir *d);

/**
 * ctr_dir_create() - a new container: id, directory, lock, name
 * @store_fd: root of the store, borrowed
 * @name:     borrowed; NULL: the short id
 *
 * Until ctr_dir_keep() the container is one that the next sweep removes.
 * Return: 0; -EEXIST if the name is taken; -EINVAL for a name that is none.
 */
int ctr_dir_create(int store_fd, const char *name, struct ctr_dir *ret, struct err *err);

/** ctr_dir_keep() - from now on the container outlives its monitor */
int ctr_dir_keep(const struct ctr_dir *d, struct err *err);

/** ctr_dir_doom() - from now on it goes with its monitor */
int ctr_dir_doom(const struct ctr_dir *d, struct err *err);

/** ctr_dir_remove() - remove the directory and all that is in it, and the name */
int ctr_dir_remove(const struct ctr_dir *d, const char *name, struct err *err);

/**
 * ctr_dir_take() - hold an existing container that has no monitor
 * Return: 0; -ENOENT; -EBUSY while it lives.
 */
int ctr_dir_take(int store_fd, const char *id, struct ctr_dir *ret, struct err *err);

/** record_init() - a record of this machine, this boot and this process */
void record_init(struct record *r, const char *id);

/** record_stamp_boot() - note the machine and boot that it runs on */
void record_stamp_boot(struct record *r);

/** record_load() - what state.json of a held container says */
int record_load(const struct ctr_dir *d, struct record *ret, struct err *err);

/** record_write() - replace state.json */
int record_write(const struct ctr_dir *d, const struct record *r, struct err *err);

/**
 * record_read() - what state.json says, corrected by the lock: a live container without a monitor
 * was not seen to end, so it is CTR_STOPPED, exit code -1
 */
int record_read(int store_fd, const char *id, struct record *ret, struct err *err);

/**
 * record_find() - the id of a container by name, id, or a prefix of its id
 * Return: 0 with @ret_id filled; -ENOENT; -EEXIST if a prefix is ambiguous.
 */
int record_find(int store_fd, const char *ref, char ret_id[CTR_ID_LEN + 1], struct err *err);

/**
 * record_rename() - give a container another name, whether it runs or not
 * Return: 0; -EEXIST if the name is taken; -EINVAL for a name that is none; -ENOENT.
 */
int record_rename(int store_fd, const char *id, const char *name, struct err *err);

/** record_list() - the ids of all containers, unsorted; 0 or a negative errno */
int record_list(int store_fd, struct strv *ret, struct err *err);

/**
 * record_sweep() - remove what containers left that should be gone and have no monitor
 *
 * Costs one directory listing if there is nothing to do.  Containers of another machine (the store
 * may be shared) are left alone.
 * @rundir_fd: where their sockets are; -1: these stay
 */
void record_sweep(int store_fd, int rundir_fd);
