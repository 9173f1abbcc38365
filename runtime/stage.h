/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The start of a container, or of a program in one: a list of steps, walked by both sides of clone(2)
 *
 *      monitor   ctr_stage_spawn() ─clone─ maps ─────── … ── ctr_stage_wait_ready() ──
 * ctr_stage_start() ──▶ pid inside             └───────────── mounts, devices, masks ─▶ ready …
 * start ─▶ user, caps, exec
 *
 * Between spawn and ready the caller has time for what can happen meanwhile: the network.  Between
 * ready and start the container is what OCI calls created; a detached one can be started by another
 * process, with ctr_stage_resume().
 *
 * ctr_exec_init() of runtime/exec.h makes a stage that joins a container; the rest is the same.
 */

#include "base/err.h"
#include "runtime/rootfs.h"
#include "runtime/seccomp.h"
#include "runtime/spec.h"

#include <stdbool.h>

enum stage_exit {
	STAGE_EXIT_FAILED = 125, /* we */
	STAGE_EXIT_CANNOT_RUN = 126,
	STAGE_EXIT_NOT_FOUND = 127,
};

enum stage_flags {
	STAGE_DETACHED = 1 << 0, /* with ctr_exec_init(): outlives the monitor */
	STAGE_NO_PIVOT = 1 << 1, /* chroot(2) instead of pivot_root(2), for a root on a ramfs */
	STAGE_KEEP_KEYRING = 1 << 2, /* no session keyring of its own */
	STAGE_OPEN_INSIDE = 1 << 3, /* only the new user namespace may clone mounts; paths start at
				     * the working directory
				     */
	STAGE_ALONE = 1 << 4, /* set inside: the monitor may have gone */
};

struct stage_step;

struct stage {
	/* given by the caller */
	const struct spec *spec; /* borrowed, has a process */
	const struct sec_filter *filter; /* borrowed; NULL: none */
	struct rootfs rootfs; /* of rootfs_open(); ended by ctr_stage_done() */
	int stdio[3]; /* borrowed; -1: /dev/null.  Not used with a terminal */
	unsigned int flags; /* enum stage_flags */
	unsigned int n_preserve_fds; /* 3… stay open for the program */
	int init_fd; /* of initprog_open(): runs the program and reaps; -1: the program is first */
	bool setgroups_denied; /* the parent namespace maps one id */
	int start_sock; /* listening; who connects to it starts a detached one.  -1: the monitor */
	int target_pidfd; /* with ctr_exec_init(): first process of the container, borrowed */
	/* Outside, the inside exists and waits: move it into a cgroup.  NULL: stay */
	int (*enter_cgroup)(void *arg, pid_t pid, struct err *err);
	/* Run hooks of a kind, outside or inside; @pid as that side sees it.  NULL: there are none */
	int (*run_hooks)(void *arg, enum spec_hook_kind kind, pid_t pid, struct err *err);
	/* Outside: give the listener of the seccomp filter to who answers it.  NULL: there is none */
	int (*hand_listener)(void *arg, int listener_fd, pid_t pid, struct err *err);
	void *arg; /* of all three */

	/* of the monitor */
	pid_t pid;
	int pidfd; /* -1: nobody runs */
	int netns_fd; /* with a pid namespace that is joined: the inside's network, which nobody can
		       * look up
		       */
	int pty_fd; /* with a terminal: its master, from ctr_stage_wait_ready() on; the caller takes
		     * it
		     */
	int exit_code; /* after a failure: what the caller should exit with, enum stage_exit */

	/* of both sides */
	const struct stage_step *steps;
	size_t n_steps;
	size_t at; /* next step of the list */
	int sock; /* to the other side */
	int listener_fd; /* of the seccomp filter, on its way from the inside; -1: none */
	int ns_fds[SPEC_NS_MAX_]; /* to be joined; -1: none */

	/* of the inside */
	int slave_fd;
	int label_fd; /* where the security label of the program is written; -1: none */
	char program[4096]; /* what to execute, found by PATH */
	const char **env; /* of the program with what was missing; NULL: as in the spec */
};

void ctr_stage_init(struct stage *st, const struct spec *spec);

/** ctr_stage_spawn() - make the namespaces and let the inside begin; ready comes later */
int ctr_stage_spawn(struct stage *st, struct err *err);

/** ctr_stage_wait_ready() - the root file system stands, the program was found */
int ctr_stage_wait_ready(struct stage *st, struct err *err);

/**
 * ctr_stage_start() - let the program begin
 * Return: 0 once it is being executed; else what went wrong inside, st->exit_code set.
 */
int ctr_stage_start(struct stage *st, struct err *err);

/**
 * ctr_stage_resume() - be the outside of a detached container that another process made
 * @sock: connected to its start_sock, consumed
 * Only ctr_stage_start() and ctr_stage_done() may follow.
 */
void ctr_stage_resume(struct stage *st, const struct spec *spec, int sock);

/** ctr_stage_release() - let go of the process: ctr_stage_done() will not end it */
void ctr_stage_release(struct stage *st);

/** ctr_stage_done() - close; kills and reaps a process that was not released */
void ctr_stage_done(struct stage *st);

/** ctr_stage_print() - the list, one step a line, to stdout: "inside  mount file systems" */
void ctr_stage_print(void);
