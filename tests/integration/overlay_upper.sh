#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The upper of an overlay over the life of its daemon: locks, crashes, full disks.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/ovl.sh"

# --- the daemon's life ------------------------------------------------------------------------------

check_second_mount() {
	small_tree
	mnt
	mkdir mnt2
	assert_fails any 'mounted already' "$OVLMOUNT" tree state mnt2
	umount mnt
	gone
	sed -i 's/^lower .*/lower image:sha256:other/' state/super
	assert_fails any "belongs to 'image:sha256:other'" "$OVLMOUNT" tree state mnt
	sed -i 's/^lower .*/lower image:test/; s/metacopy/metacopy,other/' state/super
	assert_fails any 'newer version' "$OVLMOUNT" tree state mnt
	printf 'rubbish' > state/super
	assert_fails any 'superblock' "$OVLMOUNT" tree state mnt
}

t_an_upper_has_one_mount_and_one_image() {
	ns check_second_mount
}

check_kill() {
	local round

	mkdir tree
	seq 2000 | (cd tree && while read -r i; do echo "$i" > "f$i"; done)
	head -c 8M /dev/urandom > tree/big
	for round in 1 2 3 4 5 6; do
		mnt -v
		(cd mnt && {
			for i in $(seq "$round" 7 2000); do
				echo more >> "f$i"
				rm -f "f$((i + 1))"
				mkdir -p "d$i/sub" && echo x > "d$i/sub/x" && mv "d$i" "e$i"
				ln -f "f$i" "l$i"
				chmod 600 "f$((i + 2))"
			done
			echo y >> big
		}) 2> /dev/null &
		wait_for "[ \$(find state/upper -mindepth 1 -maxdepth 1 | wc -l) -gt $((round * 200)) ]"
		kill -9 "$(cat pid)"
		wait
		umount -l mnt
		gone
		mnt -v
		# All that is there can be read, and nothing is half made.
		find mnt -type f -exec cat {} + > /dev/null
		assert_eq "$(find state/work -mindepth 1 -name 'w*' | wc -l)" 0 "left in work/"
		find mnt -maxdepth 1 -name 'f*' -size 0 | { ! grep .; } || fail "a file lost its content"
		cmp -n 8388608 tree/big mnt/big
		umount mnt
		gone
	done
}

t_death_of_the_daemon_leaves_a_tree_that_mounts() {
	ns check_kill
}

check_sigterm() {
	local pid

	small_tree
	mnt
	pid=$(cat pid)
	exec 5<> mnt/etc/motd
	echo written >&5
	kill -TERM "$pid"
	wait_for '! mountpoint -q mnt'
	printf 'later\n' >&5	# still served
	exec 5>&-
	gone
	mnt
	assert_content mnt/etc/motd "written
later"
	exec 5< mnt/etc/conf.d/a
	umount -l mnt
	read -r line <&5
	assert_eq "$line" a
	exec 5<&-
	gone
	mnt
	kill -HUP "$(cat pid)"
	assert_content mnt/etc/conf.d/a a
}

t_the_daemon_ends_with_its_mount_and_not_before() {
	ns check_sigterm
}

check_namespace_death() {
	small_tree
	mnt
	mkfifo gate
	unshare --mount bash -euc 'echo x > mnt/new; : > inside; read -r _ < gate' &
	wait_for '[ -e inside ]'
	umount mnt
	kill -0 "$(cat pid)"	# the other namespace has it still
	echo end > gate
	wait
	gone
	mnt
	assert_content mnt/new x
}

t_the_upper_is_free_when_the_mount_namespace_is_gone() {
	ns check_namespace_death
}

check_full_disk() {
	mkdir tree disk mnt
	head -c 3M /dev/urandom > tree/big
	echo small > tree/small
	mount -t tmpfs -o size=2m tmpfs disk
	mkdir disk/state
	"$OVLMOUNT" tree disk/state mnt > pid
	assert_fails any 'No space' bash -c 'echo x >> mnt/big; sync mnt/big'
	assert_eq "$(find disk/state/work -type f | wc -l)" 0
	umount mnt
	gone
	"$OVLMOUNT" tree disk/state mnt > pid
	cmp tree/big mnt/big
	assert_fails any 'No space' dd if=/dev/zero of=mnt/fill bs=64k count=100 conv=fsync
	rm mnt/fill
	echo more >> mnt/small
	assert_content mnt/small "small
more"
}

t_a_full_disk_leaves_nothing_half_made() {
	ns check_full_disk
}

check_few_descriptors() {
	local i

	mkdir tree
	for i in $(seq 300); do
		mkdir -p "tree/d$i"
		echo "$i" > "tree/d$i/f"
	done
	mnt
	for i in $(seq 300); do
		echo more >> "mnt/d$i/f"
		mkdir "mnt/d$i/new"
	done
	python3 - << 'END'
import os
fds = [os.open("mnt/d%d/f" % i, os.O_RDWR) for i in range(1, 120)]
for i in range(1, 100):
    os.unlink("mnt/d%d/f" % i)
for i, f in enumerate(fds):
    assert os.pread(f, 100, 0) == b"%d\nmore\n" % (i + 1)
END
	[ "$(ls "/proc/$(cat pid)/fd" | wc -l)" -lt 256 ] || fail "too many descriptors"
	remount
	assert_content mnt/d300/f "300
more"
}

t_256_descriptors_are_enough() {
	need python3
	ulimit -n 256
	ns check_few_descriptors
}

check_volatile() {
	small_tree
	mnt -v
	echo x > mnt/new
	assert_exists state/work/incompat/volatile/dirty
	kill -9 "$(cat pid)"
	umount -l mnt
	gone
	mnt -v	# the machine is the same: nothing is lost
	assert_content mnt/new x
	umount mnt
	gone
	echo other-boot > state/work/incompat/volatile/dirty
	assert_fails any 'volatile when the machine went down' "$OVLMOUNT" tree state mnt
	assert_fails any 'volatile when the machine went down' "$OVLMOUNT" -v tree state mnt
	cp /proc/sys/kernel/random/boot_id state/work/incompat/volatile/dirty
	mnt	# writes out what is dirty, and forgets
	assert_missing state/work/incompat
	assert_content mnt/new x
	umount mnt
	gone
	mkdir -p state/work/incompat/other
	assert_fails any "unknown mark 'work/incompat/other'" "$OVLMOUNT" tree state mnt
	rm -r state/work/incompat
	: > "$(mkdir -p state/work/incompat/volatile; echo state/work/incompat/volatile/dirty)"
	assert_fails any 'volatile' "$OVLMOUNT" tree state mnt	# kernel overlayfs's own mark
}

t_a_volatile_upper_is_refused_after_a_crash() {
	ns check_volatile
}

check_volatile_syncs_nothing() {
	mkdir tree state mnt
	strace -f -e trace=fsync,fdatasync,syncfs,sync,sync_file_range -o trace \
		"$OVLMOUNT" -f -v tree state mnt &
	wait_for 'mountpoint -q mnt'
	echo x > mnt/new
	sync mnt/new
	mkdir mnt/d
	mv mnt/d mnt/e
	umount mnt
	wait
	assert_eq "$(grep -c sync trace)" 0
}

t_a_volatile_mount_syncs_nothing() {
	need strace
	ns check_volatile_syncs_nothing
}

run_tests
