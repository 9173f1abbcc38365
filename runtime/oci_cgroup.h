/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cgroup of a container of lamina-runtime: where, by whom, and what if there can be none. */

#include "runtime/oci_create.h"

/**
 * oci_cgroup_prepare() - make the cgroup and set its limits, before the process exists
 *
 * Sets c->state.cgroup and c->stage.enter_cgroup, or leaves them where the caller may have none:
 * that is an error only if the configuration asks for limits.
 */
int oci_cgroup_prepare(struct oci_create *c, struct err *err);

/** oci_cgroup_open() - of a container; -ENOENT if it has none */
int oci_cgroup_open(const struct oci_state *s);

/** oci_cgroup_need() - the same where a verb cannot do without: the text says why there is none */
int oci_cgroup_need(const struct oci_state *s, struct err *err);

/** oci_cgroup_remove() - after the end; what cannot be removed is left to whoever holds it */
void oci_cgroup_remove(const struct oci_state *s);
