/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The start of a container: one list of steps, walked by both sides of clone(2)
 *
 *      monitor   ctr_stage_spawn() ─clone─ maps ─────── … ── ctr_stage_wait_ready() ──
 * ctr_stage_start() ──▶ pid inside             └───────────── mounts, devices, masks ─▶ ready …
 * start ─▶ user, caps, exec
 *
 * Between spawn and ready the caller has time for what can happen meanwhile: the network.
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

struct stage {
	/* given by the caller */
	const struct spec *spec; /* borrowed, has a process */
	const struct sec_filter *filter; /* borrowed; NULL: none */
	struct rootfs rootfs; /* of rootfs_open(); ended by ctr_stage_done() */
	int stdio[3]; /* borrowed; -1: /dev/null.  Not used with a terminal */
	bool setgroups_denied; /* the parent namespace maps one id */

	/* of the monitor */
	pid_t pid;
	int pidfd; /* -1: nobody runs */
	int pty_fd; /* with a terminal: its master, from ctr_stage_wait_ready() on; the caller takes
		     * it
		     */
	int exit_code; /* after a failure: what the caller should exit with, enum stage_exit */

	/* of both sides */
	size_t at; /* next step of the list */
	int sock; /* to the other side */

	/* of the inside */
	int slave_fd;
	char program[4096]; /* what to execute, found by PATH */
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

/** ctr_stage_done() - close; kills and reaps a process that was not started */
void ctr_stage_done(struct stage *st);

/** ctr_stage_print() - the list, one step a line, to stdout: "inside  mount file systems" */
void ctr_stage_print(void);
