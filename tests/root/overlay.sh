#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What lamina-overlay does for the machine's root alone: attributes of the class trusted, devices, owners.

export TEST_AS_ROOT=1
. "${0%/*}/../integration/lib.sh"
. "$SRC/tests/helpers/dirs.sh"

# own FUNCTION: in a mount namespace of its own
own() {
	unshare --mount bash -euc "$(declare -f); $1"
}

check_trusted() {
	mkdir -p base
	echo x > base/file
	setfattr -n trusted.mine -v below base/file
	ovl base
	assert_eq "$(getfattr --only-values -n trusted.mine mnt/file)" below
	setfattr -n trusted.overlay.opaque -v y mnt/file
	setfattr -n trusted.other -v 1 mnt/file
	assert_eq "$(getfattr --only-values -n trusted.overlay.opaque mnt/file)" y
	umount mnt
	ovl base
	assert_eq "$(getfattr -d -m 'trusted' mnt/file | grep -c =)" 3
	assert_eq "$(getfattr --only-values -n trusted.overlay.opaque mnt/file)" y
	assert_eq "$(getfattr -n trusted.overlay.opaque upper/file 2> /dev/null)" ""
	setfattr -x trusted.overlay.opaque mnt/file
	assert_eq "$(getfattr -d -m 'trusted' mnt/file | grep -c =)" 2
	umount mnt
}

check_devices_and_owners() {
	mkdir -p base/d kernel work2
	echo low > base/file
	mknod base/d/zero c 1 5
	chown 54321:12345 base/d
	ovl base
	mknod mnt/null c 1 3
	echo lost > mnt/null
	head -c 3 mnt/d/zero | cmp - <(head -c 3 /dev/zero)
	chown 4000000000:7 mnt/file mnt/d/zero
	setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 mnt/file
	rm -r mnt/d
	mkdir mnt/d
	umount mnt
	ovl base
	assert_eq "$(stat -c '%F %u:%g %t:%T' mnt/file mnt/null)" "$(printf 'regular file 4000000000:7 0:0\ncharacter special file 0:0 1:3')"
	assert_eq "$(getfattr -e hex -n security.capability mnt/file | grep -c 0x01000002)" 1
	assert_eq "$(ls mnt/d)" ""
	umount mnt
	# The kernel reads the same from it.
	mount -t overlay -o "userxattr,lowerdir=base,upperdir=upper,workdir=work2" none kernel
	assert_eq "$(names kernel)" "d file null "
	assert_eq "$(stat -c %u kernel/file)" 4000000000
	umount kernel
}

t_trusted_attributes() {
	need setfattr
	own check_trusted
}

t_devices_and_owners() {
	need setfattr
	own check_devices_and_owners
}

run_tests
