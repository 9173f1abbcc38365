#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is written to a file is what is read from it, through descriptors, mappings and around them.
# FSX_SEED and FSX_OPERATIONS (for each of six files) choose another run.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/ovl.sh"

TEST_TIMEOUT=3600
export FSX=$LAMINA_BUILD/fsx SEED=${FSX_SEED:-4711} OPERATIONS=${FSX_OPERATIONS:-4000}

check_fsx() {
	local i direct pids=()

	mkdir tree state
	mount -t tmpfs tmpfs state
	head -c 300000 /dev/urandom > tree/0
	for i in 1 2 3 4 5; do
		cp tree/0 "tree/$i"
	done
	truncate -s 400000 tree/5	# with a hole
	ln tree/4 tree/other
	mnt "$@"
	: > mnt/3	# one of the upper's own
	for i in 0 1 2 3 4 5; do
		direct=()
		[ "$i" != 1 ] || direct=(-d)
		"$FSX" "${direct[@]}" "mnt/$i" "$((SEED + i))" "$OPERATIONS" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "a difference (seed $SEED)"
	done
	md5sum mnt/* > before
	cmp mnt/4 mnt/other
	remount "$@"
	md5sum -c --quiet before
}

t_a_file_holds_what_was_written() {
	ns check_fsx
}

t_a_file_holds_what_was_written_where_opens_are_announced() {
	OPERATIONS=$((OPERATIONS / 4)) ns 'check_fsx -n'
}

run_tests
