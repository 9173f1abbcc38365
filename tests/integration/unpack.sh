#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An unpacked tree is the image's, whoever unpacks it, whenever it was interrupted, whatever stands there.
#
#	KILL_STEP=50	kill at every 50th system call, not at a random few
#	KILL_SEED=N	the same few again
. "${0%/*}/lib.sh"
[ -z "${KILL_STEP-}" ] || TEST_TIMEOUT=1200

setup_file() {
	need python3 jq getfattr
	# Every kind of entry, in two layers, with owners, links across directories and a closed directory.
	python3 - layer1.tar layer2.tar << 'END'
import io, sys, tarfile
def add(t, name, kind=tarfile.REGTYPE, data=b"", **kw):
    i = tarfile.TarInfo(name)
    i.type, i.size, i.mtime = kind, len(data), 1600000000.123456789
    i.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for k, v in kw.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as t:
    add(t, "etc", tarfile.DIRTYPE)
    add(t, "etc/passwd", data=b"root:x:0:0::/root:/bin/sh\napp:x:12:34::/srv:/bin/sh\n")
    add(t, "etc/gone", data=b"gone")
    add(t, "bin", tarfile.DIRTYPE)
    add(t, "bin/su", data=b"#!/bin/sh\n", mode=0o4755)
    add(t, "bin/link", tarfile.LNKTYPE, linkname="bin/su")
    add(t, "srv", tarfile.DIRTYPE, mode=0o500, uid=12, gid=34)
    add(t, "srv/link", tarfile.LNKTYPE, linkname="bin/su")
    add(t, "srv/sub", tarfile.DIRTYPE, mode=0)
    add(t, "srv/sub/file", data=b"x" * 100000, mode=0o400, uid=12, gid=34,
        pax_headers={"SCHILY.xattr.user.note": "hello"})
    add(t, "srv/symlink", tarfile.SYMTYPE, linkname="/etc/passwd", mode=0o777, uid=12, gid=34)
    add(t, "dev", tarfile.DIRTYPE)
    add(t, "dev/tty9", tarfile.CHRTYPE, devmajor=4, devminor=9)
    add(t, "dev/nothing", tarfile.CHRTYPE, devmajor=0, devminor=0)
    add(t, "dev/pipe", tarfile.FIFOTYPE, mode=0o600)
    add(t, "empty", tarfile.DIRTYPE)
    for n in range(100):
        add(t, "many/%d/file" % n, data=b"%d\n" % n)
with tarfile.open(sys.argv[2], "w", format=tarfile.PAX_FORMAT) as t:
    add(t, "etc/.wh.gone")
    add(t, "etc/new", data=b"new")
END
	"$SRC/tests/helpers/make_layout.py" image two "$PWD/layer1.tar" "$PWD/layer2.tar"
	FIX_LAYOUT=$PWD/image
}

pull() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:two" image > id
}

# listing DIR: everything that can be seen of a tree, but for devices and the listing's own order
listing() {
	(cd "$1" && find . -mindepth 1 ! -type c -printf '%p %y %m %U:%G %s %T@ %n %l\n' | sort)
}

# same_as_mounted DIR: in the user namespace of the containers
same_as_mounted() {
	export -f listing
	mkdir mounted
	"$LAMINA" unshare bash -c '"$LAMINA" mount image mounted > /dev/null; listing mounted > want
		listing "$1" > got; "$LAMINA" umount mounted' bash "$1"
	rmdir mounted
	# Directories have sizes of their own.
	sed -i -E 's/^(.* d [0-7]+ [0-9:]+) [0-9]+ /\1 - /' want got
	diff want got > difference || FAIL_DEPTH=1 fail "unpacked is not what is mounted: $(cat difference)"
}

t_the_tree_is_what_a_mount_shows() {
	have_subids || skip "no subordinate ids for $(id -un)"
	pull
	"$LAMINA" unpack image tree 2> err
	assert_match "$(cat err)" 'warning: 2 devices were not made'
	same_as_mounted "$PWD/tree"
	assert_eq "$("$LAMINA" unshare getfattr --only-values -n user.note tree/srv/sub/file)" hello
	assert_eq "$("$LAMINA" unshare sha256sum < tree/etc/new)" "$(printf new | sha256sum)"
	"$LAMINA" unshare rm -rf tree
}

t_a_source_is_pulled_first() {
	"$LAMINA" unpack --ownership squash "oci:$FIX_LAYOUT:two" tree 2> /dev/null
	assert_content tree/etc/new new
	assert_match "$("$LAMINA" images)" 'localhost/image +two'
}

t_one_id_is_enough() {
	pull
	"$LAMINA" unpack --ownership squash image tree 2> err
	assert_eq "$(find tree ! -user "$(id -u)" | wc -l)" 0
	assert_eq "$(stat -c '%a %h' tree/bin/su)" '755 3' 'a set-id program that became mine'
	assert_eq "$(stat -c %a tree/srv)" 500
	assert_eq "$(getfattr -d -m- -R --absolute-names tree/etc 2> /dev/null)" ''
	assert_missing tree/dev/tty9
}

t_owners_can_be_recorded() {
	pull
	"$LAMINA" unpack --ownership record image tree 2> err
	recorded() {
		getfattr --only-values -n user.containers.override_stat "tree/$1"
	}
	assert_eq "$(recorded srv/sub)" 0:0:0000
	assert_eq "$(recorded srv/sub/file)" 12:34:0400
	assert_eq "$(recorded bin/su)" 0:0:4755
	assert_eq "$(recorded dev/tty9)" 0:0:0644:char-4-9
	assert_eq "$(stat -c %a tree/bin/su)" 755
	assert_content tree/etc/new new
	assert_eq "$(cat err)" ''
}

# After each kill the same command completes the tree.
t_a_killed_unpack_is_completed() {
	local n total points kills=0 kill_at=${KILL_AT:-$LAMINA_BUILD/kill_at}

	have_subids || skip "no subordinate ids for $(id -un)"
	leaks_do_not_count
	pull
	total=$("$kill_at" 0 "$LAMINA" unpack --ownership mapped image whole 2>&1 | tail -n 1)
	[ "$total" -gt 500 ] || fail "only $total calls"
	if [ -n "${KILL_STEP-}" ]; then
		points=$(seq 1 "$KILL_STEP" "$total")
	else
		echo "# KILL_SEED=${KILL_SEED:=$RANDOM}"
		points=$(python3 -c 'import random, sys
random.seed(sys.argv[1]); print(*sorted(random.sample(range(1, int(sys.argv[2])), 6)))' "$KILL_SEED" "$total")
	fi
	for n in $points; do
		"$kill_at" "$n" "$LAMINA" unpack --ownership mapped image tree > /dev/null 2>&1 ||
			kills=$((kills + 1))
		"$LAMINA" unpack --ownership mapped image tree 2> /dev/null || fail "killed at $n of $total"
		same_as_mounted "$PWD/tree"
		"$LAMINA" unshare rm -rf tree
	done
	[ "$kills" -ge 3 ] || fail "only $kills kills"
	"$LAMINA" fsck -q
}

t_an_unfinished_unpack_keeps_what_is_complete_and_nothing_else() {
	local mark

	need strace
	pull
	! strace -f -qq -o /dev/null -e trace=openat -e inject=openat:signal=KILL:when=170 \
		"$LAMINA" unpack --ownership squash --jobs 1 image tree > /dev/null 2>&1 ||
		fail 'it was not killed'
	mark=$(find tree -maxdepth 1 -name '.lamina-unpack-*')
	assert_exists "$mark/state"
	find tree -type f -path '*/many/*' -size +0 -printf '%p %i\n' | sort > before
	[ -s before ] || fail 'nothing was complete'
	mkdir -p tree/etc
	echo planted > tree/etc/stranger
	"$LAMINA" unpack --ownership squash image tree 2> /dev/null
	assert_missing "$mark" tree/etc/stranger
	find tree -type f -path '*/many/*' -printf '%p %i\n' | sort > after
	# Of the files that were there, one at most had not got its time.
	[ "$(comm -12 before after | wc -l)" -ge "$(($(wc -l < before) - 1))" ] ||
		fail 'complete files were written again'
	rm before after
}

t_what_stands_in_the_way_is_not_written_through() {
	local mark

	need strace
	pull
	mkdir outside
	make_file outside/passwd mine
	chmod 640 outside/passwd
	ln -s outside linked
	assert_fails 125 'is a symbolic link' "$LAMINA" unpack --ownership squash image linked
	assert_fails 125 'not empty' "$LAMINA" unpack --ownership squash image outside
	# A half-unpacked tree in which somebody has been.
	! strace -f -qq -o /dev/null -e trace=openat -e inject=openat:signal=KILL:when=170 \
		"$LAMINA" unpack --ownership squash --jobs 1 image tree > /dev/null 2>&1
	mark=$(find tree -maxdepth 1 -name '.lamina-unpack-*')
	chmod -R u+rwx tree
	rm -rf tree/etc tree/bin tree/many/5
	ln -s "$PWD/outside" tree/etc
	mkdir tree/bin
	ln -s "$PWD/outside/passwd" tree/bin/su
	ln "$PWD/outside/passwd" tree/bin/link
	mkdir -p tree/many/5/file/deep
	find "$mark" -type f ! -name state -delete
	"$LAMINA" unpack --ownership squash image tree 2> /dev/null
	assert_content outside/passwd mine
	assert_eq "$(stat -c '%a %h' outside/passwd)" '640 1'
	assert_eq "$(ls outside)" passwd
	assert_content tree/many/5/file 5
	assert_eq "$(stat -c %F tree/etc)" directory
	assert_eq "$(stat -c %h tree/bin/su)" 3
}

t_a_full_disk_is_one_line_and_the_next_run_goes_on() {
	pull
	mkdir full
	cat > on-small-disk << 'END'
set -eu
mount -t tmpfs -o size=64k tmpfs full
code=0
"$LAMINA" unpack --ownership squash image full/tree > out 2> err || code=$?
echo "$code" > code
mount -o remount,size=16m full
"$LAMINA" unpack --ownership squash image full/tree 2> /dev/null
sha256sum < full/tree/srv/sub/file > sum
END
	in_userns sh on-small-disk
	assert_content code 125
	assert_eq "$(grep -c . err)" 1 "lines: $(cat err)"
	assert_match "$(cat err)" "cannot unpack 'image': '.*': .*No space left on device"
	assert_eq "$(cat sum)" "$(head -c 100000 /dev/zero | tr '\0' x | sha256sum)"
}

t_a_bundle_has_its_configuration() {
	have_subids || skip "no subordinate ids for $(id -un)"
	pull
	"$LAMINA" unpack --bundle image bundle 2> /dev/null
	assert_eq "$(jq -r '.root.path' bundle/config.json)" rootfs
	assert_eq "$(jq -r '.process.args | join(" ")' bundle/config.json)" '/bin/sh -c true'
	assert_eq "$(jq -c '.linux.uidMappings[0]' bundle/config.json)" \
		"{\"containerID\":0,\"hostID\":$(id -u),\"size\":1}"
	[ "$(jq '.linux.uidMappings | length' bundle/config.json)" -ge 2 ] || fail 'one id alone'
	assert_eq "$("$LAMINA" unshare cat bundle/rootfs/etc/new)" new
	"$LAMINA" unshare rm -rf bundle
}

run_tests
