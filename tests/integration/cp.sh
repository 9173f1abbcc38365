#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files get into containers and out of them, to where their paths mean, and nowhere else.
. "${0%/*}/lib.sh"
. "$TEST_DIR/containerlib.sh"

setup_file() {
	setup_containers
}

# up NAME [OPTION…]: a container in the background
up() {
	local name=$1

	shift
	store run -d --network none --name "$name" "$@" "$FIX_IMAGE" sleep 1000 > /dev/null
}

# every_path: copies by each rule of docker's table, into and out of the container c; @1: how to look at a
# file in it
every_path() {
	local look=$1

	mkdir -p d/sub
	echo one > f; echo two > d/sub/g; ln -s sub d/link; chmod 750 d/sub; touch -d @1600000000 f
	store cp f c:/tmp/new
	assert_eq "$($look /tmp/new)" one
	store cp f c:/tmp
	assert_eq "$($look /tmp/f)" one
	assert_fails 125 "no directory" store cp f c:/tmp/none/
	assert_fails 125 "cannot find '/tmp/none/'" store cp f c:/tmp/none/x
	assert_fails 125 "is a file" store cp d c:/tmp/f
	store cp d c:/tmp/made
	assert_eq "$($look /tmp/made/sub/g)" two
	store cp d c:/tmp/made
	assert_eq "$($look /tmp/made/d/link/g)" two
	store cp d/. c:/tmp
	assert_eq "$($look /tmp/sub/g)" two
	# Relative paths start at the root.
	store cp ./f c:tmp/rel
	assert_eq "$($look /tmp/rel)" one

	store cp c:/tmp/made out
	assert_eq "$(cat out/d/sub/g) $(readlink out/link) $(stat -c %a out/sub)" 'two sub 750'
	store cp c:/tmp/f .
	assert_eq "$(stat -c '%Y %U' f)" "1600000000 $(id -un)"
	store cp c:/tmp/made/. out2
	assert_content out2/sub/g two
	store cp c:/tmp/made - | tar -tf - | sort > names
	assert_match "$(tr '\n' ' ' < names)" '^made/ made/d/ made/d/link .*made/sub/g $'
	tar -cf - --owner=3 --group=4 d | store cp - c:/tmp/made/d/sub
	assert_eq "$($look /tmp/made/d/sub/d/sub/g)" two
	tar -czf - --owner=3 --group=4 f | store cp -a=false - c:/var
	assert_eq "$($look /var/f)" one
	assert_fails 125 'one of both' store cp f d
	assert_fails 125 'cannot find' store cp c:/none .
	assert_fails 125 'lamina cp - B:DIR' store cp c:/tmp/f c:/tmp/g
}

t_into_and_out_of_a_running_container() {
	in_c() { store exec c cat "$1"; }
	up c
	every_path in_c
	assert_eq "$(store exec c stat -c '%u:%g %a' /tmp/made/sub /var/f)" '0:0 750
3:4 644'
	store rm -f c > /dev/null
}

t_into_and_out_of_one_that_does_not_run() {
	in_c() { store export c | tar -xOf - "${1#/}"; }
	store create --network none --name c "$FIX_IMAGE" cat /tmp/new > /dev/null
	# Links are followed by cp alone.
	in_c() { store cp "c:$1" - | tar -xOf -; }
	every_path in_c
	assert_eq "$(store start -a c)" one
	store cp f c:/tmp/after
	store rm c > /dev/null
	assert_nothing_left
}

t_owners_are_the_containers_user() {
	store create --network none --name u -u 5:6 "$FIX_IMAGE" stat -c %u:%g /tmp/f /tmp/d/g > /dev/null
	mkdir d
	echo > f; echo > d/g
	store cp f u:/tmp; store cp d u:/tmp
	assert_eq "$(store start -a u)" '5:6
5:6'
	store rm u > /dev/null
	if have_subids; then
		up k --userns keep-id
		store cp f k:/tmp
		assert_eq "$(store exec k stat -c %u /tmp/f)" "$(id -u)"
		store rm -f k > /dev/null
	fi
}

t_volumes_are_where_the_container_sees_them() {
	mkdir vol; echo old > vol/file; echo bound > bound
	store create --network none --name v -v "$PWD/vol:/data" -v "$PWD/bound:/etc/motd" -v "$PWD/vol:/ro:ro" \
		"$FIX_IMAGE" sleep 1000 > /dev/null
	echo new > n
	store cp n v:/data/
	assert_content vol/n new
	assert_fails 125 'Read-only' store cp n v:/ro/other
	# A file that something is mounted on cannot be replaced, and is written.
	store cp n v:/etc/motd
	assert_content bound new
	store start v > /dev/null
	echo newer > n
	store cp n v:/data/ && store cp n v:/etc/motd
	assert_content vol/n newer
	assert_content bound newer
	store rm -f v > /dev/null
}

t_what_stands_in_the_way() {
	up w
	mkdir -p d/x; echo > d/x/f
	store exec w sh -c 'echo keep > /tmp/target; ln -s /tmp/target /tmp/link; mkdir -p /tmp/t/d; echo > /tmp/t/d/x; cp /bin/busybox /tmp/sleep'
	echo new > link
	# The link stays, its target gets the content.
	store cp link w:/tmp/link
	assert_eq "$(store exec w sh -c 'readlink /tmp/link; cat /tmp/target')" '/tmp/target
new'
	assert_fails 125 'hint: --overwrite' store cp d w:/tmp/t
	store cp --overwrite d w:/tmp/t
	store exec w test -f /tmp/t/d/x/f
	# A program that runs is replaced, not written.
	store exec -d w /tmp/sleep 500
	wait_for 'store top w args | grep -q "^/tmp/sleep 500"'
	store cp link w:/tmp/sleep
	assert_eq "$(store exec w cat /tmp/sleep)" new
	assert_match "$(store top w args)" '^/tmp/sleep 500'
	mkdir bits; : > bits/s; chmod 4755 bits/s
	store cp bits w:/tmp/bits
	assert_eq "$(store exec w stat -c %a /tmp/bits/s)" 4755
	store cp w:/tmp/bits back
	assert_eq "$(stat -c %a back/s)" 755
	store rm -f w > /dev/null
}

t_links_of_a_container_lead_nowhere_but_in_it() {
	mkdir host; echo secret > host/file
	up h
	store exec h sh -c "ln -s '$PWD/host' /tmp/abs; ln -s ../../../../../../../..$PWD/host /tmp/rel; ln -s /proc/1/root /tmp/magic; ln -s /proc/self/fd /tmp/fds"
	for link in abs rel magic; do
		assert_fails 125 '' store cp "h:/tmp/$link/file" got
		echo bad > f
		assert_fails 125 '' store cp f "h:/tmp/$link/file2"
		tar -cf - f | assert_fails 125 '' store cp - "h:/tmp/$link"
	done
	assert_eq "$(ls host)" file
	assert_missing got
	# A tar that goes through a link of its own making.
	python3 - << 'END' > evil.tar
import io, sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w")
def add(name, **k):
    i = tarfile.TarInfo(name)
    for a, b in k.items():
        setattr(i, a, b)
    t.addfile(i, io.BytesIO(b"x" * i.size))
add("out", type=tarfile.SYMTYPE, linkname="/var")
add("out/inside", size=1)
add("sp/deep/er", size=1)
t.close()
END
	store cp - h:/tmp < evil.tar
	assert_eq "$(store exec h sh -c 'cat /var/inside /tmp/sp/deep/er')" xx
	python3 -c '
import io, sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w")
i = tarfile.TarInfo("../../up"); i.size = 1
t.addfile(i, io.BytesIO(b"x")); t.close()' > up.tar
	assert_fails 125 'Invalid' sh -c 'LAMINA_ROOT=$1 "$LAMINA" cp - h:/tmp < up.tar' sh "$FIX_STORE"
	store rm -f h > /dev/null
}

# Somebody in the container swaps a directory for a link to the host's path of ours while we copy.
t_links_that_are_swapped_in_meanwhile_lead_nowhere() {
	mkdir -p host src; echo secret > host/f
	for i in 1 2 3 4 5 6 7 8; do echo "$i" > "src/n$i"; done
	up s
	store exec -d s sh -c "while :; do mkdir /tmp/x 2> /dev/null; rm -rf /tmp/x; ln -s '$PWD/host' /tmp/x; rm -f /tmp/x; done"
	for _ in 1 2 3 4 5; do
		store cp src/. s:/tmp/x > out 2>&1 || :
		store cp s:/tmp/x/f got > out 2>&1 || :
	done
	assert_eq "$(ls host)" f
	assert_missing got
	store rm -f s > /dev/null
}

t_holes_fifos_and_proc() {
	up p
	truncate -s 300M sparse; echo end >> sparse
	store cp sparse p:/tmp/sparse
	assert_eq "$(store exec p sh -c 'tail -c 4 /tmp/sparse; [ $(du -k /tmp/sparse | cut -f1) -lt 2000 ] && echo small')" 'end
small'
	store cp p:/tmp/sparse back
	cmp sparse back
	[ "$(du -k back | cut -f1)" -lt 2000 ] || fail 'holes are written'
	store cp p:/proc/version v
	assert_match "$(cat v)" '^Linux'
	store exec p sh -c 'mkdir /tmp/k; mkfifo /tmp/k/fifo; ln -s /nowhere /tmp/k/l'
	store cp p:/tmp/k .
	[ -p k/fifo ] && [ -L k/l ] || fail 'kinds are lost'
	assert_fails 125 'neither a file' store cp p:/dev/null n
	store rm -f p > /dev/null
	assert_nothing_left
}

run_tests
