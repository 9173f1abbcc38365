#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where whiteouts cannot be devices they are names, and clients see the same.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/dirs.sh"

export FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT=1

layers() {
	mkdir -p base/d/sub base/e base/full
	echo file > base/file
	echo other > base/other
	echo in > base/d/in
	echo x > base/d/sub/x
	echo y > base/full/y
}

change() {
	rm mnt/file
	rm -r mnt/d
	mkdir mnt/d
	echo new > mnt/d/new
	mv mnt/other mnt/file
	rm -r mnt/e
	mv mnt/full mnt/e
	echo z > mnt/e/z
	ln mnt/file mnt/full
	mkdir mnt/e/own
	rm mnt/e/z
	rmdir mnt/e/own
}

check_names() {
	layers
	ovl base
	change
	assert_eq "$(names mnt)" "d d/new e e/y file full "
	umount mnt
	assert_eq "$(find upper -type c)" "" "devices"
	assert_eq "$(names upper)" ".wh.other d d/.wh..wh..opq d/new e e/.wh..wh..opq e/y file full "
	assert_match "$(cat work/lamina/super)" '^whiteout name$'
	# The daemon may hold its lock for a moment after the mount is gone.
	wait_for '"$LAMINA_OVERLAY" --check upper -o lowerdir=base,workdir=work'
	# The upper keeps its spelling.
	unset FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT
	ovl base
	assert_eq "$(names mnt)" "d d/new e e/y file full "
	assert_content mnt/file other
	assert_missing mnt/.wh.other
	assert_fails any "Invalid argument" touch mnt/.wh.file
	assert_fails any "subdirectory of itself" mv mnt/file mnt/.wh.file # EINVAL
	assert_fails any "Invalid argument" ln mnt/file mnt/.wh.file
	echo again > mnt/other
	assert_missing upper/.wh.other
	rm mnt/other mnt/file mnt/full
	rm -r mnt/d mnt/e
	assert_eq "$(names mnt)" ""
	umount mnt
	assert_eq "$(names upper)" ".wh.d .wh.e .wh.file .wh.full .wh.other "
	# As a layer.
	ro upper:base
	assert_eq "$(names mnt)" ""
}

# Both there: the daemon died between two steps.
check_what_a_crash_leaves() {
	layers
	ovl base
	echo changed > mnt/file
	rm mnt/other
	mkdir mnt/e/own
	umount mnt
	touch upper/.wh.file upper/.wh.e
	ovl base
	assert_content mnt/file changed
	assert_missing upper/.wh.file mnt/other
	assert_exists mnt/e/own
	rm mnt/file
	assert_missing mnt/file
	assert_exists upper/.wh.file
	umount mnt
	ovl base
	assert_missing mnt/file mnt/other
}

check_devices_of_others_become_names() {
	layers
	mkdir -p upper/e upper/full
	whiteout upper/file
	touch upper/.wh.other upper/.wh.full
	ovl base
	assert_missing mnt/file mnt/other mnt/full/y
	assert_exists mnt/d/sub/x
	umount mnt
	assert_eq "$(names upper)" ".wh.file .wh.other e full "
}

check_a_directory_that_is_open_goes() {
	layers
	ovl base
	exec 5< mnt/full
	rm mnt/full/y
	mkdir mnt/dir
	mv -T mnt/dir mnt/full
	assert_eq "$(ls -A mnt/full)" ""
	rmdir mnt/full
	exec 5<&-
	assert_missing mnt/full
	assert_eq "$(names upper)" ".wh.full "
}

t_whiteouts_are_names() { ns check_names; }
t_a_name_beside_its_whiteout_counts() { ns check_what_a_crash_leaves; }
t_devices_of_others_become_names() { ns check_devices_of_others_become_names; }
t_a_directory_that_is_open_goes() { ns check_a_directory_that_is_open_goes; }

run_tests
