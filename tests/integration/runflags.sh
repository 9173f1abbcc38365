#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Flags of `lamina run` that people bring along from podman, with the same meaning.
. "${0%/*}/lib.sh"
. "${0%/*}/containerlib.sh"

setup_file() {
	setup_containers
}

t_keep_id_is_the_user_with_his_own_number() {
	have_subids || skip "no subordinate ids"
	mkdir data
	ctr --userns keep-id -v "$PWD/data:/data" -- sh -c 'id -u; id -g; touch /data/file; stat -c %u /data/file /etc' > out
	assert_eq "$(tr '\n' ' ' < out)" "$(id -u) $(id -g) $(id -u) 0 "
	assert_eq "$(stat -c %u:%g data/file)" "$(id -u):$(id -g)"
	assert_eq "$(ctr --userns keep-id:uid=5,gid=6 -- id -u)" 5
	assert_eq "$(ctr --userns keep-id -u 0 -- sh -c 'touch /x; stat -c %u /x')" 0
	store run -d --name k --userns keep-id --network none "$FIX_IMAGE" sleep 1000 > /dev/null
	assert_eq "$(store exec k id -u)" "$(id -u)"
	store exec k touch /tmp/mine
	store restart -t 0 k > /dev/null
	assert_eq "$(store exec k stat -c %u /tmp/mine)" "$(id -u)"
	store rm -f k > /dev/null
}

t_nomap_has_no_id_of_the_user() {
	have_subids || skip "no subordinate ids"
	mkdir -m 700 data
	assert_eq "$(ctr --userns nomap -- sh -c 'id -u; touch /x; stat -c %u /x' | tr '\n' ' ')" "0 0 "
	assert_fails any 'denied' ctr --userns nomap -v "$PWD/data:/data" -- ls /data
}

t_namespaces_of_the_host() {
	assert_eq "$(ctr --pid host -- readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
	assert_eq "$(ctr --uts host -- readlink /proc/self/ns/uts)" "$(readlink /proc/self/ns/uts)"
	assert_eq "$(ctr --ipc host -- readlink /proc/self/ns/ipc)" "$(readlink /proc/self/ns/ipc)"
	assert_fails 125 "host or private" ctr --ipc container:x -- true
	assert_fails 125 "no container" ctr --pid container:x -- true
}

t_auto_has_ids_of_its_own() {
	have_subids || skip "no subordinate ids"
	local i

	for i in 1 2 3; do
		store run -d --name "a$i" --userns auto --network none "$FIX_IMAGE" sleep 1000 > /dev/null &
	done
	wait
	for i in 1 2 3; do
		store exec "a$i" cat /proc/self/uid_map
	done > maps
	assert_eq "$(awk '{ print $1, $3 }' maps | sort -u)" "0 1024"
	assert_eq "$(awk '{ print $2 }' maps | sort -u | wc -l)" 3
	store exec a1 sh -c 'touch /mine; chown 1000 /mine; stat -c %u /mine /etc' > out
	assert_eq "$(tr '\n' ' ' < out)" "1000 0 "
	store restart -t 0 a1 > /dev/null
	assert_eq "$(store exec a1 stat -c %u /mine)" 1000
	assert_eq "$(ctr --userns auto -u 5000 -- sh -c 'id -u; cat /proc/self/uid_map' | awk '{ print $1, $3 }' | tr '\n' ' ')" \
		"5000  0 5001 "
	assert_eq "$(ctr --userns auto:size=10 -- awk '{ print $3 }' /proc/self/uid_map)" 10
	assert_fails 125 "are not free" ctr --userns auto:size=2000000000 -- true
	store rm -f a1 a2 a3 > /dev/null
	assert_nothing_left
}

t_namespaces_of_another_container() {
	store run -d --name first --hostname one --network none "$FIX_IMAGE" sleep 1000 > /dev/null
	assert_match "$(ctr --pid container:first -- ps)" '^ +1 root +sleep 1000'
	assert_eq "$(ctr --uts container:first -- hostname)" one
	assert_eq "$(ctr --userns container:first -- readlink /proc/self/ns/user)" "$(store exec first readlink /proc/self/ns/user)"
	assert_eq "$(ctr --cgroupns container:first -- readlink /proc/self/ns/cgroup)" "$(store exec first readlink /proc/self/ns/cgroup)"
	store run -d --name second --pid container:first --network none "$FIX_IMAGE" sleep 1001 > /dev/null
	store restart -t 0 second > /dev/null
	wait_for 'store exec first ps | grep -q "sleep 1001"'
	assert_eq "$(store exec second stat -c %u /etc)" 0
	store rm -f second > /dev/null
	store exec first ps | grep -q "sleep 1000" || fail "the first one was hit"
	store stop -t 0 first > /dev/null
	assert_fails 125 "is not running" ctr --pid container:first -- true
	store rm -f first > /dev/null
	assert_nothing_left
}

t_user_without_a_line_gets_one() {
	have_subids || skip "no subordinate ids"
	# The image may have a user of that number.
	assert_eq "$(ctr --userns keep-id -- whoami)" "$(ctr -- awk -F: -v id="$(id -u)" '$3 == id { print $1 }' /etc/passwd | grep . || id -un)"
	assert_eq "$(ctr -u 4321:99 -- sh -c 'whoami; grep 4321 /etc/passwd; grep :99: /etc/group' | tr '\n' ' ')" \
		"4321 4321:*:4321:99::/:/bin/sh 4321:x:99: "
	assert_eq "$(ctr -- grep -c . /etc/passwd)" "$(ctr -u 4321 --passwd=false -- grep -c . /etc/passwd)"
	assert_eq "$(ctr -u 4321 --read-only -- whoami)" 4321
}

t_volume_that_is_given_to_the_user() {
	have_subids || skip "no subordinate ids"
	mkdir -p data/sub
	ln -s /etc/passwd data/link
	touch data/sub/file
	ctr -u 1000:1000 -v "$PWD/data:/data:U" -- sh -c 'cd /data; stat -c %u:%g . link sub sub/file; echo x > sub/file' > out
	assert_eq "$(sort -u out)" 1000:1000
	ctr -v "$PWD/data:/data:U" -- true
	assert_eq "$(stat -c %u data data/link data/sub/file | sort -u)" "$(id -u)"
	assert_eq "$(ctr -u 7 --mount type=volume,src=given,dst=/x,U=true -- stat -c %u /x)" 7
	store volume rm given > /dev/null
	assert_fails 125 "would give it away" ctr -v /:/x:U -- true
	assert_nothing_left
}

t_changes_to_an_overlay_stay_inside() {
	mkdir data
	echo old > data/file
	store run --name o --network none -v "$PWD/data:/data:O" "$FIX_IMAGE" \
		sh -c 'cat /data/file; ls /data; echo new > /data/file; touch /data/more' > out 2> err ||
		{ grep -q 'cannot make an overlay' err && skip "no kernel overlay here"; fail "$(cat err)"; }
	assert_eq "$(tr '\n' ' ' < out)" "old file "
	assert_eq "$(store start -a o | tr '\n' ' ')" "old file "
	assert_content data/file old
	assert_eq "$(ls data)" file
	assert_fails 125 "exclude" ctr -v "$PWD/data:/data:O,ro" -- true
	assert_fails 125 "directories of the host" ctr -v name:/data:O -- true
	store rm o > /dev/null
	assert_nothing_left
}

t_small_things() {
	assert_match "$(ctr --shm-size 1m -- df /dev/shm)" ' 1024 '
	assert_eq "$(ctr --umask 077 -- sh -c 'umask')" 0077
	assert_eq "$(ctr --oom-score-adj 500 -- cat /proc/self/oom_score_adj)" 500
	assert_eq "$(FOO='bar x' ctr --env-host -- sh -c 'echo $FOO')" "bar x"
	assert_eq "$(FOO=bar ctr --env-host -e FOO=baz -- sh -c 'echo $FOO')" baz
	assert_match "$(ctr --device /dev/null:/dev/nothing -- ls -l /dev/nothing)" '^c.* 1, +3 '
	ctr --group-add keep-groups -- true
	assert_eq "$(ctr --group-add 55 -- id -G)" "0 55"
	assert_fails 125 "--umask" ctr --umask 9 -- true
	assert_fails 125 "is no size" ctr --shm-size 1x -- true
	assert_fails 125 "oom-score" ctr --oom-score-adj 2000 -- true
	assert_fails 125 "time zone" ctr --tz ../etc/passwd -- true
	assert_nothing_left
}

t_time_zone() {
	[ -e /usr/share/zoneinfo/Asia/Tokyo ] || skip "no time zones here"
	assert_eq "$(ctr --tz Asia/Tokyo -- date +%z)" +0900
}

t_limits_hold_or_are_refused() {
	assert_fails 125 "is no size" ctr --memory 1x -- true
	assert_fails 125 "above 0" ctr --cpus 0 -- true
	assert_fails 125 "exclude each other" ctr --cpus 1 --cpu-quota 5000 -- true
	# Never ignored: it works, or the error says what is missing.
	ctr --pids-limit 100 -- true 2> err || assert_match "$(cat err)" 'cannot limit what the container uses|controller'
	ctr --cgroups disabled -- true
	assert_nothing_left
}

t_init_reaps_and_passes_signals_on() {
	assert_eq "$(ctr --init -- sh -c 'cat /proc/1/comm; echo $PPID' | tr '\n' ' ')" "lamina-init 1 "
	assert_fails 42 "" ctr --init -- sh -c 'exit 42'
	assert_fails 143 "" ctr --init -- sh -c 'kill $$'
	assert_fails 127 "not found" ctr --init -- no-such
	assert_fails 126 "cannot run" ctr --init -- /etc
	assert_eq "$(echo in | ctr --init -i -u 1000 -- cat)" in
	# What nobody else waits for does not stay.
	ctr --init -- sh -c '(sh -c "sleep 0.1 & :"); i=0
		while [ $i -lt 400 ] && grep -qsx sleep /proc/[0-9]*/comm; do i=$((i+1)); usleep 50000; done; [ $i -lt 400 ]'
	# A shell that waits in the foreground would never hear of a signal as process 1.
	store run -d --init --name i --network none "$FIX_IMAGE" sleep 1000 > /dev/null
	wait_for 'store exec i ps | grep -q "[s]leep 1000"'
	store stop i > /dev/null
	assert_eq "$(store inspect --format '{{.State.ExitCode}} {{.HostConfig.Init}}' i)" "143 true"
	store start i > /dev/null
	assert_eq "$(store exec i cat /proc/1/comm)" lamina-init
	! store exec i sh -c 'echo x > /proc/1/exe' 2> /dev/null || fail "its program can be written"
	store rm -f i > /dev/null
	assert_nothing_left
}

t_init_leaves_the_terminal_to_the_shell() {
	assert_match "$(LAMINA_ROOT=$FIX_STORE on_pty "$LAMINA" run --rm --init -it --network none "$FIX_IMAGE" \
		sh -ic 'echo say something; read x; echo "got $x"; jobs')" '^got hello$'
}

t_environment_that_is_not_the_image_s() {
	assert_eq "$(HTTP_PROXY=p http_proxy=q ctr -- sh -c 'echo $HTTP_PROXY $http_proxy')" "p q"
	assert_eq "$(http_proxy=q ctr --http-proxy=false -- sh -c 'echo $http_proxy')" ""
	assert_eq "$(ctr --unsetenv PATH -- /bin/env | grep -c PATH=)" 0
	# HOME is set by the runtime where nobody else does.
	assert_eq "$(ctr --unsetenv-all -e A=1 -- /bin/env | tr "\n" " ")" "A=1 HOME=/root "
	printf '# what it is\n\nrole=web\n tier=1\n' > labels
	store create --name l --label-file labels -l tier=2 "$FIX_IMAGE" true > /dev/null
	assert_eq "$(store ps -aq --filter label=role=web --filter label=tier=2 | wc -l)" 1
	store rm l > /dev/null
}

t_names_are_looked_for_where_it_is_said() {
	ctr --dns 192.0.2.1 --dns-search one.example --dns-search two.example --dns-option ndots:3 -- \
		cat /etc/resolv.conf > out
	assert_content out 'search one.example two.example
nameserver 192.0.2.1
options ndots:3'
	! ctr --dns 192.0.2.1 --dns-search . -- cat /etc/resolv.conf | grep search || fail "there are domains"
	assert_fails 125 "a word each" ctr --dns-search "$(printf 'a\nnameserver 1.1.1.1')" -- true
	ctr --no-hosts -- sh -c '! grep -q "$HOSTNAME" /etc/hosts'
	assert_fails 125 "exclude" ctr --no-hosts --add-host a:1.2.3.4 -- true
}

t_exposed_ports_are_published_on_free_ones() {
	store run -d --name p -P --expose 8000 --expose 53/udp "$FIX_IMAGE" sleep 1000 > /dev/null
	assert_match "$(store port p 8000)" '^0.0.0.0:[0-9]+$'
	assert_match "$(store port p 53/udp)" ':[0-9]+$'
	store rm -f p > /dev/null
}

t_rights_by_security_options() {
	ctr --security-opt mask=/etc/motd -- sh -c '[ -e /etc/motd ] && [ ! -s /etc/motd ]'
	ctr --security-opt mask=/srv -- sh -c '[ -z "$(ls /srv)" ]'
	assert_match "$(ctr --security-opt proc-opts=hidepid=2 -- grep ' /proc ' /proc/mounts)" 'hidepid=(2|invisible)'
	ctr --security-opt label=type:spc_t --security-opt apparmor=unconfined -- true
	[ -e /sys/kernel/security/apparmor ] || assert_fails 125 "no AppArmor" ctr --security-opt apparmor=x -- true
	assert_fails 125 "unknown security option" ctr --security-opt other=x -- true
	# A profile may come through a descriptor that the shell opened.
	assert_fails 1 'Permission denied' ctr --security-opt seccomp=/dev/fd/5 -- mkdir /x 5< <(echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
		[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}') -- mkdir /x
	assert_eq "$(ctr --personality LINUX32 -- uname -m | grep -c 64)" 0
	assert_eq "$(ctr --cgroupns host -- readlink /proc/self/ns/cgroup)" "$(readlink /proc/self/ns/cgroup)"
	assert_fails 1 "Read-only" ctr --read-only --read-only-tmpfs=false -- touch /tmp/x
}

t_volumes_of_other_containers() {
	mkdir data
	echo here > data/file
	store create --name other -v "$PWD/data:/data" -v named:/named "$FIX_IMAGE" true > /dev/null
	ctr --volumes-from other -- sh -c 'cat /data/file; echo more > /named/file'
	assert_eq "$(ctr --volumes-from other:ro -- sh -c 'cat /named/file; touch /data/x' 2>&1 | tr '\n' ' ')" \
		"more touch: /data/x: Read-only file system "
	assert_fails 125 "no container" ctr --volumes-from nobody -- true
	store rm other > /dev/null
	store volume rm named > /dev/null
	assert_eq "$(ctr --image-volume ignore -- true)" ""
}

t_image_for_another_platform() {
	ctr --platform "linux/$(uname -m)" -- true
	assert_fails 125 "is for linux/" ctr --pull never --platform linux/mips64le -- true
	assert_fails 125 "exclude" ctr --platform linux/arm64 --arch arm64 -- true
}

t_streams_that_are_attached() {
	assert_eq "$(ctr -a stdout -- sh -c 'echo out; echo err >&2' 2>&1)" out
	assert_eq "$(ctr -a stderr -- sh -c 'echo out; echo err >&2' 2>&1)" err
	assert_eq "$(echo in | ctr -a stdin -a stdout -a stderr -- cat)" in
	assert_fails 125 "not stdin" ctr -a all -- true
}

t_signals_that_are_not_passed_on_leave_it() {
	# Until it is told of the start, a signal to the client ends the start.
	LAMINA_ROOT=$FIX_STORE "$LAMINA" run --name s --sig-proxy=false --cidfile cid --network none "$FIX_IMAGE" sleep 1000 &
	wait_for '[ -s cid ]'
	kill -TERM $!
	wait $! || :
	assert_eq "$(store ps --format '{{.Names}} {{.State}}')" "s running"
	store rm -f s > /dev/null
	assert_nothing_left
}

t_every_flag_of_podman_is_there_or_refused_by_name() {
	need podman
	local flag

	for flag in $(podman run --help | grep -oE "^ +(-., )?--[a-z0-9-]+" | grep -oE -- "--[a-z0-9-]+" | grep -vx -- --help); do
		case $("$LAMINA" run "$flag=" image 2>&1 < /dev/null) in
		*"unknown option '$flag'"*) fail "$flag is not known" ;;
		esac
	done
}

t_what_is_not_there_names_what_is() {
	assert_fails 125 "service manager" ctr --restart always -- true
	assert_fails 125 "not supported" ctr --pod x -- true
	assert_fails 125 "nearest option is '--name'" ctr --nmae x -- true
	assert_fails 125 "no image" store run --rm --pull never no-such-image true
}

run_tests
