#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same random operations on a mount and on a plain directory have the same results.
# DIFFERENTIAL_SEED, DIFFERENTIAL_SECONDS and DIFFERENTIAL_PROCESSES choose another run.

. "${0%/*}/lib.sh"

export OVLMOUNT=$LAMINA_BUILD/ovlmount DIFFERENTIAL=$SRC/tests/tools/differential.py
export SEED=${DIFFERENTIAL_SEED:-20250} SECONDS_EACH=${DIFFERENTIAL_SECONDS:-7} PROCESSES=${DIFFERENTIAL_PROCESSES:-2}

# A tree with what is hard about trees below: several names, special files, holes, deep directories
fill() {
	local d

	for d in "$1"/{a,b,c}{,/a,/b,/c}{,/d,/e}; do
		mkdir -p "$d"
		echo "${d#"$1"}" > "$d/f"
	done
	head -c 100000 /dev/zero | tr '\0' z > "$1/d"
	truncate -s 90000 "$1/a/g"
	echo tail >> "$1/a/g"
	ln "$1/d" "$1/a/b/c"
	ln "$1/d" "$1/b/d/a"
	ln -s ../b "$1/c/d/b"
	mkfifo "$1/b/c/a"
	chmod 2755 "$1/c/a"
	setfattr -n user.x -v image "$1/a/d/f"
	: > "$1/e"
}

mnt() {
	if [ -n "${LAYERS-}" ]; then
		mkdir -p upper work
		wait_for "'$LAMINA_OVERLAY' -o lowerdir=$LAYERS,upperdir=upper,workdir=work$MOUNT_FLAGS mnt 2> mount.err ||
			! grep -q 'mounted already' mount.err"
		: > pid # nobody is killed
		return
	fi
	wait_for "'$OVLMOUNT' $MOUNT_FLAGS -m 0:0:65536 tree state mnt > pid 2> mount.err ||
		! grep -q 'mounted already' mount.err"
	mountpoint -q mnt || fail "cannot mount: $(cat mount.err)"
}

# next_mount WORD: the daemon ends, or is killed, and the next one serves
next_mount() {
	if [ "$1" = kill ] && [ -s pid ]; then
		kill -9 "$(cat pid)"
		umount -l mnt
	else
		umount mnt
	fi
	mnt
}

check_differential() {
	local i word

	umask 022
	mkdir -p state mnt plain
	for i in $(seq 0 $((PROCESSES - 1))); do
		mkdir -p "tree/$i"
		fill "tree/$i"
	done
	mount -t tmpfs tmpfs plain
	cp -a tree/. plain/
	mnt
	echo "# seed $SEED"
	coproc PY { python3 "$DIFFERENTIAL" mnt plain "$SEED" "$SECONDS_EACH" "$PROCESSES"; }
	exec 7<&"${PY[0]}" 8>&"${PY[1]}"
	while read -r word <&7 && { [ "$word" = remount ] || [ "$word" = kill ]; }; do
		next_mount "$word"
		echo mounted >&8
	done
	[ -n "$word" ] || fail 'a difference'
	[ "$word" -gt 300 ] || fail "only $word operations"
	echo "# $word operations"
	wait_for "umount mnt 2> /dev/null || ! mountpoint -q mnt"
}

t_a_mount_behaves_like_a_plain_directory() {
	need python3 setfattr
	MOUNT_FLAGS='' in_userns bash -euc "$(declare -f); check_differential"
}

# The upper of these is what other programs can read.
t_and_so_does_one_without_redirects() {
	need python3 setfattr
	MOUNT_FLAGS=-w in_userns bash -euc "$(declare -f); check_differential"
}

t_directories_below_behave_like_a_plain_directory() {
	need python3 setfattr
	export LAYERS=tree
	MOUNT_FLAGS=,static_nlink=0 in_userns bash -euc "$(declare -f); check_differential"
}

t_directories_below_with_redirects_do_as_well() {
	need python3 setfattr
	export LAYERS=tree
	MOUNT_FLAGS=,redirect_dir=on,metacopy=on,static_nlink=0 in_userns bash -euc "$(declare -f); check_differential"
}

run_tests
