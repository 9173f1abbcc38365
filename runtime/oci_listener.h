/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The listener of a seccomp filter, on its way to the agent that answers its questions. */

#include "runtime/oci_state.h"

/**
 * oci_listener_send() - connect to linux.seccomp.listenerPath and hand it over
 * @pid:    the process that is filtered, as the caller sees it
 * @status: of the container
 * Spec: OCI runtime-spec 1.2, config-linux.md, "The Container Process State".
 */
int oci_listener_send(const struct oci_state *s, const struct spec *spec, enum ctr_state status,
	int listener_fd, pid_t pid, struct err *err);
