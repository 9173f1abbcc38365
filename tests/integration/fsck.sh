#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever happened to a store is found and repaired, and stands in nobody's way meanwhile.
#
#	KILL_STEP=50	kill at every 50th system call of each command, not at a random few
#	KILL_SEED=N	the same few again
. "${0%/*}/lib.sh"
TEST_TIMEOUT=600

setup_file() {
	need jq
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
	FIX_KILL_AT=${KILL_AT:-$LAMINA_BUILD/kill_at}
}

pull() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null
}

clean() {
	"$LAMINA" fsck -q > found || FAIL_DEPTH=1 fail "fsck finds: $(cat found)"
	assert_eq "$(cat found)" ''
}

# broken PATTERN: fsck finds one thing, other commands work, repairing helps, and so does a pull
broken() {
	assert_fails 1 "$1" "$LAMINA" fsck
	"$LAMINA" images > /dev/null
	"$LAMINA" system df > /dev/null
	"$LAMINA" fsck --repair > repaired || FAIL_DEPTH=1 fail "not repaired: $(cat repaired)"
	grep -Eq -- "$1" repaired || FAIL_DEPTH=1 fail "the repair says: $(cat repaired)"
	clean
	pull
	clean
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

t_a_sound_store_is_clean() {
	clean
	pull
	clean
	assert_eq "$("$LAMINA" fsck)" '1 images, 3 layers, 2 blobs: 0 problems, 0 repaired'
	"$LAMINA" fsck --quick > /dev/null
}

t_every_damage_is_found_and_repaired() {
	local layer blob

	pull
	for layer in "$LAMINA_ROOT"/layers/*; do
		printf x | dd of="$layer/layer.tar" bs=1 seek=700 conv=notrunc status=none
		broken '^damaged layers/sha256-.*: its tar is damaged'
		truncate -s +512 "$layer/layer.tar"
		broken '^damaged layers/'
		rm "$layer/layer.tar"
		broken '^incomplete localhost/demo:demo: layer [123] of 3: '
		rm -r "$layer"
		broken '^incomplete localhost/demo:demo'
		printf x | dd of="$layer/layer.idx" bs=1 seek=5000 conv=notrunc status=none
		broken '^damaged layers/.*: its index is damaged'
		rm "$layer/layer.idx"
		broken 'its index is missing.*|its index was made anew'
	done
	for blob in "$LAMINA_ROOT"/blobs/sha256/*; do
		printf x >> "$blob"
		broken '^damaged blobs/sha256/.*: its content has another digest'
		rm "$blob"
		broken '^incomplete localhost/demo:demo'
		rm "$blob"
		mkfifo "$blob"
		broken '^damaged blobs/sha256/'
	done
	"$LAMINA" layer ls demo:demo > /dev/null
	printf x | dd of="$(echo "$LAMINA_ROOT"/images/*.idx)" bs=1 seek=4200 conv=notrunc status=none
	broken '^damaged images/sha256-.*idx'
}

t_what_nothing_needs_is_found_and_removed() {
	pull
	mkdir "$LAMINA_ROOT/layers/sha256-$(printf '%064d' 0)" "$LAMINA_ROOT/layers/stranger" \
		"$LAMINA_ROOT/tmp/stage-dead"
	echo '{}' > "$LAMINA_ROOT/blobs/sha256/$(echo '{}' | sha256sum | cut -c1-64)"
	echo x > "$LAMINA_ROOT/tmp/making-x"
	echo x > "$LAMINA_ROOT/images/x.idx"
	"$LAMINA" fsck > found || :
	assert_eq "$(cut -d' ' -f1 found | head -n -1 | sort | uniq -c | tr -s ' \n' ' ')" \
		' 2 damaged 2 leftover 2 orphan '
	broken orphan
	assert_eq "$("$LAMINA" images -q | wc -l)" 1
}

t_a_list_of_images_that_cannot_be_read_is_made_anew() {
	local id

	pull
	id=$("$LAMINA" images -q)
	printf garbage > "$LAMINA_ROOT/index.json"
	assert_fails 125 'hint: lamina fsck --repair' "$LAMINA" images
	assert_fails 125 'the list of images cannot be read' "$LAMINA" fsck
	"$LAMINA" fsck --repair > out
	assert_match "$(cat out)" '^damaged index.json: .*lost their names'
	assert_content "$LAMINA_ROOT/index.json.damaged" garbage
	assert_eq "$("$LAMINA" images -q)" "$id"
	"$LAMINA" tag "$id" demo:demo > /dev/null
	rm "$LAMINA_ROOT/index.json.damaged"
	clean
}

t_what_somebody_uses_is_left_alone() {
	pull
	mkdir "$LAMINA_ROOT/tmp/stage-live"
	exec 8> "$LAMINA_ROOT/tmp/stage-live/lock"
	flock 8
	exec 7< "$(find "$LAMINA_ROOT/layers" -name layer.tar | head -n 1)"
	flock -s 7
	jq -c '.manifests = []' "$LAMINA_ROOT/index.json" > index
	cp index "$LAMINA_ROOT/index.json"
	"$LAMINA" fsck --repair > out
	assert_eq "$(find "$LAMINA_ROOT/tmp" -name 'stage-*' | wc -l) $(find "$LAMINA_ROOT"/layers/* | wc -l)" '1 3'
	exec 7<&- 8>&-
	"$LAMINA" fsck --repair > out
	assert_eq "$(find "$LAMINA_ROOT/layers" -mindepth 1)" ''
}

t_prune_removes_what_nothing_needs() {
	pull
	"$LAMINA" tag demo:demo other > /dev/null
	"$SRC/scripts/demo-image" changed
	# Another image takes the names of the first.
	jq -c '.manifests[0].annotations = {}' "$LAMINA_ROOT/index.json" > index
	cp index "$LAMINA_ROOT/index.json"
	"$LAMINA" rmi other > /dev/null 2>&1 || :
	mkdir "$LAMINA_ROOT/tmp/stage-dead"
	"$LAMINA" prune > out
	assert_match "$(cat out)" '^Deleted: [0-9a-f]{64}'
	assert_match "$(tail -n 1 out)" '^1 images, 3 layers: [0-9.]+ MB freed$'
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
	pull
	assert_fails 1 'Remove all images' "$LAMINA" prune --all
	"$LAMINA" prune --all --force > out
	assert_eq "$(head -n 1 out)" 'Untagged: localhost/demo:demo'
	assert_eq "$("$LAMINA" images -q)" ''
	clean
}

t_df_tells_true_bytes() {
	local want

	pull
	"$LAMINA" system df --json > df
	want=$(find "$LAMINA_ROOT/layers" -mindepth 1 -printf '%b\n' | awk '{ s += $1 } END { print s * 512 }')
	assert_eq "$(jq .images.layerBytes df)" "$want"
	assert_eq "$(jq -c '[.images.total, .images.active, .images.layers, .images.orphanBytes]' df)" \
		'[1,0,3,0]'
	mkdir "$LAMINA_ROOT/layers/sha256-$(printf '%064d' 0)"
	head -c 100000 /dev/urandom > "$LAMINA_ROOT/layers/sha256-$(printf '%064d' 0)/layer.tar"
	assert_match "$("$LAMINA" system df)" 'belong to no image: lamina prune'
}

# survive COMMAND, PREPARE: kill the command at many of its system calls; after each the store is
# sound or repaired, others work, and the same command succeeds
survive() {
	local total n points

	eval "$2"
	total=$("$FIX_KILL_AT" 0 sh -c "$1" 2>&1 > /dev/null | tail -n 1)
	[ "$total" -gt 50 ] || fail "only $total calls"
	if [ -n "${KILL_STEP-}" ]; then
		points=$(seq 1 "$KILL_STEP" "$total")
	else
		points=$(python3 -c 'import random, sys
random.seed(sys.argv[1]); print(*sorted(random.sample(range(1, int(sys.argv[2])), 8)))' "$SEED" "$total")
	fi
	echo "# $1: $total calls, killed at: $(tr '\n' ' ' <<< "$points")"
	for n in $points; do
		rm -rf "$LAMINA_ROOT"
		eval "$2"
		"$FIX_KILL_AT" "$n" sh -c "$1" > /dev/null 2>&1 || :
		"$LAMINA" images > /dev/null || fail "killed at $n: images fails"
		"$LAMINA" fsck --repair > out || fail "killed at $n: not repaired: $(cat out)"
		! grep -Ev '^(orphan|leftover|incomplete|[0-9])|its index is missing' out || fail "killed at $n: damage"
		clean
		(eval "$1") > out 2>&1 || grep -q 'there is no image' out || fail "killed at $n: $(cat out)"
		clean
	done
}

t_kills_leave_a_store_that_is_sound_or_repaired() {
	SEED=${KILL_SEED:-$RANDOM}
	leaks_do_not_count
	echo "# KILL_SEED=$SEED"
	export LAMINA FIX_LAYOUT
	survive '"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo"' '"$LAMINA" images > /dev/null'
	survive '"$LAMINA" rmi demo:demo' pull
	survive '"$LAMINA" prune --all --force' pull
	survive '"$LAMINA" fsck --repair' 'pull; rm "$LAMINA_ROOT"/layers/*/layer.idx'
}

# Each write and sync fails once, with the disk full or broken.
t_errors_of_the_disk_are_told_and_harmless() {
	local call n

	need strace
	for call in write:ENOSPC pwrite64:EIO fsync:EIO renameat:EIO mkdirat:ENOSPC ftruncate:ENOSPC; do
		for n in 1 2 4; do
			rm -rf "$LAMINA_ROOT"
			"$LAMINA" images > /dev/null
			strace -f -qq -o /dev/null -e "trace=${call%:*}" \
				-e "inject=${call%:*}:error=${call#*:}:when=$n" \
				"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null 2> err || {
				[ "$(grep -vc '^hint: ' err)" -le 1 ] || fail "lines: $(cat err)"
				"$LAMINA" fsck --repair > out || fail "$call $n: $(cat out)"
			}
			clean
			pull
			clean
		done
	done
}

run_tests
