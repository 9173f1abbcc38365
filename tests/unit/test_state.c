/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/state.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(a_container_lives_from_creating_to_deleted)
{
	static const enum ctr_event life[] = { EV_PREPARED, EV_START, EV_PAUSE, EV_RESUME,
		EV_EXITED, EV_DELETE };
	enum ctr_state s = CTR_CREATING;

	for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++)
		CHECK_INT(state_next(s, life[i], &s), ==, 0);
	CHECK_INT(s, ==, CTR_DELETED);
}

TEST(a_container_can_be_made_first_and_live_more_than_once)
{
	static const enum ctr_event life[] = { EV_CONFIGURED, EV_PREPARED, EV_START, EV_EXITED,
		EV_PREPARED, EV_START, EV_EXITED, EV_DELETE };
	enum ctr_state s = CTR_CREATING;

	for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++)
		CHECK_INT(state_next(s, life[i], &s), ==, 0);
	CHECK_INT(s, ==, CTR_DELETED);
}

TEST(only_a_container_without_processes_can_be_deleted)
{
	for (int s = 0; s < CTR_MAX_; s++) {
		enum ctr_state to = CTR_MAX_;
		int r = state_next((enum ctr_state)s, EV_DELETE, &to);

		bool can = s == CTR_STOPPED || s == CTR_CONFIGURED;

		CHECK_INT(r, ==, can ? 0 : -EINVAL);
		CHECK_INT(to, ==, can ? CTR_DELETED : CTR_MAX_);
	}
}

TEST(every_living_state_ends_when_the_process_does)
{
	for (int s = 0; s < CTR_MAX_; s++) {
		enum ctr_state to;
		int r = state_next((enum ctr_state)s, EV_EXITED, &to);

		bool lives = s == CTR_CREATING || state_is_live((enum ctr_state)s);

		CHECK_INT(r, ==, lives ? 0 : -EINVAL);
	}
	CHECK_INT(state_next(CTR_MAX_, EV_EXITED, &(enum ctr_state){ 0 }), ==, -EINVAL);
}

TEST(words_and_states_are_one_to_one)
{
	for (int s = 0; s < CTR_MAX_; s++) {
		enum ctr_state back = CTR_MAX_;

		CHECK_INT(state_parse(state_name((enum ctr_state)s), &back), ==, 0);
		CHECK_INT(back, ==, s);
	}
	CHECK_INT(state_parse("Running", &(enum ctr_state){ 0 }), ==, -EINVAL);
}
