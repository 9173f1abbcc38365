/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Examining an upper that is not mounted: what no overlay filesystem would have written, what leads
 * nowhere, what hides nothing
 *
 * Looks and changes nothing.
 */

#include "base/err.h"
#include "overlay/lower.h"

#include <stdio.h>

struct check_opts {
	int tree_fd; /* the upper; borrowed */
	int state_fd; /* the state directory, or -1; borrowed */
	struct lower
		*lower; /* what it lay over; NULL: only the upper itself is examined; borrowed */
	FILE *out; /* one line for each thing that is wrong: "PATH: what" */
};

/** check_upper() - the number of things that are wrong, or a negative errno */
int64_t check_upper(const struct check_opts *o, struct err *err);
