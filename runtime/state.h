/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The life of a container as a table of states and events.  Pure. */

enum ctr_state {
	CTR_CREATING,
	CTR_CREATED,
	CTR_RUNNING,
	CTR_PAUSED,
	CTR_STOPPED,
	CTR_DELETED,
	CTR_MAX_
};

enum ctr_event {
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

/** state_name() - the word of the OCI runtime specification, "running" */
const char *state_name(enum ctr_state state);

/** state_parse() - the state of a word; -EINVAL for any other word */
int state_parse(const char *word, enum ctr_state *ret);
