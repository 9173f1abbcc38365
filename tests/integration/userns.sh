#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One user namespace per user: found by whoever comes later, believed only if it is ours.
. "${0%/*}/lib.sh"

map_of() {
	"$LAMINA" unshare cat /proc/self/uid_map | tr -s ' ' | sed 's/^ //'
}

# hold: keep a command running in the namespace; prints its pid
hold() {
	"$LAMINA" unshare sh -c 'echo $$ > held; exec sleep 1000' > /dev/null 2>&1 &
	wait_for '[ -s held ]'
	cat held
	rm held
}

# gone PID: it has ended, reaped or not
gone() {
	! grep -qs '^State:.[^Z]' "/proc/$1/status"
}

ns_of() {
	readlink "/proc/$1/ns/user"
}

t_user_is_root_and_subordinate_ids_follow() {
	have_subids || skip "no subordinate ids"
	assert_eq "$("$LAMINA" unshare id -u)" 0
	assert_match "$(map_of | head -n 1)" "^0 $(id -u) 1$"
	assert_match "$(map_of | sed -n 2p)" "^1 $(grep "^$(id -un):" /etc/subuid | head -n 1 |
		cut -d: -f2) [0-9]+$"
}

t_exit_code_is_the_commands() {
	assert_fails 42 "" "$LAMINA" unshare sh -c 'exit 42'
	PATH=/usr/bin:/bin assert_fails 127 "cannot run 'no-such-program'" \
		"$LAMINA" unshare no-such-program
	assert_fails 126 "cannot run '/etc/passwd'" "$LAMINA" unshare /etc/passwd
}

t_later_commands_join_without_helpers() {
	need strace
	local pid

	pid=$(hold)
	strace -f -e trace=execve,execveat,setns -o trace "$LAMINA" unshare readlink /proc/self/ns/user > ns
	assert_content ns "$(ns_of "$pid")"
	! grep -q 'new[ug]idmap' trace || fail "a helper was run: $(grep idmap trace)"
	kill -9 "$pid"
}

t_namespace_ends_with_its_last_process() {
	local pid first

	pid=$(hold)
	first=$(ns_of "$pid")
	kill -9 "$pid"
	wait_for "gone $pid"
	pid=$(hold)
	# The number may be given again by the kernel, so look at what was written down.
	assert_eq "$(cat "$XDG_RUNTIME_DIR"/lamina/members/* | wc -l)" 1
	[ -n "$first" ]
	kill -9 "$pid"
}

t_any_living_member_leads_in() {
	local one two

	one=$(hold)
	two=$(hold)
	assert_eq "$(ns_of "$one")" "$(ns_of "$two")"
	kill -9 "$one"
	wait_for "gone $one"
	assert_eq "$("$LAMINA" unshare readlink /proc/self/ns/user)" "$(ns_of "$two")"
	kill -9 "$two"
	wait_for "gone $two"
	hold > /dev/null
	assert_missing "$XDG_RUNTIME_DIR/lamina/members/$one" "$XDG_RUNTIME_DIR/lamina/members/$two"
}

t_reused_pids_and_forged_members_are_not_believed() {
	local pid start

	(umask 077 && mkdir -p "$XDG_RUNTIME_DIR/lamina/members")
	# This shell is alive, but is not in a namespace of ours, nor did it start then.
	start=$(cut -d' ' -f22 "/proc/$$/stat")
	echo "1 1" > "$XDG_RUNTIME_DIR/lamina/members/$$"
	echo "$start 4026531837" > "$XDG_RUNTIME_DIR/lamina/members/$BASHPID"
	echo "junk" > "$XDG_RUNTIME_DIR/lamina/members/1"
	mkfifo "$XDG_RUNTIME_DIR/lamina/members/2"
	ln -s /dev/zero "$XDG_RUNTIME_DIR/lamina/members/3"
	assert_eq "$("$LAMINA" unshare id -u)" 0
	pid=$(hold)
	[ "$(ns_of "$pid")" != "$(readlink /proc/self/ns/user)" ] || fail "not in a new namespace"
	kill -9 "$pid"
}

t_runtime_directory_of_others_is_refused() {
	mkdir -m 755 "$XDG_RUNTIME_DIR/lamina"
	assert_fails 125 "open to others" "$LAMINA" unshare true
	rmdir "$XDG_RUNTIME_DIR/lamina"
	ln -s "$T" "$XDG_RUNTIME_DIR/lamina"
	assert_fails 125 "runtime directory" "$LAMINA" unshare true
	rm "$XDG_RUNTIME_DIR/lamina"
	XDG_RUNTIME_DIR=/proc assert_fails 125 "runtime directory" "$LAMINA" unshare true
}

t_works_without_xdg_runtime_dir() {
	local dir

	dir=/tmp/lamina-$(id -u)
	assert_eq "$(env -u XDG_RUNTIME_DIR "$LAMINA" unshare id -u)" 0
	assert_eq "$(stat -c '%a %u' "$dir")" "700 $(id -u)"
}

t_many_at_once_share_one() {
	local i

	hold > /dev/null
	for i in 1 2 3 4 5 6 7 8; do
		"$LAMINA" unshare readlink /proc/self/ns/user > "ns-$i" &
	done
	wait_for '[ "$(cat ns-? | wc -l)" = 8 ]'
	assert_eq "$(sort -u ns-? | wc -l)" 1
}

t_first_commands_at_once_make_one() {
	local i

	for i in 1 2 3 4 5 6; do
		"$LAMINA" unshare sh -c "readlink /proc/self/ns/user > ns-$i; exec sleep 1000" &
	done
	wait_for '[ "$(cat ns-? 2> /dev/null | wc -l)" = 6 ]'
	assert_eq "$(sort -u ns-? | wc -l)" 1
}

t_inside_itself_it_stays() {
	"$LAMINA" unshare sh -c 'readlink /proc/self/ns/user; "$LAMINA" unshare readlink /proc/self/ns/user' > both
	assert_eq "$(sort -u both | wc -l)" 1
}

t_without_helpers_one_id_and_one_warning() {
	mkdir bin
	ln -s /bin/cat /bin/sh /bin/true bin/
	PATH=$T/bin "$LAMINA" unshare cat /proc/self/uid_map > map 2> warning
	assert_eq "$(tr -s ' ' < map)" " 0 $(id -u) 1"
	assert_eq "$(wc -l < warning)" 1
	assert_match "$(cat warning)" "newuidmap|no subordinate"
}

t_helper_that_fails_is_named() {
	have_subids || skip "no subordinate ids"
	mkdir bin
	ln -s /bin/cat bin/
	printf '#!/bin/sh\nexit 1\n' > bin/newuidmap
	chmod 755 bin/newuidmap
	cp bin/newuidmap bin/newgidmap
	PATH=$T/bin:/bin "$LAMINA" unshare cat /proc/self/uid_map > map 2> warning
	assert_match "$(cat warning)" "newuidmap' failed.*chmod u\+s"
	assert_eq "$(wc -l < map)" 1
}

t_forbidden_namespaces_are_explained() {
	assert_fails 125 'hint: run .sysctl -w user.max_user_namespaces=' \
		unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$LAMINA" unshare true'
}

run_tests
