/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a container. */
#include "runtime/state.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <assert.h>

/* Row: where we are. Column: what happened. Empty: an error the user sees. State + 1. */
#define TO(s) ((s) + 1)
static const unsigned char next[CTR_MAX_][EV_MAX_] = {
	[CTR_CREATING] = { [EV_CONFIGURED] = TO(CTR_CONFIGURED),
		[EV_PREPARED] = TO(CTR_CREATED),
		[EV_EXITED] = TO(CTR_STOPPED) },
	[CTR_CONFIGURED] = { [EV_PREPARED] = TO(CTR_CREATED), [EV_DELETE] = TO(CTR_DELETED) },
	[CTR_CREATED] = { [EV_START] = TO(CTR_RUNNING), [EV_EXITED] = TO(CTR_STOPPED) },
	[CTR_RUNNING] = { [EV_PAUSE] = TO(CTR_PAUSED), [EV_EXITED] = TO(CTR_STOPPED) },
	[CTR_PAUSED] = { [EV_RESUME] = TO(CTR_RUNNING), [EV_EXITED] = TO(CTR_STOPPED) },
	[CTR_STOPPED] = { [EV_PREPARED] = TO(CTR_CREATED), [EV_DELETE] = TO(CTR_DELETED) },
};

static const char *const names[] = { "creating", "configured", "created", "running", "paused",
	"stopped", "deleted" };
static_assert(ARRAY_SIZE(names) == CTR_MAX_, "each state has a name");

static const char *const words[] = { "creating", "created", "initialized", "running", "paused",
	"exited", "removing" };
static_assert(ARRAY_SIZE(words) == CTR_MAX_, "each state has a word");

int state_next(enum ctr_state state, enum ctr_event event, enum ctr_state *ret)
{
	if (state >= CTR_MAX_ || event >= EV_MAX_ || next[state][event] == 0)
		return -EINVAL;
	*ret = (enum ctr_state)(next[state][event] - 1);
	return 0;
}

const char *state_name(enum ctr_state state)
{
	return state < CTR_MAX_ ? names[state] : "unknown";
}

const char *state_word(enum ctr_state state)
{
	return state < CTR_MAX_ ? words[state] : "unknown";
}

bool state_is_live(enum ctr_state state)
{
	return state == CTR_CREATED || state == CTR_RUNNING || state == CTR_PAUSED;
}

int state_parse(const char *word, enum ctr_state *ret)
{
	for (int i = 0; i < CTR_MAX_; i++)
		if (str_eq(word, names[i])) {
			*ret = (enum ctr_state)i;
			return 0;
		}
	return -EINVAL;
}
