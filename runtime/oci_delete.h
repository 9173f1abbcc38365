/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The end of a container of lamina-runtime. */

#include "runtime/oci_state.h"

/** oci_delete_stopped() - cgroup, poststop hooks, directory; what fails is a warning */
void oci_delete_stopped(const struct oci_state *s, struct oci *o, const struct spec *spec);
