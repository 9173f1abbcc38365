/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Programs that the configuration wants run at moments of a container's life. */

#include "runtime/spec.h"

#define HOOK_TEXT_BYTES 256 /* of what a failed one printed, for the error */

/**
 * hooks_run() - run all hooks of a kind, in their order, until one fails
 * @state: JSON for their standard input, @len bytes
 *
 * They see the caller's namespaces and root.  One that takes longer than its timeout is killed.
 *
 * Return: 0; -EIO with the hook's exit code and what it printed; -ETIMEDOUT; -ENOENT, ….
 */
int hooks_run(const struct spec *spec, enum spec_hook_kind kind, const char *state, size_t len,
	struct err *err);

/** hooks_name() - the word of config.json: "createRuntime" */
const char *hooks_name(enum spec_hook_kind kind);
