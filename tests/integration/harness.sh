#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lib.sh itself: a failure is seen, and nothing outlives its test.
. "${0%/*}/lib.sh"

# run_file BODY: a test file with that body; its TAP is in the file tap, its exit status in code
run_file() {
	code=0
	printf '. "%s/lib.sh"\n%s\nrun_tests\n' "$TEST_DIR" "$1" > file.sh
	TEST_KEEP='' bash file.sh > tap 2>&1 || code=$?
}

t_failures_are_counted_and_explained() {
	run_file 't_good() { true; }
t_bad() { assert_eq one two word; }
t_after() { true; }'
	assert_eq "$code" 1
	assert_content tap "ok 1 - t_good
not ok 2 - t_bad
# failed at line 3: word is 'one', not 'two'
ok 3 - t_after
1..3"
}

t_a_failing_command_fails_the_test() {
	run_file 't_x() { false; true; }'
	assert_match "$(cat tap)" '^not ok 1 - t_x$'
	run_file 't_x() { echo "$unset_variable"; }'
	assert_match "$(cat tap)" '^not ok 1 - t_x$'
}

t_skip_gives_its_reason() {
	run_file 't_x() { skip "no such thing"; }'
	assert_eq "$code" 0
	assert_match "$(cat tap)" '^ok 1 - t_x # SKIP no such thing$'
	run_file 'setup_file() { skip "nothing works"; }
t_x() { true; }'
	assert_content tap '1..0 # SKIP nothing works'
}

t_a_failing_setup_is_a_failure() {
	run_file 'setup_file() { false; }
t_x() { true; }'
	assert_eq "$code" 1
	assert_match "$(cat tap)" '^not ok 1 - setup_file$'
}

t_what_setup_makes_is_there_for_each_test() {
	run_file 'setup_file() { FIX_WORD="two words" FIX_WEB=$(start_http .); }
t_x() { assert_eq "$FIX_WORD" "two words"; : < "/dev/tcp/${FIX_WEB/://}"; }
t_y() { t_x; }'
	assert_eq "$code" 0 "$(cat tap)"
}

t_each_test_has_a_store_and_a_runtime_directory() {
	run_file 't_x() { assert_eq "$LAMINA_ROOT $XDG_RUNTIME_DIR" "$T/store $T/run"; }'
	assert_eq "$code" 0 "$(cat tap)"
}

t_daemons_do_not_outlive_their_test() {
	run_file "t_x() { setsid sh -c 'echo \$\$ > $T/pid; exec sleep 1000' & wait_for 'test -s $T/pid'; }
t_y() { ! kill -0 \$(cat $T/pid); }"
	assert_eq "$code" 0 "$(cat tap)"
}

t_a_test_that_hangs_is_ended() {
	TEST_TIMEOUT=1 TEST_SCALE=1 run_file 't_x() { sleep 1000; }
t_y() { true; }'
	assert_content tap 'not ok 1 - t_x
# no end within 1 s
ok 2 - t_y
1..2'
}

t_files_of_any_owner_are_removed() {
	in_userns true
	run_file "t_x() { echo \$T > $T/where; mkdir d; in_userns sh -c 'echo > d/f; chown -R 1000:1000 d; chmod 0 d'; }"
	assert_eq "$code" 0 "$(cat tap)"
	assert_missing "$(cat where)"
}

t_assert_fails_wants_the_exit_code_and_the_text() {
	assert_fails 3 'b.d' sh -c 'echo bad; exit 3'
	run_file 't_x() { assert_fails 3 good sh -c "echo bad; exit 3"; }
t_y() { assert_fails 4 bad sh -c "echo bad; exit 3"; }
t_z() { assert_fails any "" true; }'
	assert_eq "$(grep -c '^not ok' tap)" 3
}

run_tests
