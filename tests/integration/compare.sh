#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A mounted image is what other tools unpack: type, mode, owner, size, times, attributes, contents.
. "${0%/*}/lib.sh"
TEST_TIMEOUT=300

setup_file() {
	need umoci newuidmap
	have_subids || skip "no subordinate ids for $(id -un)"
}

# same_as_umoci LAYOUT TAG: mount it, unpack it, compare, all as root of a user namespace
same_as_umoci() {
	local image

	image=$("$LAMINA" pull -q "oci:$1:$2")
	mkdir mnt
	"$LAMINA" unshare sh -ec '
		umoci unpack --image "$2" bundle > umoci.log 2>&1 || { cat umoci.log; exit 1; }
		"$1" mount "$4" mnt
		"$3" --no-devices mnt bundle/rootfs || code=$?
		"$1" umount mnt
		exit "${code-0}"' sh "$LAMINA" "$1:$2" "$SRC/tests/tools/compare_trees.py" "$image"
}

t_demo_image() {
	demo_image layout
	same_as_umoci "$PWD/layout" demo
}

t_debian_image() {
	local layout

	need mmdebstrap
	layout=$(debian_image)
	same_as_umoci "$layout" debian
}

t_a_difference_is_seen() {
	mkdir -p a/d
	echo text > a/d/f
	ln a/d/f a/hard
	ln -s target a/link
	cp -a a b
	"$SRC/tests/tools/compare_trees.py" a b
	touch -d @1.000000001 b/link -h
	assert_fails 1 '^link: mtime' "$SRC/tests/tools/compare_trees.py" a b
	rm -r b && cp -a a b && cp --remove-destination -p b/d/f b/hard
	assert_fails 1 'hard: hard link of' "$SRC/tests/tools/compare_trees.py" a b
}

run_tests
