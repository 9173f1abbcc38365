/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process that becomes the container's first: cloned into new namespaces and existing ones
 *
 *      all new                                          clone3(CLONE_NEW…)
 *      some are joined          helper: setns(2) …  ──▶ clone3(CLONE_PARENT | CLONE_NEW…)
 *      joined by new root only  … ──▶ inside, when it is root of its user namespace: setns(2)
 *
 * The caller itself never changes its namespaces.
 */

#include "runtime/stage.h"

/** nsjoin_open() - open and check the namespaces that the spec gives paths of, into st->ns_fds */
int nsjoin_open(struct stage *st, struct err *err);

/** nsjoin_open_of() - the namespaces of st->target_pidfd that are not the caller's own */
int nsjoin_open_of(struct stage *st, struct err *err);

/**
 * nsjoin_clone() - make the process
 * Return: 1 outside, with st->pid, st->pidfd, st->sock; 0 inside, with st->sock; a negative errno.
 */
int nsjoin_clone(struct stage *st, struct err *err);

/** nsjoin_rest() - inside, as root of the namespaces: join what could not be joined before */
int nsjoin_rest(struct stage *st, struct err *err);

/** nsjoin_done() - close */
void nsjoin_done(struct stage *st);
