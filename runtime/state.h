/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The life of a container as a table of states and events.  Pure. */

#include <stdbool.h>

enum ctr_state {
	CTR_CREATING, /* its files are being made */
	CTR_CONFIGURED, /* it has all its files, and no process yet */
	CTR_CREATED, /* its namespaces and its first process stand; the program has not begun */
	CTR_RUNNING,
	CTR_PAUSED,
	CTR_STOPPED,
	CTR_DELETED,
	CTR_MAX_
};

enum ctr_event {
	EV_CONFIGURED, /* its files are complete */
	EV_PREPARED, /* namespaces and root file system stand */
	EV_START,
	EV_PAUSE,
	EV_RESUME,
	EV_EXITED, /* the first process has ended, or never came so far */
	EV_DELETE,
	EV_MAX_
};

/** state_next() - where an event leads; -EINVAL if it cannot happen in this state */
int state_next(enum ctr_state state, enum ctr_event event, enum ctr_state *ret);

/** state_name() - the word of the OCI runtime specification, "running"; "configured" is ours */
const char *state_name(enum ctr_state state);

/** state_word() - the word of listings, as podman has it: "exited" */
const char *state_word(enum ctr_state state);

/** state_is_live() - whether processes belong to it */
bool state_is_live(enum ctr_state state);

/** state_parse() - the state of a word; -EINVAL for any other word */
int state_parse(const char *word, enum ctr_state *ret);
