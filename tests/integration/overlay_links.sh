#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hard links of layers stay one inode, with the right count from the first stat on.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/dirs.sh"

layers() {
	mkdir -p base/a base/b
	echo data > base/a/one
	ln base/a/one base/a/two
	ln base/a/one base/b/three
	ln -s target base/b/link
	ln base/b/link base/b/link2
	ln base/b/link base/b/link3
}

again() {
	umount mnt
	ovl base "$1"
}

# links FILE COUNT: of the first thing that anybody asks after a mount
links() {
	assert_eq "$(stat -c %h "$1")" "$2" "links of $1"
}

check_counts() {
	local options

	for options in redirect_dir=off redirect_dir=on,metacopy=on; do
		rm -rf base upper work
		layers
		ovl base "$options"
		links mnt/b/three 3
		rm mnt/a/one
		links mnt/b/three 2
		again "$options"
		links mnt/b/three 2
		chmod 600 mnt/a/two # the copy
		links mnt/b/three 2
		again "$options"
		links mnt/b/three 2
		assert_eq "$(stat -c %a mnt/b/three)" 600
		rm mnt/b/three
		again "$options"
		links mnt/a/two 1
		assert_content mnt/a/two data
		echo more >> mnt/a/two
		ln mnt/a/two mnt/b/four
		again "$options"
		links mnt/a/two 2
		assert_eq "$(stat -c %i mnt/a/two)" "$(stat -c %i mnt/b/four)"
		assert_content mnt/b/four "$(printf 'data\nmore')"
		rm mnt/a/two
		again "$options"
		links mnt/b/four 1
		rm mnt/b/four
		umount mnt
		assert_eq "$(ls work/lamina/index)" "" "index"
	done
}

# Attributes cannot be kept on these.
check_symlinks() {
	layers
	ovl base
	rm mnt/b/link2
	again ''
	links mnt/b/link3 2
	touch -h mnt/b/link # the copy
	links mnt/b/link3 2
	again ''
	links mnt/b/link3 2
	rm mnt/b/link
	again ''
	links mnt/b/link3 1
	assert_eq "$(readlink mnt/b/link3)" target
	rm mnt/b/link3
	umount mnt
	assert_eq "$(ls work/lamina/index)" "" "index"
	# The daemon may hold its lock for a moment after the mount is gone.
	wait_for '"$LAMINA_OVERLAY" --check upper -o lowerdir=base,workdir=work'
}

check_directories_are_counted() {
	mkdir -p top/d/new base/d/old base/d/gone/x base/e
	whiteout top/e
	ovl top:base
	assert_eq "$(stat -c %h mnt mnt/d mnt/d/old | tr '\n' ' ')" "1 1 1 "
	umount mnt
	ovl top:base static_nlink=0
	assert_eq "$(stat -c %h mnt mnt/d mnt/d/old | tr '\n' ' ')" "3 5 2 "
	rm -r mnt/d/gone
	mkdir mnt/d/mine
	rmdir mnt/d/old
	mkdir mnt/more
	assert_eq "$(stat -c %h mnt mnt/d | tr '\n' ' ')" "4 4 "
	umount mnt
	ro upper:top:base static_nlink=0
	assert_eq "$(stat -c %h mnt mnt/d | tr '\n' ' ')" "4 4 "
}

t_links_of_files_are_counted_over_remounts() { ns check_counts; }
t_links_of_symlinks_are_counted_over_remounts() { ns check_symlinks; }
t_links_of_merged_directories_are_counted_where_asked() { ns check_directories_are_counted; }

run_tests
