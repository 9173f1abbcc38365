/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a list of steps is made of, for the files that have one: runtime/stage.c, runtime/exec.c. */

#include "runtime/stage.h"

enum stage_side {
	STAGE_OUTSIDE,
	STAGE_INSIDE,
	STAGE_CLONE, /* by run(), which returns the inside's pid to the outside, 0 to the inside */
	STAGE_TELL_INSIDE, /* a meeting */
	STAGE_TELL_OUTSIDE,
	STAGE_SIDE_MAX_
};

struct stage_step {
	enum stage_side side;
	const char *name;
	int (*run)(struct stage *st, struct err *err); /* NULL for meetings */
	bool (*when)(const struct stage *st); /* NULL: always; both sides find the same answer */
};

/** stage_init_list() - ctr_stage_init() for another list */
void stage_init_list(
	struct stage *st, const struct spec *spec, const struct stage_step *steps, size_t n_steps);

/* Meetings after the filter is loaded: for programs without no_new_privs, and with. */
bool stage_listens_early(const struct stage *st);
bool stage_listens_late(const struct stage *st);

/** stage_hand_listener() - a step of the outside, behind the meeting "listening" */
int stage_hand_listener(struct stage *st, struct err *err);
