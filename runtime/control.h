/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is done to a container from outside, by its record: signals, stop, wait, removal
 *
 * The caller need not be in the parent namespace, but for control_remove(): as the owner of that
 * namespace it may signal what runs below.
 */

#include "base/err.h"
#include "runtime/ctropts.h"
#include "runtime/record.h"
#include "runtime/spec.h"

struct control {
	int store_fd; /* root of the store, borrowed */
	int rundir_fd; /* borrowed */
};

/* A container as it was when it was looked at. */
struct control_ctr {
	struct record record;
	struct ctropts opts;
};

/** control_open() - find and read; 0 with @ret filled (control_ctr_done() it); -ENOENT */
int control_open(
	const struct control *ctl, const char *ref, struct control_ctr *ret, struct err *err);
void control_ctr_done(struct control_ctr *c);

static inline void cleanup_control_ctr(struct control_ctr *c)
{
	control_ctr_done(c);
}
#define auto_control_ctr __attribute__((cleanup(cleanup_control_ctr))) struct control_ctr

/** control_open_dir() - containers/<id>/, an fd owned by the caller */
int control_open_dir(const struct control *ctl, const char *id, struct err *err);

/** control_spec() - its configuration; spec_free() it */
int control_spec(const struct control *ctl, const char *id, struct spec **ret, struct err *err);

/** control_init() - a pidfd of its first process; -ESRCH with a text if it does not run */
int control_init(const struct record *r, struct err *err);

/**
 * control_open_root() - an O_PATH fd of the root directory that its processes see
 * @init: of control_init(), borrowed
 * Return: the fd, owned by the caller; -ESRCH with a text if it has ended meanwhile; -EACCES while
 * its program has not begun.
 */
int control_open_root(const struct record *r, int init, struct err *err);

/** control_kill() - a signal to its first process; -ESRCH if it does not run */
int control_kill(const struct record *r, int sig, struct err *err);

/** control_freeze() - stop all its processes, or let them go on; -EOPNOTSUPP where nothing can */
int control_freeze(const struct record *r, bool on, struct err *err);

/**
 * control_stop() - its stop signal, then SIGKILL after @timeout_s
 * Returns when its monitor has ended; 0 also if it did not run.
 */
int control_stop(
	const struct control *ctl, const struct record *r, uint64_t timeout_s, struct err *err);

/**
 * control_wait() - until it has ended
 * Return: its exit code; -ENODATA if nobody saw that.
 */
int control_wait(const struct control *ctl, const struct record *r, struct err *err);

enum control_remove_flags {
	CONTROL_FORCE = 1 << 0, /* end it first; a missing one is no error */
	CONTROL_VOLUMES = 1 << 1, /* with the volumes that nobody gave a name */
};

/**
 * control_remove() - remove a container
 * In the parent namespace, since what it wrote may belong to subordinate ids.
 * Return: 0; -ENOENT; -EBUSY while it runs.
 */
int control_remove(const struct control *ctl, const char *ref, unsigned int flags, struct err *err);
