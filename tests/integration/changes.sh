#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a container has changed can be listed, exported and made an image, whether it runs or not.
. "${0%/*}/lib.sh"
. "$TEST_DIR/containerlib.sh"

setup_file() {
	need jq
	setup_containers
}

# running NAME CMD: a container in the background, once the command has said "ready"
running() {
	store run -d --network none --name "$1" "$FIX_IMAGE" sh -c "$2; echo ready; exec sleep 1000" > /dev/null
	wait_for "store logs $1 | grep -q ready"
}

t_changes_of_a_container_are_listed() {
	store create --network none --name stopped "$FIX_IMAGE" \
		sh -c 'echo x > /new; rm /etc/passwd; chmod 600 /etc/motd' > /dev/null
	assert_eq "$(store diff stopped | grep -v -e ' /etc$')" ''
	store start -a stopped
	assert_eq "$(store diff stopped | grep -v -e ' /etc$')" 'C /etc/motd
D /etc/passwd
A /new'
	assert_eq "$(store diff --format json stopped | jq -r .added[])" /new
	assert_fails 125 'takes json' store diff --format table stopped
	store rm stopped > /dev/null
	running live 'echo y > /live'
	assert_match "$(store diff live)" '^A /live$'
	store rm -f live > /dev/null
	assert_fails 125 "no container, image or directory of that name" store diff live
}

t_changes_of_an_image_are_those_of_its_last_layer() {
	store create --network none --name c "$FIX_IMAGE" \
		sh -c 'echo x > /etc/new; rm /etc/passwd; mkdir /d; echo > /d/f; chmod 600 /etc/motd; rm -r /var/cache' > /dev/null
	store start -a c
	store commit -q c layered > /dev/null
	assert_eq "$(store diff layered | grep -v -e ' /etc$' -e ' /var$' -e '/etc/hosts' -e '/etc/hostname' -e '/etc/resolv')" 'A /d
A /d/f
C /etc/motd
A /etc/new
D /etc/passwd
D /var/cache'
	store rm c > /dev/null
	store rmi layered > /dev/null
}

t_an_image_of_a_container_runs_as_the_container_did() {
	store run --network none --name c -e A='b c' -w /tmp --label l=1 "$FIX_IMAGE" \
		sh -c 'echo kept > /kept; chown 5:6 /kept; echo "$A $PWD"' > out
	assert_content out 'b c /tmp'
	store commit -m why -a me -c 'ENV MORE=1' --iidfile id c made > out 2> err
	assert_content err localhost/made:latest
	assert_content id "sha256:$(cat out)"
	assert_eq "$(store inspect made | jq -r '.[0] | [.Config.Labels.l, .Author] | join(" ")')" '1 me'
	assert_match "$(store history --no-trunc made)" 'lamina commit.*why'
	assert_eq "$(store run --rm --network none made)" 'b c /tmp'
	assert_eq "$(store run --rm --network none made sh -c 'stat -c %u:%g /kept; echo $MORE')" '5:6
1'
	store rm c > /dev/null
	store rmi made > /dev/null
	assert_fails 125 'lamina export' store commit --squash c x
	assert_fails 125 'takes oci' store commit -f docker c x
}

t_a_running_container_is_committed_with_what_it_just_wrote() {
	# With the writeback cache these bytes are nowhere but in the kernel.
	running live 'dd if=/dev/zero bs=1k count=3000 2> /dev/null | tr "\0" x > /big'
	store commit -q live now > /dev/null
	assert_eq "$(store run --rm --network none now sh -c 'tr -d x < /big | wc -c; wc -c < /big')" '0
3072000'
	assert_eq "$(store exec live sh -c 'echo on > /later; cat /later')" on
	[ -w /sys/fs/cgroup/cgroup.procs ] || assert_fails 125 'cgroup' store commit --pause live never
	store rm -f live > /dev/null
	store rmi now > /dev/null
}

t_export_is_the_whole_tree() {
	running live 'echo x > /tmp/x; chown 7:8 /tmp/x; rm /etc/motd'
	store export -o all.tar live
	store export live | cmp - all.tar
	assert_eq "$(tar -tf all.tar | grep -c -e '^etc/motd$' -e '^proc/.')" 0
	assert_match "$(tar --numeric-owner -tvf all.tar tmp/x)" '^-rw-r--r-- 7/8 +2 '
	store import all.tar flat > /dev/null 2>&1
	assert_eq "$(store run --rm --network none flat cat /tmp/x)" x
	store rm -f live > /dev/null
	store rmi flat > /dev/null
	assert_fails 125 'no container or directory' store export -o x.tar live
}

t_a_container_on_a_directory_has_no_changes() {
	mkdir tree
	store export -o t.tar "$(store create --network none "$FIX_IMAGE" true)"
	tar -C tree -xf t.tar
	store create --network none --name dir --rootfs "$PWD/tree" true > /dev/null
	assert_fails 125 "hint: tar -C '.*/tree' -c" store diff dir
	store rm -a > /dev/null
}

t_a_new_name_holds_for_the_running_and_the_dead() {
	running old true
	store create --network none --name other "$FIX_IMAGE" true > /dev/null
	assert_fails 125 "taken by another" store rename old other
	assert_fails 125 "is no name" store rename old 'a b'
	assert_fails 125 "no container 'none'" store rename none x
	store rename old new
	assert_fails 125 "no container 'old'" store inspect --type container old
	assert_eq "$(store exec new echo in)" in
	assert_eq "$(store ps --format '{{.Names}}')" new
	# The monitor knows the old name alone, and writes the end.
	store stop -t 0 new > /dev/null
	assert_eq "$(store ps -a --filter name=new --format '{{.Names}} {{.State}}')" 'new exited'
	store create --network none --name old "$FIX_IMAGE" true > /dev/null
	store rename new new2
	store rename new2 new
	store start new > /dev/null
	store rm -f new > /dev/null
	store create --network none --name new "$FIX_IMAGE" true > /dev/null
	store rm new old other > /dev/null
	assert_eq "$(ls "$FIX_STORE/containers/.names")" ''
}

t_one_that_removes_itself_takes_its_new_name_along() {
	store run -d --rm --network none --name a "$FIX_IMAGE" sleep 1000 > /dev/null
	store rename a b
	store kill b > /dev/null
	wait_for '! store inspect --type container b > /dev/null 2>&1'
	assert_eq "$(ls "$FIX_STORE/containers/.names")" ''
}

t_an_image_stays_as_long_as_a_container_needs_it() {
	store tag "$FIX_IMAGE" spare
	store create --network none --name c "$FIX_IMAGE" true > /dev/null
	# Another name is left.
	store rmi spare > /dev/null
	assert_fails 125 "container 'c' was made of it" store rmi "$FIX_IMAGE"
	store commit -q c mine > /dev/null
	store create --network none --name d mine true > /dev/null
	store run -d --network none --name e mine sleep 1000 > /dev/null
	assert_fails 125 "container '[de]' was made of it" store rmi mine
	store rmi -f mine > out
	assert_match "$(cat out)" '^Deleted: '
	assert_eq "$(store ps -a --format '{{.Names}}')" c
	store rm c > /dev/null
	assert_nothing_left
}

t_pause_needs_a_cgroup_and_says_so() {
	running live true
	if store pause live > out 2>&1; then
		assert_eq "$(store ps --format '{{.Status}}' | grep -c Paused)" 1
		assert_fails 125 'paused' store exec live true
		store unpause live > /dev/null
		store exec live true
	else
		assert_match "$(cat out)" 'cgroup'
		assert_match "$(cat out)" '^hint: '
	fi
	assert_fails 125 'not paused' store unpause live
	store stop -t 0 live > /dev/null
	assert_fails 125 'it is exited' store pause live
	store rm live > /dev/null
}

t_top_shows_the_processes_as_the_container_sees_them() {
	store run -d --network none --name t -u 5 "$FIX_IMAGE" sh -c 'sleep 1000; :' > /dev/null
	store exec -d -u 0 t sleep 500
	wait_for 'store top t | grep -q "sleep 500"'
	store top t > out
	assert_match "$(head -1 out)" '^USER +PID +PPID +%CPU +ELAPSED +TTY +TIME +COMMAND$'
	assert_match "$(cat out)" '^5 +1 +0 .*sh -c sleep 1000; :$'
	assert_match "$(cat out)" '^root +[0-9]+ +0 .*sleep 500$'
	assert_eq "$(store top t pid,ppid comm | sed -n 's/  */ /g; s/^1 //p')" '0 sh'
	assert_eq "$(store top t hpid | sed -n 2p)" "$(store inspect --format '{{.State.Pid}}' t)"
	assert_fails 125 "no column 'nothing'" store top t nothing
	assert_match "$(store top --list-descriptors)" '^pcpu$'
	store stop -t 0 t > /dev/null
	assert_fails 125 'not running' store top t
	store rm t > /dev/null
}

t_stats_add_up_what_a_container_uses() {
	running t 'x=0; while [ $x -lt 300000 ]; do x=$((x + 1)); done'
	store stats --no-stream t > out 2> err
	assert_match "$(head -1 out)" '^ID +NAME +CPU *PERC +MEM *USAGE'
	store stats --no-stream --format json 2> /dev/null | jq -r '.[0] | .name, .source, .pids' > out
	assert_match "$(tr '\n' ' ' < out)" '^t (cgroup|processes) 1 '
	# The loop took some time, and a shell and sleep have memory.
	store stats --no-stream --format '{{.CPUTime}} {{.MemUsage}}' t 2> /dev/null > out
	! grep -Eq '^0.00s| 0 B /' out || fail "nothing is used: $(cat out)"
	store stats -i 1 --format '{{.Name}}' t > stream 2> /dev/null &
	wait_for '[ "$(wc -l < stream)" -ge 2 ]'
	store rm -f t > /dev/null
	wait "$!"
	assert_fails 125 'not running|no container' store stats --no-stream t
	assert_fails 125 'takes seconds' store stats -i 0
}

t_limits_of_one_that_does_not_run_are_for_its_next_start() {
	store create --network none --name l "$FIX_IMAGE" true > /dev/null
	store update -m 64m --pids-limit 50 l > /dev/null
	store update --cpus 1.5 --memory-reservation 32m l > /dev/null
	assert_eq "$(store inspect --format '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuQuota}}' l)" \
		'67108864 50 150000'
	assert_fails 125 'no limit was named' store update l
	assert_fails 125 'exclude each other' store update --cpus 1 --cpu-quota 5 l
	store rm l > /dev/null
	running r true
	# Without a cgroup that can hold it, it is told and nothing changes.
	if ! store update --pids-limit 77 r > out 2>&1; then
		assert_match "$(cat out)" 'cgroup|controller'
		assert_match "$(cat out)" '^hint: '
		assert_fails 1 '' sh -c 'LAMINA_ROOT=$1 "$LAMINA" inspect r | grep -q 77' sh "$FIX_STORE"
	fi
	store rm -f r > /dev/null
}

run_tests
