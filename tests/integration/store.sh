#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The store is sound whatever happens to the commands that change it.
. "${0%/*}/lib.sh"

setup_file() {
	need jq
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
	# Another image of the same two lower layers.
	cp -r demo two
	python3 - two << 'END'
import hashlib, json, sys
top = sys.argv[1]
def path(d): return "%s/blobs/%s" % (top, d["digest"].replace(":", "/"))
def put(doc, like):
    data = json.dumps(doc).encode()
    name = hashlib.sha256(data).hexdigest()
    open("%s/blobs/sha256/%s" % (top, name), "wb").write(data)
    return dict(like, digest="sha256:" + name, size=len(data))
index = json.load(open(top + "/index.json"))
m = json.load(open(path(index["manifests"][0])))
c = json.load(open(path(m["config"])))
c["rootfs"]["diff_ids"].pop()
c.get("history", []).pop()
m["layers"].pop()
m["config"] = put(c, m["config"])
index["manifests"][0] = put(m, index["manifests"][0])
json.dump(index, open(top + "/index.json", "w"))
END
	FIX_TWO=$PWD/two
}

pull() {
	"$LAMINA" pull -q "oci:$1" > /dev/null
}

sound() {
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" "$@" ||
		FAIL_DEPTH=1 fail 'the store is not sound'
}

n_layers() {
	find "$LAMINA_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l
}

n_blobs() {
	find "$LAMINA_ROOT/blobs" -type f | wc -l
}

t_the_store_is_where_it_should_be_and_closed_to_others() {
	unset LAMINA_ROOT
	umask 022
	"$LAMINA" images > /dev/null
	assert_eq "$(stat -c %a "$HOME/.local/share/lamina")" 700
	XDG_DATA_HOME=$PWD/data "$LAMINA" images > /dev/null
	assert_exists data/lamina/oci-layout
	LAMINA_ROOT=$PWD/root "$LAMINA" images > /dev/null
	assert_exists root/oci-layout
	LAMINA_ROOT=$PWD/root "$LAMINA" --root "$PWD/other" images > /dev/null
	assert_exists other/oci-layout
}

t_a_directory_with_other_things_does_not_become_a_store() {
	make_file dir/file text
	assert_fails 125 'not empty and not a store' "$LAMINA" --root "$PWD/dir" images
	assert_eq "$(ls dir)" file
}

t_a_store_that_nobody_may_write_can_be_read() {
	pull "$FIX_LAYOUT:demo"
	chmod -R a-w "$LAMINA_ROOT"
	assert_match "$("$LAMINA" images)" localhost/demo
	"$LAMINA" inspect demo:demo > /dev/null
	assert_fails 4 'Permission denied' "$LAMINA" pull -q "oci:$FIX_TWO:demo"
	chmod -R u+w "$LAMINA_ROOT"
	sound --swept
}

t_layers_are_shared_and_go_with_their_last_image() {
	local id

	pull "$FIX_LAYOUT:demo"
	id=$("$LAMINA" images -q --no-trunc)
	pull "$FIX_TWO:demo"
	assert_eq "$(n_layers) $(n_blobs)" '3 4'
	assert_eq "$("$LAMINA" rmi localhost/demo:demo)" "Untagged: localhost/demo:demo
Deleted: $id"
	assert_eq "$(n_layers) $(n_blobs)" '2 2'
	sound --swept
	"$LAMINA" rmi two:demo > /dev/null
	assert_eq "$(n_layers) $(n_blobs)" '0 0'
	sound --swept
}

t_an_image_goes_with_its_last_name() {
	local id

	pull "$FIX_LAYOUT:demo"
	id=$("$LAMINA" images -q)
	"$LAMINA" tag demo:demo a
	"$LAMINA" tag "$id" b:1
	assert_eq "$("$LAMINA" rmi demo:demo)" 'Untagged: localhost/demo:demo'
	assert_fails 125 'has several names' "$LAMINA" rmi "$id"
	"$LAMINA" rmi -f "$id" > out
	assert_eq "$(grep -c '^Untagged: localhost/[ab]:' out)" 2
	assert_match "$(cat out)" "^Deleted: $id"
	assert_eq "$("$LAMINA" images -q)" ''
	assert_eq "$(n_layers)" 0
}

t_rmi_goes_on_and_says_what_failed() {
	pull "$FIX_LAYOUT:demo"
	pull "$FIX_TWO:demo"
	assert_fails 125 "cannot remove 'nope': there is no image 'nope'" \
		"$LAMINA" rmi nope localhost/demo:demo
	assert_eq "$("$LAMINA" images -q | wc -l)" 1
	"$LAMINA" rmi --force nope
	"$LAMINA" rmi --all > /dev/null
	assert_eq "$("$LAMINA" images -q)$(n_layers)" 0
	assert_fails 125 'takes names or ids, or --all' "$LAMINA" rmi
}

t_a_moved_name_leaves_the_old_image_by_its_id() {
	local old

	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" app > id
	old=$(cut -c1-12 id)
	"$LAMINA" pull -q "oci:$FIX_TWO:demo" app > /dev/null
	assert_match "$("$LAMINA" images)" "^<none> +<none> +$old "
	"$LAMINA" inspect "$old" > /dev/null
	"$LAMINA" rmi "$old" > /dev/null
	assert_eq "$("$LAMINA" images -q | wc -l) $(n_layers)" '1 2'
	sound --swept
}

# hold PATTERN: a shared lease on the first file that matches, until the test ends
hold() {
	local file

	file=$(find "$LAMINA_ROOT" -type f -path "$1" | head -n 1)
	exec 8< "$file"
	flock -s 8
}

t_an_image_in_use_is_not_removed() {
	pull "$FIX_LAYOUT:demo"
	"$LAMINA" tag demo:demo other
	hold "*/blobs/sha256/$(jq -r '.manifests[0].digest' "$LAMINA_ROOT/index.json" | cut -d: -f2)"
	# A name may go as long as another stays.
	"$LAMINA" rmi other > /dev/null
	assert_fails 125 "the image 'localhost/demo:demo' is in use" "$LAMINA" rmi demo:demo
	assert_fails 125 'in use' "$LAMINA" rmi --force --all
	assert_eq "$(n_layers)" 3
	sound --swept
	exec 8<&-
	"$LAMINA" rmi demo:demo > /dev/null
	assert_eq "$(n_layers)" 0
}

t_a_layer_in_use_outlives_its_image_until_the_next_removal() {
	pull "$FIX_LAYOUT:demo"
	hold '*/layer.tar'
	"$LAMINA" rmi demo:demo > /dev/null
	assert_eq "$(n_layers)" 1
	exec 8<&-
	pull "$FIX_TWO:demo"
	"$LAMINA" rmi two:demo > /dev/null
	assert_eq "$(n_layers)" 0
	sound --swept
}

t_damage_is_healed_by_a_pull() {
	local file

	pull "$FIX_LAYOUT:demo"
	for file in "$LAMINA_ROOT"/layers/*; do
		rm "$file/layer.idx"
		pull "$FIX_LAYOUT:demo"
		sound
		: > "$file/layer.idx"
		pull "$FIX_LAYOUT:demo"
		sound
		rm "$file/layer.tar"
		pull "$FIX_LAYOUT:demo"
		sound
		truncate -s -512 "$file/layer.tar"
		pull "$FIX_LAYOUT:demo"
		sound
		rm -r "$file"
		pull "$FIX_LAYOUT:demo"
		sound
	done
	for file in "$LAMINA_ROOT"/blobs/sha256/*; do
		printf x >> "$file"
		"$LAMINA" images > /dev/null
		assert_fails 125 'damaged' "$LAMINA" inspect demo:demo
		pull "$FIX_LAYOUT:demo"
		sound
	done
	sound --swept
}

t_a_damaged_image_stands_in_nobodys_way() {
	local file

	pull "$FIX_LAYOUT:demo"
	file=$(jq -r '.manifests[0].digest' "$LAMINA_ROOT/index.json" | cut -d: -f2)
	pull "$FIX_TWO:demo"
	: > "$LAMINA_ROOT/blobs/sha256/$file"
	assert_match "$("$LAMINA" images)" 'localhost/demo .* damaged'
	"$LAMINA" inspect two:demo > /dev/null
	"$LAMINA" rmi two:demo > /dev/null
	# What the damaged one needs is not known, so its layers are still there.
	assert_eq "$(n_layers)" 3
	"$LAMINA" rmi demo:demo > /dev/null
	assert_eq "$(n_layers) $(n_blobs)" '0 0'
	sound --swept
}

# Runs a command with a kill -9 before the n-th call of each system call that changes something;
# after each kill the store must be sound, and the same command must succeed.
# survive_kills PREPARE COMMAND
survive_kills() {
	local call n kills=0

	export FIX_LAYOUT FIX_TWO
	for call in mkdirat renameat renameat2 fsync unlinkat flock write ftruncate; do
		for ((n = 1; n <= 40; n++)); do
			rm -rf "$LAMINA_ROOT"
			eval "$1"
			if strace -f -qq -o /dev/null -e "trace=$call" \
				-e "inject=$call:signal=KILL:when=$n" bash -c "$2" > /dev/null 2>&1; then
				break
			fi
			kills=$((kills + 1))
			sound || fail "after a kill at $call $n"
			(eval "$2") > /dev/null || fail "after a kill at $call $n: the command fails"
			sound --swept || fail "after a kill at $call $n and the command"
		done
	done
	[ "$kills" -ge 10 ] || fail "only $kills kills"
	echo "$kills kills survived"
}

t_a_kill_during_a_pull_leaves_a_sound_store() {
	need strace
	survive_kills '"$LAMINA" images > /dev/null' 'exec "$LAMINA" pull -q --jobs 1 "oci:$FIX_LAYOUT:demo"'
}

t_a_kill_during_a_removal_leaves_a_sound_store() {
	need strace
	survive_kills 'pull "$FIX_LAYOUT:demo"; pull "$FIX_TWO:demo"' \
		'"$LAMINA" rmi -f demo:demo && exec "$LAMINA" pull -q "oci:$FIX_TWO:demo"'
}

t_a_kill_while_the_store_is_made_leaves_a_store_or_none() {
	local n

	need strace
	for ((n = 1; n <= 20; n++)); do
		rm -rf "$LAMINA_ROOT"
		if strace -f -qq -o /dev/null -e trace=mkdirat,renameat \
			-e "inject=mkdirat,renameat:signal=KILL:when=$n" "$LAMINA" images > /dev/null 2>&1; then
			break
		fi
		pull "$FIX_LAYOUT:demo"
		sound --swept
	done
	[ "$n" -gt 3 ] || fail "only $n kills"
}

t_a_full_disk_is_one_line_and_changes_nothing() {
	local size code

	mkdir full
	cat > on-small-disk << 'END'
set -eu
mount -t tmpfs -o "size=$1" tmpfs full
export LAMINA_ROOT=$PWD/full/store
"$LAMINA" images > /dev/null
code=0
"$LAMINA" pull -q "$2" > out 2> err || code=$?
echo "$code" > code
"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
"$LAMINA" images -q > ids
END
	export SRC
	for size in 64k 256k 1m 2m 2200k; do
		in_userns sh on-small-disk "$size" "oci:$FIX_LAYOUT:demo"
		assert_content code 7
		assert_eq "$(grep -c . err)" 1 "lines: $(cat err)"
		assert_match "$(cat err)" 'No space left on device'
		assert_content ids ''
	done
	in_userns sh on-small-disk 16m "oci:$FIX_LAYOUT:demo"
	assert_content code 0
}

t_pulls_and_removals_at_once_keep_the_store_sound() {
	local i

	"$LAMINA" images > /dev/null
	for i in 1 2 3 4; do
		(
			for _ in 1 2 3 4 5; do
				"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" "a$i" > /dev/null || echo "pull" >> failed
				"$LAMINA" pull -q "oci:$FIX_TWO:demo" "b$i" > /dev/null || echo "pull" >> failed
				"$LAMINA" rmi "a$i" "b$i" > /dev/null 2>> log || grep -q 'in use' log || echo rmi >> failed
			done
		) &
	done
	wait
	assert_missing failed
	"$LAMINA" rmi --all > /dev/null
	assert_eq "$(n_layers) $(n_blobs)" '0 0'
	sound --swept
}

run_tests
