/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Hooks as lamina-runtime runs them: with the state that the specification describes. */

#include "runtime/oci_create.h"

/** oci_hooks_prepare() - have the stage run its kinds */
void oci_hooks_prepare(struct oci_create *c);

/** oci_hooks_run() - hooks of a kind with a state */
int oci_hooks_run(const struct oci_state *s, const struct spec *spec, enum spec_hook_kind kind,
	enum ctr_state status, struct err *err);
