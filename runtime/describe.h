/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A container as data, for `inspect` and `ps`: the keys are podman's where they mean the same
 */

#include "runtime/control.h"
#include "runtime/spec.h"

#include <time.h>

struct describe {
	const char *store_path; /* absolute */
	int store_fd; /* borrowed: its networks say which addresses the container has */
	const struct control_ctr *ctr;
	const struct spec *spec; /* its configuration */
};

/** describe_inspect() - everything; a new reference, NULL: no memory, or text that is not UTF-8 */
json_t *describe_inspect(const struct describe *d);

/** describe_row() - one container for the templates of `ps`; @now for the words of time */
json_t *describe_row(const struct control_ctr *c, time_t now);

/** describe_status() - "Up 5 minutes", "Exited (0) 2 hours ago".  Pure. */
void describe_status(const struct record *r, time_t now, char *ret, size_t size);

/** describe_labels() - "NAME=VALUE" words as an object; NULL: no memory */
json_t *describe_labels(const struct strv *labels);
