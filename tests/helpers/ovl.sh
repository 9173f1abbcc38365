#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What tests of the overlay filesystem on real mounts share; source it behind lib.sh.

export OVLMOUNT=$LAMINA_BUILD/ovlmount

# ns FUNCTION: in a user and mount namespace of its own, as its root
ns() {
	in_userns bash -euc "$(declare -f); $1"
}

# mnt [OPTION…]: tree/ below, state/ above, on mnt/; waits for an older daemon to let go
mnt() {
	mkdir -p tree state mnt
	wait_for "'$OVLMOUNT' $* tree state mnt > pid 2> mount.err || ! grep -q 'mounted already' mount.err"
	mountpoint -q mnt || fail "cannot mount: $(cat mount.err)"
}

# gone: the daemon has ended
gone() {
	wait_for "! kill -0 $(cat pid) 2> /dev/null || grep -q '^State:.Z' /proc/$(cat pid)/status"
}

remount() {
	umount mnt
	gone
	mnt "$@"
}

# facts DIR: names, types, modes, numbers, links, sizes and times, sorted
facts() {
	(cd "$1" && find . -printf '%P %y %m %i %n %s %T@ %l\n' | sort)
}

ino() {
	stat -c %i "$1"
}

small_tree() {
	mkdir -p tree/etc/conf.d tree/bin tree/empty tree/full/sub
	echo motd > tree/etc/motd
	echo a > tree/etc/conf.d/a
	echo b > tree/etc/conf.d/b
	echo tool > tree/bin/tool
	chmod 4755 tree/bin/tool
	ln -s ../etc/motd tree/bin/link
	mkfifo tree/bin/fifo
	ln tree/etc/motd tree/full/hard
	echo x > tree/full/sub/x
	touch -d '2001-02-03 04:05:06.123456789' tree/etc/motd tree/etc tree/etc/conf.d tree/full
}
