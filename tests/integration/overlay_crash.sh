#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon dies at any change that it makes on disk, or the change fails: the next mount shows what was
# there before the operation or what is there after it.
# CRASH_POINTS (default 12, for each test; 0: all, which takes minutes) and CRASH_SEED choose others.

. "${0%/*}/lib.sh"

export POINTS=${CRASH_POINTS:-12} SEED=${CRASH_SEED:-$((RANDOM % 1000))}
[ "$POINTS" != 0 ] || TEST_TIMEOUT=1800

# sweep kill|ERRNO [OPTIONS]
sweep() {
	local n

	need strace python3
	echo "# seed $SEED"
	n=$(in_userns python3 "$SRC/tests/tools/crash_sweep.py" "$1" "$POINTS" "$SEED" "${2-}")
	[ "$n" -gt 0 ] || fail "no point was tried"
	echo "# $n points"
}

t_death_at_any_change() { sweep kill; }
t_death_with_redirects() { sweep kill ,redirect_dir=on,metacopy=on; }
t_death_with_whiteouts_that_are_names() { FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT=1 sweep kill; }
t_a_full_disk_at_any_change() { sweep ENOSPC; }
t_a_quota_at_any_change() { sweep EDQUOT ,redirect_dir=on,metacopy=on; }
t_a_disk_that_fails_at_any_change() { sweep EIO; }
t_a_disk_that_turns_read_only_at_any_change() { sweep EROFS; }

run_tests
