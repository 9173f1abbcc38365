#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Layers can be listed, read and checked, in the store and as files.
# shellcheck source=tests/integration/lib.sh
. "${0%/*}/lib.sh"

setup_file() {
	demo_image "$PWD/layout"
	FIX_LAYOUT=$PWD/layout
}

# pull_demo: the demo image as localhost/demo; the file names of its layers, lowest first, in $layers
pull_demo() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" localhost/demo:1 > /dev/null
	mapfile -t layers < <("$LAMINA" inspect localhost/demo:1 |
		grep -o 'sha256:[0-9a-f]\{64\}' | sort -u | sed 's/:/-/' |
		while read -r l; do [ ! -e "$LAMINA_ROOT/layers/$l" ] || echo "$l"; done)
	[ "${#layers[@]}" -gt 0 ] || fail "no layers"
}

# in a layer that has it: layer_with PATH
layer_with() {
	local l

	for l in "${layers[@]}"; do
		tar -tf "$LAMINA_ROOT/layers/$l/layer.tar" | grep -qx "$1" && echo "$l" && return
	done
	fail "no layer has '$1'"
}

t_layers_are_listed_by_digest_prefix_and_file() {
	local l hex

	pull_demo
	l=$(layer_with bin/busybox)
	hex=${l#sha256-}
	"$LAMINA" layer ls "sha256:$hex" > full
	"$LAMINA" layer ls "${hex:0:12}" > short
	"$LAMINA" layer ls "$LAMINA_ROOT/layers/$l/layer.idx" > file
	cmp full short
	cmp full file
	assert_match "$(grep ' bin/busybox$' full)" '^-rwxr-xr-x 0/0 +[0-9]+ [0-9-]{10} [0-9:]{5} bin/busybox$'
	assert_fails 125 'cannot list' "$LAMINA" layer ls "${hex:0:3}"
	assert_fails 125 "'nothing/here.idx'" "$LAMINA" layer ls nothing/here.idx
}

t_images_are_listed_as_one_tree() {
	pull_demo
	"$LAMINA" layer ls localhost/demo:1 > tree
	assert_match "$(head -n 1 tree)" '^d.* \./$'
	assert_match "$(cat tree)" ' bin/busybox$'
	"$LAMINA" layer ls --json localhost/demo:1 > json
	assert_eq "$(wc -l < json)" "$(wc -l < tree)"
	python3 -c 'import json, sys
busybox = [e for e in map(json.loads, sys.stdin) if e["path"] == "bin/busybox"][0]
assert busybox["type"] == "file" and busybox["mode"] == "0755" and busybox["size"] > 1000, busybox' < json
}

t_names_of_strangers_are_escaped() {
	mkdir layer
	python3 - << 'END'
import io, tarfile
with tarfile.open('layer/layer.tar', 'w', format=tarfile.PAX_FORMAT) as t:
    t.addfile(tarfile.TarInfo('\x1b[31mred\nline'), io.BytesIO())
    link = tarfile.TarInfo('link')
    link.type, link.linkname = tarfile.SYMTYPE, '\x1b]0;title\x07'
    t.addfile(link)
    t.addfile(tarfile.TarInfo('.wh.gone'), io.BytesIO())
    t.addfile(tarfile.TarInfo('d/.wh..wh..opq'), io.BytesIO())
END
	mkdir store && "$LAMINA_BUILD/idxdump" store layer/layer.tar > /dev/null
	"$LAMINA" layer ls store/0/layer.idx > list
	if LC_ALL=C grep -q '[^ -~]' list; then
		fail "control characters reach the terminal"
	fi
	assert_match "$(cat list)" '\\x1b\[31mred\\nline$'
	assert_match "$(cat list)" ' link -> \\x1b\]0;title\\x07$'
	assert_match "$(cat list)" '^w--.* whiteout gone$'
	assert_match "$(cat list)" '^o--.* opaque d/$'
	"$LAMINA" layer ls store/image.idx > merged
	assert_eq "$(wc -l < merged)" 3
}

t_files_of_a_layer_are_printed() {
	local l

	pull_demo
	l=$(layer_with bin/busybox)
	"$LAMINA" layer cat "${l#sha256-}" /bin/busybox > busybox
	tar -xf "$LAMINA_ROOT/layers/$l/layer.tar" -O bin/busybox | cmp - busybox
	assert_fails 125 'does not have it' "$LAMINA" layer cat "${l#sha256-}" bin/nothing
	assert_fails 125 'not a regular file' "$LAMINA" layer cat "${l#sha256-}" bin
	assert_fails 125 "'\.\.'" "$LAMINA" layer cat "${l#sha256-}" bin/../x
	assert_fails 125 'not a layer' "$LAMINA" layer cat localhost/demo:1 bin/busybox
}

t_sparse_files_and_hard_links_are_printed() {
	mkdir tree store
	truncate -s 200K tree/sparse
	printf 'middle' | dd of=tree/sparse bs=1 seek=100000 conv=notrunc status=none
	ln tree/sparse tree/second
	tar --format=posix --sparse -cf layer.tar -C tree sparse second
	"$LAMINA_BUILD/idxdump" store layer.tar > /dev/null
	"$LAMINA" layer cat store/0/layer.idx sparse | cmp - tree/sparse
	"$LAMINA" layer cat store/0/layer.idx second | cmp - tree/sparse
}

t_whole_layers_are_ok() {
	pull_demo
	"$LAMINA" layer ls localhost/demo:1 > /dev/null
	"$LAMINA" layer verify > said
	assert_eq "$(grep -c ': ok$' said)" $((${#layers[@]} + 1))
	"$LAMINA" layer verify "${layers[0]#sha256-}" "$LAMINA_ROOT/layers/${layers[0]}/layer.idx" > said
	assert_eq "$(grep -c ': ok$' said)" 2
}

t_damaged_tars_are_found() {
	local l file

	pull_demo
	l=$(layer_with bin/busybox)
	file=$LAMINA_ROOT/layers/$l/layer.tar
	chmod u+w "$file"
	# One bit in the content of a file: nothing but the digest can tell.
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(100000)
    b = f.read(1)[0]
    f.seek(100000)
    f.write(bytes([b ^ 4]))' "$file"
	assert_fails 1 "${l#sha256-}.*its tar is damaged: digest is" "$LAMINA" layer verify
	assert_fails 1 'its tar is damaged' "$LAMINA" layer verify --repair "${l#sha256-}"
}

t_damaged_indexes_are_found_and_repaired() {
	local l file image

	pull_demo
	"$LAMINA" layer ls localhost/demo:1 > before
	l=$(layer_with bin/busybox)
	file=$LAMINA_ROOT/layers/$l/layer.idx
	image=$(echo "$LAMINA_ROOT"/images/*.idx)
	for f in "$file" "$image"; do
		chmod u+w "$f"
		printf 'X' | dd of="$f" bs=1 seek=4200 conv=notrunc status=none
	done
	assert_fails 1 'its index is damaged' "$LAMINA" layer verify "${l#sha256-}"
	assert_fails 1 'hint: lamina layer verify --repair' "$LAMINA" layer verify
	"$LAMINA" layer verify --repair > /dev/null
	"$LAMINA" layer verify > /dev/null
	"$LAMINA" layer ls localhost/demo:1 | cmp - before
	rm -f "$file"
	assert_fails 1 'its index is missing' "$LAMINA" layer verify "${l#sha256-}"
	"$LAMINA" layer verify --repair "${l#sha256-}" > /dev/null
	assert_exists "$file"
}

run_tests
