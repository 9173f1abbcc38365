#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lamina mount and umount: an image of the store on a directory.
. "${0%/*}/lib.sh"

setup_file() {
	demo_image "$FILE_DIR/layout"
	FIX_LAYOUT=$FILE_DIR/layout
}

pull_demo() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null
	IMAGE=$("$LAMINA" images -q | head -1)
}

daemon_ended() {
	wait_for "! mountpoint -q '$1'"
}

t_a_mount_prints_where_it_is_and_everything_is_mine() {
	need fusermount3
	pull_demo
	dir=$("$LAMINA" mount "$IMAGE")
	mountpoint -q "$dir" || fail "nothing is mounted on '$dir'"
	assert_eq "$(find "$dir" ! -user "$(id -un)" | head -1)" ""
	find "$dir" -type f -exec cat {} + > /dev/null
	assert_fails any 'Read-only' touch "$dir/new"
	"$LAMINA" umount "$IMAGE"
	daemon_ended "$dir"
	assert_fails 125 'not mounted' "$LAMINA" umount "$IMAGE"
}

t_a_pipe_from_the_command_ends_with_it() {
	need fusermount3
	pull_demo
	mkdir there
	timeout 20 bash -o pipefail -c '"$1" mount "$2" there 2>&1 | cat' sh "$LAMINA" "$IMAGE" > out
	assert_content out "$PWD/there"
	"$LAMINA" umount there
}

t_ids_of_the_image_are_shown_on_request() {
	need fusermount3
	pull_demo
	mkdir here
	assert_eq "$("$LAMINA" mount --ids image "$IMAGE" here)" "$PWD/here"
	assert_eq "$(stat -c %u here)" 0
	"$LAMINA" umount here
	daemon_ended here
}

t_changes_are_kept_in_the_upper_or_dropped() {
	need fusermount3
	pull_demo
	mkdir here there
	"$LAMINA" mount --upper state "$IMAGE" here > /dev/null
	echo kept > here/kept
	assert_fails 125 'mounted already' "$LAMINA" mount --upper state "$IMAGE" there
	"$LAMINA" umount here
	daemon_ended here
	wait_for "'$LAMINA' mount --upper state '$IMAGE' here 2> /dev/null"
	assert_content here/kept kept
	"$LAMINA" umount here
	"$LAMINA" mount --rw "$IMAGE" there > /dev/null
	echo dropped > there/dropped
	"$LAMINA" umount there
	wait_for "[ -z \"\$(find '$LAMINA_ROOT/tmp' -name dropped)\" ]"
}

check_in_namespace() {
	mkdir here
	"$LAMINA" mount --rw "$IMAGE" here > /dev/null
	assert_eq "$(stat -c %u here)" 0
	chown 5:6 here/etc
	assert_eq "$(stat -c %u:%g here/etc)" 5:6
	"$LAMINA" umount here
}

t_root_of_a_namespace_mounts_without_help() {
	pull_demo
	export IMAGE
	in_userns bash -euc "$(declare -f); check_in_namespace"
}

t_errors_name_the_object() {
	need fusermount3
	assert_fails 125 "cannot mount 'nothing'" "$LAMINA" mount nothing
	pull_demo
	assert_fails 125 "cannot mount on '/nonexistent'" "$LAMINA" mount "$IMAGE" /nonexistent
	assert_fails 125 "takes image or own" "$LAMINA" mount --ids all "$IMAGE"
}

run_tests
