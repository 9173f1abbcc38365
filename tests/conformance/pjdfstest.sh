#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# No assertion of pjdfstest fails on an image mount that kernel overlayfs fulfils in the same kind
# of user namespace, and none at all as root: on the filesystem of $TMPDIR, which should be ext4.  What
# pjdfstest itself marks as a known failure on Linux does not count.
#
# PJDFSTEST names a checkout of pjdfstest with its program built; PJDFSTEST_GROUPS, if set, the
# groups of tests to run ("rename unlink").

. "${0%/*}/../integration/lib.sh"

TEST_TIMEOUT=3600

# Runs inside the namespace: mount both, run every file on both, a list of "file assertion" each.
run_both() {
	local groups=${PJDFSTEST_GROUPS-} kind

	mkdir -p tree k/upper k/work k/mnt o/state o/mnt
	echo content > tree/file
	mount -t overlay overlay -o userxattr,lowerdir=tree,upperdir=k/upper,workdir=k/work k/mnt
	"$LAMINA_BUILD/ovlmount" tree o/state o/mnt > /dev/null
	for kind in k o; do
		mkdir "$kind/mnt/work"
		run_files "$kind" "${groups:-$(ls "$PJDFSTEST/tests")}" > "$kind/failures" &
	done
	wait
	umount k/mnt o/mnt
}

# run_files KIND GROUPS: prints the assertions that fail
run_files() {
	local file group name

	for group in $2; do
		[ -d "$PJDFSTEST/tests/$group" ] || continue
		for file in "$PJDFSTEST/tests/$group"/*.t; do
			name=$group/${file##*/}
			(cd "$1/mnt/work" && bash "$file" 2> /dev/null) > "$1/out" || true
			grep -q '^1\.\.' "$1/out" || echo "$name aborted"
			sed -n "/ # T[O]DO /d; s|^not ok \([0-9]*\).*|$name \1|p" "$1/out"
		done
	done
}

# Runs inside the namespace, as the machine's root
run_one() {
	mkdir -p tree o/state o/mnt
	chmod 755 . o o/mnt
	echo content > tree/file
	"$LAMINA_BUILD/ovlmount" tree o/state o/mnt > /dev/null
	mkdir o/mnt/work
	run_files o "${PJDFSTEST_GROUPS-$(ls "$PJDFSTEST/tests")}" > o/failures
	umount o/mnt
}

need_pjdfstest() {
	[ -n "${PJDFSTEST-}" ] || skip "PJDFSTEST does not name a checkout of pjdfstest"
	[ -x "$PJDFSTEST/pjdfstest" ] || skip "pjdfstest is not built in $PJDFSTEST"
	export PJDFSTEST LAMINA_BUILD
}

t_nothing_fails_as_root() {
	need_pjdfstest
	[ "$(id -u)" = 0 ] || skip "not root (TEST_AS_ROOT=1 allows it)"
	export -f run_one run_files
	unshare --mount -- bash -euc run_one
	assert_eq "$(cat o/failures)" ''
}

t_nothing_fails_that_kernel_overlayfs_fulfils() {
	local new

	need_pjdfstest
	[ "$(id -u)" != 0 ] || skip "root has no subordinate ids"
	export -f run_both run_files
	in_userns bash -euc run_both
	echo "# kernel overlayfs: $(wc -l < k/failures) failures, lamina: $(wc -l < o/failures)" >&2
	new=$(comm -13 <(sort k/failures) <(sort o/failures))
	[ -z "$new" ] || fail "fails only here:
$new"
}

run_tests
