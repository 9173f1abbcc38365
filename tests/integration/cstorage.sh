#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What Podman has can be taken over from its storage, which is only read.
. "${0%/*}/lib.sh"

setup_file() {
	need podman jq python3 newuidmap
	have_subids || skip "no subordinate ids for $(id -un) in /etc/subuid"
	demo_image "$PWD/demo"
	odd_root odd.tar
	LAMINA_ROOT=$PWD/made "$LAMINA" pull -q oci:demo:demo example.org/a/demo:1 > /dev/null
	LAMINA_ROOT=$PWD/made "$LAMINA" import -q odd.tar example.org/odd:2 > /dev/null
	LAMINA_ROOT=$PWD/made "$LAMINA" save --format docker-archive -o both.tar \
		example.org/a/demo:1 example.org/odd:2 2> /dev/null
	FIX_DIR=$PWD
	for driver in overlay vfs; do
		engine "$driver" load -q -i both.tar > /dev/null 2>> podman.err ||
			skip "podman loads nothing here: $(tail -n 1 podman.err)"
	done
}

# engine DRIVER ARG…: podman with a storage of the test
engine() {
	podman --root "$FIX_DIR/$1" --runroot "$FIX_DIR/run-$1" --storage-driver "$1" "${@:2}"
}

# odd_root TAR: names, owners and kinds that only the user's namespace can read
odd_root() {
	python3 - "$1" << 'END'
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w", format=tarfile.GNU_FORMAT, encoding="latin-1")
def add(name, data=None, **how):
    i = tarfile.TarInfo(name)
    i.size = len(data or b"")
    for k, v in how.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data) if data else None)
add("secret", type=tarfile.DIRTYPE, mode=0o700, uid=7, gid=8)
add("secret/key", b"k" * 300000, mode=0, uid=7, gid=8)
add("usr/lib", type=tarfile.DIRTYPE, mode=0o755)
add("lib", type=tarfile.SYMTYPE, linkname="usr/lib")
add("lib/through-a-link", b"there")
add("hard", type=tarfile.LNKTYPE, linkname="secret/key")
add("caf\xe9", b"latin")
add("n" * 150, b"long")
add("empty", mode=0o4755)
add("fifo", type=tarfile.FIFOTYPE)
t.close()
END
}

same_image() {
	LAMINA_ROOT=$FIX_DIR/made "$LAMINA" inspect "$1" | jq -c '.[0] | [.Id, .RootFS]' > want
	"$LAMINA" inspect "$1" | jq -c '.[0] | [.Id, .RootFS]' > got
	assert_content got "$(cat want)"
}

t_an_image_comes_with_its_layers_and_digests() {
	local driver

	for driver in overlay vfs; do
		rm -rf "$LAMINA_ROOT"
		(cd "$FIX_DIR" && find "$driver" -printf '%p %T@ %s\n' 2> /dev/null | sort) > before
		"$LAMINA" pull -q "containers-storage:[$driver@$FIX_DIR/$driver]example.org/odd:2" > /dev/null
		same_image example.org/odd:2
		"$LAMINA" pull -q "containers-storage:[$FIX_DIR/$driver+/nowhere]demo:1" > /dev/null
		same_image example.org/a/demo:1
		assert_eq "$("$LAMINA" inspect example.org/odd:2 | jq -r '.[0].Digest')" \
			"$(engine "$driver" image inspect example.org/odd:2 | jq -r '.[0].Digest')"
		"$LAMINA" fsck -q
		(cd "$FIX_DIR" && find "$driver" -printf '%p %T@ %s\n' 2> /dev/null | sort) > after
		diff <(grep -v 'lock\|libpod' before) <(grep -v 'lock\|libpod' after) || fail 'it was written to'
	done
}

t_all_images_come_at_once_from_the_usual_place() {
	local id

	export XDG_CONFIG_HOME=$PWD/config
	make_file config/containers/storage.conf "[storage]
driver = \"overlay\"
graphroot = \"$FIX_DIR/overlay\""
	"$LAMINA" load -q -i containers-storage: > out
	assert_eq "$(sort out)" "Loaded image: example.org/a/demo:1
Loaded image: example.org/odd:2"
	same_image example.org/odd:2
	id=$("$LAMINA" images -q --no-trunc example.org/odd:2)
	"$LAMINA" rmi --all > /dev/null
	"$LAMINA" pull -q "containers-storage:@${id#sha256:}" mine:1 > /dev/null
	"$LAMINA" copy -q "containers-storage:odd:2" oci:layout:x > digest
	"$LAMINA" pull -q oci:layout:x > again
	assert_content again "${id#sha256:}"
}

t_what_is_missing_or_damaged_is_said() {
	assert_fails 5 "there is no image 'none'" "$LAMINA" pull -q "containers-storage:[$FIX_DIR/vfs]none"
	assert_fails 125 "driver 'zfs' is not supported" "$LAMINA" pull -q 'containers-storage:[zfs@/]x'
	assert_fails 125 "name is missing" "$LAMINA" pull -q containers-storage:
	assert_fails 125 'is only read' "$LAMINA" copy -q oci:"$FIX_DIR/demo":demo containers-storage:x
	in_userns cp -a "$FIX_DIR/vfs" mine
	in_userns sh -c 'for d in mine/vfs/dir/*; do [ ! -e $d/secret/key ] || echo >> $d/secret/key; done'
	assert_fails 6 "layer 1 of 1: its file '(secret/key|hard)' was changed" \
		"$LAMINA" pull -q "containers-storage:[$PWD/mine]odd:2"
	rm mine/vfs-layers/*.tar-split.gz
	assert_fails 5 'podman save IMAGE' "$LAMINA" pull -q "containers-storage:[$PWD/mine]odd:2"
	echo '[{' > mine/vfs-layers/layers.json
	assert_fails 6 'vfs-layers/layers.json' "$LAMINA" pull -q "containers-storage:[$PWD/mine]odd:2"
	"$LAMINA" fsck -q
}

run_tests
