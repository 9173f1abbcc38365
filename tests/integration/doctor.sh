#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the machine lacks is named, with what it costs and what to type: by doctor, and by what fails.
. "${0%/*}/lib.sh"

# finding NAME [COMMAND…]: what doctor, run by the command, says of a check
finding() {
	local name=$1

	shift
	"$@" "$LAMINA" doctor --json > findings.json || :
	jq -r --arg n "$name" '.[] | select(.name == $n) | "\(.ok) \(.why) hint: \(.hint)"' findings.json
}

setup_file() {
	need jq unshare
}

t_what_works_is_told_and_nothing_is_left() {
	local code=0

	"$LAMINA" doctor > out || code=$?
	assert_match "$(cat out)" '^ok    user namespaces$'
	# Warnings are of the machine that runs the tests.
	[ "$code" -le 1 ] || skip "containers cannot run here: $(grep FAIL out)"
	assert_eq "$(grep -c '^warn' out > count; [ "$(cat count)" = 0 ] && echo 0 || echo 1)" "$code"
	assert_eq "$("$LAMINA" doctor --json | jq length)" "$(grep -c '^[a-zF]' out)"
	assert_eq "$(ls "$XDG_RUNTIME_DIR/lamina/members" 2> /dev/null)" ''
}

t_no_user_namespaces() {
	forbid() { unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"' sh "$@"; }
	assert_match "$(finding 'user namespaces' forbid)" '^false this machine allows no user namespaces .*sysctl -w'
	assert_fails 2 'FAIL  user namespaces' forbid "$LAMINA" doctor
	# The same text where it is met.
	assert_fails 125 'hint: run .sysctl -w user.max_user_namespaces=65536. as root' forbid "$LAMINA" unshare true
}

t_a_helper_is_missing() {
	[ "$(id -u)" != 0 ] || skip 'root needs no helper'
	have_subids || skip 'no subordinate ids'
	PATH=$PWD "$LAMINA" doctor --json > f.json || :
	assert_match "$(jq -r '.[] | select(.name == "subordinate ids") | .why, .hint' f.json)" "newuidmap' is not installed"
	assert_match "$(cat f.json)" "install the package 'uidmap'"
	assert_match "$(PATH=$PWD "$LAMINA" unshare /bin/true 2>&1)" "newuidmap' is not installed.*install the package"
}

t_a_helper_without_its_bit() {
	[ "$(id -u)" != 0 ] || skip 'root needs no helper'
	have_subids || skip 'no subordinate ids'
	cp "$(command -v newuidmap)" "$(command -v newgidmap)" .
	assert_match "$(PATH=$PWD:$PATH finding 'subordinate ids')" "^false 'new[ug]idmap' failed: .*chmod u\+s"
}

t_ids_of_a_nested_namespace_are_few() {
	assert_match "$(finding 'number of ids' unshare -Ur)" '^false containers have 1 ids, fewer than 65536'
}

t_no_subordinate_ids() {
	have_subids || skip 'no subordinate ids'
	: > empty
	unshare -Urm sh -c 'mount --bind empty /etc/subuid && exec unshare -U --map-user=1000 --map-group=1000 "$LAMINA" doctor --json' > f.json 2> /dev/null || :
	assert_match "$(jq -r '.[] | select(.name == "subordinate ids") | .why, .hint' f.json)" 'no subordinate uids for user .*usermod --add-subuids|usermod --add-subuids'
}

t_no_fuse_and_no_tun() {
	have_subids || skip 'no subordinate ids'
	mkdir dev
	bare() { unshare -Urm sh -c 'mount -t tmpfs none dev && : > dev/null && mount --bind /dev/null dev/null &&
		mount --rbind dev /dev && exec "$@"' sh "$@"; }
	assert_match "$(finding /dev/fuse bare)" "^false cannot open '/dev/fuse': No such file.*modprobe fuse"
	assert_match "$(finding /dev/net/tun bare)" "^false cannot open '/dev/net/tun': No such file.*modprobe tun"
}

t_a_filter_of_an_outer_container() {
	cat > filter.py << 'END'
import ctypes, os, struct, sys
# mount_setattr(2), number 442 on every architecture, says ENOSYS.
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 442), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7fff0000)]
prog = b"".join(struct.pack("HBBI", *c) for c in code)
buf = ctypes.create_string_buffer(prog)
fprog = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buf))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, fprog, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
END
	assert_match "$(finding 'system calls' python3 filter.py)" \
		'^false the system call mount_setattr is forbidden here .*seccomp=unconfined'
}

t_a_store_that_cannot_be_written() {
	[ "$(id -u)" != 0 ] || skip 'root writes anywhere'
	"$LAMINA" images > /dev/null
	chmod 500 "$LAMINA_ROOT" "$LAMINA_ROOT"/*
	"$LAMINA" doctor --json > f.json 2> err || :
	chmod 700 "$LAMINA_ROOT" "$LAMINA_ROOT"/*
	assert_match "$(cat f.json err)" 'cannot be written|Permission denied'
}

run_tests
