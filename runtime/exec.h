/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A further program in a running container
 *
 *      ctr_exec_init() ─▶ ctr_stage_spawn() ─▶ ctr_stage_wait_ready() ─▶ ctr_stage_start()
 *
 * It joins all namespaces of the container's first process by its pidfd.  With a terminal,
 * st->pty_fd is there from "ready" on, before the program's first byte, so its size can be set.
 * The process is a child of the caller's.  Nothing is written down, so nothing goes stale.
 */

#include "runtime/stage.h"

/**
 * ctr_exec_init() - a stage for ctr_stage_spawn()
 * @spec:   borrowed; its ->process is what runs, ->seccomp is not used (st->filter is), all else
 *          is ignored
 * @target: pidfd of the container's first process, borrowed
 *
 * The caller has CAP_SYS_ADMIN over the container's user namespace.  st->filter, st->stdio,
 * st->flags and what follows may be set before ctr_stage_spawn(), which answers -ESRCH if the
 * container does not run any more.
 */
void ctr_exec_init(struct stage *st, const struct spec *spec, int target);
