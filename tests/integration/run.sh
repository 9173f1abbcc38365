#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `lamina run`: what the container is, what its end is, and that nothing stays behind.
. "${0%/*}/lib.sh"
. "${0%/*}/containerlib.sh"

setup_file() {
	setup_containers
}

# A root file system of its own for tests that change or forge it
make_rootfs() {
	mkdir -p rootfs/{bin,etc,proc,sys,dev,tmp}
	cp "$(command -v busybox)" rootfs/bin/busybox
	local name

	for name in sh cat ls true sleep mount readlink id touch pwd stat; do
		ln -s busybox "rootfs/bin/$name"
	done
}

on_rootfs() {
	local opts=()

	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	"$LAMINA" run --rm --network none "${opts[@]}" --rootfs rootfs "$@"
}

# --- what ends -----------------------------------------------------------------------------------

t_exit_code_is_the_programs() {
	ctr -- true
	assert_fails 42 "" ctr -- sh -c 'exit 42'
	assert_fails 127 "executable file 'no-such-program' not found in" ctr -- no-such-program
	assert_fails 127 "cannot run '/no/such'" ctr -- /no/such
	assert_fails 126 "cannot run '/etc'" ctr -- /etc
	assert_fails 126 "cannot run '/etc/motd'" ctr -- /etc/motd
	assert_fails 125 "unknown option" ctr --no-such-option --
	assert_fails 125 "there is no image" store run --pull never no-such-image
}

t_nothing_is_printed_but_what_the_program_prints() {
	ctr -- sh -c 'echo out; echo err >&2' > out 2> err
	assert_content out out
	# The first command may have warned that there is one id only.
	assert_match "$(cat err)" '^err$'
}

t_signals_reach_the_program() {
	local pid sig

	for sig in INT TERM HUP USR1; do
		ctr -- sh -c 'trap "exit 7" INT TERM HUP USR1; echo ready; while :; do sleep 0.05; done' > out &
		pid=$!
		wait_for 'grep -q ready out'
		# The function's shell is between us and lamina.
		kill -"$sig" "$(pgrep -P "$pid" lamina || echo "$pid")"
		wait "$pid" && fail "exit code 0" || assert_eq $? 7 "exit code after $sig"
		rm out
	done
}

t_killed_program_is_128_and_the_signal() {
	local pid

	ctr -- sleep 1000 &
	wait_for 'store ps -q | grep -q .'
	pid=$(store ps --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])')
	kill -9 "$pid"
	wait $! && fail "exit code 0" || assert_eq $? 137
}

# --- what it is ----------------------------------------------------------------------------------

t_first_process_is_pid_1_with_its_own_namespaces() {
	assert_eq "$(ctr -- sh -c 'echo $$')" 1
	local ns

	for ns in user mnt pid uts ipc net cgroup; do
		[ "$(ctr -- readlink "/proc/self/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] ||
			fail "$ns namespace is the host's"
	done
	assert_eq "$(LAMINA_ROOT=$FIX_STORE "$LAMINA" run --rm --network host "$FIX_IMAGE" \
		readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
}

t_rights_are_the_default_set() {
	ctr -- cat /proc/self/status > status
	assert_match "$(cat status)" 'CapEff:.00000000800405fb'
	assert_match "$(cat status)" 'CapBnd:.00000000800405fb'
	assert_match "$(cat status)" 'CapInh:.0000000000000000'
	assert_match "$(cat status)" 'NoNewPrivs:.1'
	assert_match "$(cat status)" 'Seccomp:.2'
	ctr --cap-drop all --security-opt seccomp=unconfined --security-opt no-new-privileges=false \
		-- cat /proc/self/status > status
	assert_match "$(cat status)" 'CapEff:.0000000000000000'
	assert_match "$(cat status)" 'CapBnd:.0000000000000000'
	assert_match "$(cat status)" 'NoNewPrivs:.0'
	assert_match "$(cat status)" 'Seccomp:.0'
}

t_filter_without_no_new_privs_works_for_any_user() {
	have_subids || skip "no subordinate ids"
	ctr -u 1000 --security-opt no-new-privileges=false -- cat /proc/self/status > status
	assert_match "$(cat status)" 'Seccomp:.2'
	assert_match "$(cat status)" 'CapEff:.0000000000000000'
}

t_environment() {
	export FROM_CALLER=caller
	printf 'FILE=1\n# no\nB=file\n' > env
	ctr --env-file env -e A=1 -e B=2 -e FROM_CALLER -- env > out
	local line

	for line in A=1 B=2 FILE=1 FROM_CALLER=caller; do
		assert_match "$(cat out)" "^$line\$"
	done
	assert_match "$(cat out)" '^PATH='
	assert_match "$(cat out)" '^HOME='
}

t_user_group_and_work_dir() {
	have_subids || skip "no subordinate ids"
	assert_match "$(ctr -u 1000:7 -- id)" 'uid=1000.* gid=7'
	assert_match "$(ctr -u demo -- id)" 'uid=1000'
	assert_match "$(ctr --group-add 33 -u 5 -- id)" 'groups=.*33'
	assert_eq "$(ctr -w /home/demo -- pwd)" /home/demo
	assert_eq "$(ctr -w /made/by/run -- pwd)" /made/by/run
	assert_fails 125 "no user|not in|unknown" ctr -u nobody-knows -- true
	assert_fails 125 "" ctr -u 99999999999 -- true
}

t_id_that_is_not_mapped_is_an_error() {
	assert_fails 125 "4000000000 is not" ctr -u 4000000000 -- true
}

t_host_name_and_hosts() {
	local id

	assert_eq "$(ctr -h box -- hostname)" box
	ctr -h box --name named --add-host db:10.1.1.1 -- cat /etc/hosts /etc/hostname > out
	assert_match "$(cat out)" $'^10.1.1.1\tdb$'
	assert_match "$(cat out)" 'box named'
	id=$(ctr -- hostname)
	assert_match "$id" '^[0-9a-f]{12}$'
}

t_entrypoint_replaces_the_images() {
	assert_eq "$(ctr --entrypoint echo -- a b)" "a b"
}

t_dev_is_complete_and_private() {
	ctr -- sh -c 'ls /dev; echo x > /dev/null; head -c 4 /dev/urandom | wc -c; stat -c %F /dev/zero
		readlink /dev/fd; readlink /dev/ptmx; touch /dev/shm/f /dev/mqueue; df /dev/shm | tail -n 1' > out
	local name

	for name in console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero; do
		[ "$name" = console ] || grep -qx "$name" out || fail "no /dev/$name"
	done
	assert_match "$(cat out)" 'character special'
	assert_match "$(cat out)" '^/proc/self/fd$'
}

t_dev_of_the_host_can_be_mounted() {
	assert_eq "$(ctr -v /dev:/dev -- sh -c 'echo x > /dev/null; stat -c %t:%T /dev/null')" 1:3
}

t_kernel_files_are_hidden_or_read_only() {
	ctr -- sh -c 'cat /proc/kcore | head -c 1 | wc -c; ls /proc/acpi /sys/firmware | grep -v : | grep -c .
		echo 1 > /proc/sys/kernel/domainname' > out 2> err || :
	assert_eq "$(head -n 1 out)" 0
	assert_eq "$(sed -n 2p out)" 0
	assert_match "$(cat err)" 'Read-only file system'
	assert_fails any 'Read-only|denied|permitted|nonexistent' ctr -- sh -c 'echo b > /proc/sysrq-trigger'
	assert_fails any '' ctr -- mount -t tmpfs none /tmp
	assert_fails any '' ctr -- mknod /tmp/sda b 8 0
}

t_volumes() {
	mkdir data
	echo host > data/file
	ctr -v "$PWD/data:/vol" -- sh -c 'cat /vol/file; echo container > /vol/new' > out
	assert_content out host
	assert_content data/new container
	assert_fails any 'Read-only' ctr -v "$PWD/data:/vol:ro" -- touch /vol/x
	(cd data && ctr -v ./file:/deep/in/a/place -- cat /deep/in/a/place > ../out)
	assert_content out host
	assert_fails 125 "no-such-dir" ctr -v /no-such-dir:/vol -- true
}

t_tmpfs_and_read_only_root() {
	assert_fails any 'Read-only' ctr --read-only -- touch /x
	ctr --read-only -- touch /tmp/x
	assert_match "$(ctr --tmpfs /scratch:size=1m -- df /scratch)" 'tmpfs'
	assert_eq "$(ctr --tmpfs /home -- ls /home)" demo
}

t_limits_and_kernel_settings() {
	assert_eq "$(ctr --ulimit nofile=77 -- sh -c 'ulimit -n')" 77
	assert_eq "$(ctr --sysctl net.ipv4.ip_forward=1 -- cat /proc/sys/net/ipv4/ip_forward)" 1
	assert_fails 125 "kernel.panic" ctr --sysctl kernel.panic=1 -- true
}

t_stdin_only_when_asked() {
	assert_eq "$(echo text | ctr -i -- cat)" text
	assert_eq "$(echo text | ctr -- cat)" ""
}

t_closed_standard_streams_do_no_harm() {
	assert_eq "$(ctr -- echo text <&-)" text
	assert_eq "$(ctr -i -- cat <&-)" ""
	ctr -- sh -c 'exit 5' <&- >&- 2>&- && fail "exit code 0" || assert_eq $? 5
	assert_nothing_left
}

t_no_file_of_the_monitor_is_open() {
	exec 7< /etc/passwd
	assert_eq "$(ctr -- sh -c 'ls /proc/1/fd; :' | tr '\n' ' ')" "0 1 2 "
	exec 7<&-
}

# with_key CMD…: in a session keyring with a key that only its possessor sees
with_key() {
	python3 - "$@" <<- 'EOF'
		import ctypes, os, platform, sys
		numbers = {"x86_64": (248, 250), "aarch64": (217, 219)}
		if platform.machine() not in numbers:
		    sys.exit(99)
		add_key, keyctl = numbers[platform.machine()]
		call = ctypes.CDLL(None).syscall
		if call(keyctl, 1, None) < 0:
		    sys.exit(99)
		key = call(add_key, b"user", b"lamina-secret", b"x", 1, -3)
		if key < 0 or call(keyctl, 5, key, 0x3f000000) < 0:
		    sys.exit(99)
		os.execvp(sys.argv[1], sys.argv[1:])
	EOF
}

t_keys_of_the_caller_stay_outside() {
	need python3
	with_key cat /proc/keys > keys || skip "this machine has no keys"
	grep -q lamina-secret keys || skip "/proc/keys does not show a key"
	LAMINA_ROOT=$FIX_STORE with_key "$LAMINA" run --rm --network none \
		--security-opt unmask=/proc/keys "$FIX_IMAGE" cat /proc/keys > keys
	assert_fails 1 "" grep lamina-secret keys
}

t_image_is_not_changed_and_layers_are_shared() {
	ctr -- sh -c 'echo changed > /etc/motd; rm -rf /srv; cat /etc/motd' > out
	assert_content out changed
	assert_eq "$(ctr -- cat /etc/motd)" "two layers"
}

t_config_is_what_ran() {
	store run --network none --name kept -e A=1 "$FIX_IMAGE" true
	local dir

	dir=$(echo "$FIX_STORE"/containers/[0-9a-f]*)
	python3 - "$dir/config.json" << 'END'
import json, sys
c = json.load(open(sys.argv[1]))
assert c["process"]["args"] == ["true"], c["process"]["args"]
assert "A=1" in c["process"]["env"]
assert {n["type"] for n in c["linux"]["namespaces"]} >= {"user", "mount", "pid", "network"}
END
	store rm kept > /dev/null
}

# --- terminal ------------------------------------------------------------------------------------

t_terminal_has_the_size_and_mode_of_ours() {
	export LAMINA_ROOT=$FIX_STORE
	on_pty "$LAMINA" run --rm -it --network none "$FIX_IMAGE" sh -c \
		'tty; stty size; ls -l /dev/console; echo say something; read x; echo "got $x"; exit 3' > out ||
		assert_eq $? 3 "exit code"
	assert_match "$(cat out)" '^/dev/pts/0$'
	assert_match "$(cat out)" '^30 100$'
	assert_match "$(cat out)" '^got hello$'
	assert_match "$(cat out)" '^mode restored$'
}

t_terminal_is_restored_after_failures_and_kills() {
	export LAMINA_ROOT=$FIX_STORE
	on_pty "$LAMINA" run --rm -it --network none "$FIX_IMAGE" no-such-program > out ||
		assert_eq $? 127 "exit code"
	assert_match "$(cat out)" '^mode restored$'
	on_pty "$LAMINA" run --rm -it --network none "$FIX_IMAGE" sh -c 'kill -9 -1; exec sleep 0' > out || :
	assert_match "$(cat out)" '^mode restored$'
}

# --- what stays ----------------------------------------------------------------------------------

t_nothing_is_left() {
	ctr -- sh -c 'sleep 1000 & echo x > /file'
	assert_nothing_left
	assert_fails 127 "" ctr -- no-such-program
	assert_nothing_left
	assert_fails 125 "" ctr -u 4000000000 -- true
	assert_nothing_left
}

t_without_rm_the_container_stays_until_it_is_removed() {
	assert_fails 5 "" store run --network none --name web "$FIX_IMAGE" sh -c 'echo x > /file; exit 5'
	assert_eq "$(store ps -q)" ""
	assert_match "$(store ps -a)" 'Exited \(5\).*web'
	assert_fails 125 "taken by another container" store run --network none --name web "$FIX_IMAGE" true
	store rm web > /dev/null
	assert_eq "$(store ps -aq)" ""
	assert_fails 125 "no container 'web'" store rm web
	assert_nothing_left
}

t_unreadable_state_is_told_and_removed_by_force() {
	local name

	for name in torn whole; do
		store run --network none --name "$name" "$FIX_IMAGE" true
	done
	: > "$FIX_STORE/containers/$(readlink "$FIX_STORE/containers/.names/torn")/state.json"
	assert_fails 0 "state.json is not valid JSON" store ps -a
	assert_fails 125 "state.json is not valid JSON" store rm torn
	assert_fails 125 "state.json is not valid JSON" store rm --all
	assert_eq "$(store ps -aq 2> /dev/null)" "" "containers that --all passed by"
	store rm -f torn > /dev/null
	assert_nothing_left
	store run --rm --network none --name torn "$FIX_IMAGE" true
}

t_all_that_ended_are_removed_while_others_begin() {
	# What a container is before its state is written
	local dir

	dir=$FIX_STORE/containers/$(printf '%064d' 7)

	store run --network none "$FIX_IMAGE" true
	mkdir -p "$dir"
	store rm --all
	store rm --all --force
	assert_eq "$(store ps -aq)" ""
	rmdir "$dir"
	assert_nothing_left
}

t_running_container_is_listed_and_not_removed_without_force() {
	ctr --name busy -- sleep 1000 &
	wait_for 'store ps | grep -q busy'
	assert_match "$(store ps)" 'Up .*busy'
	assert_fails 125 "is running" store rm busy
	store rm -f busy > /dev/null
	wait $! && fail "exit code 0" || assert_eq $? 137
	assert_nothing_left
}

t_children_from_before_an_exec_are_not_waited_for() {
	# Without a time limit of its own this would be a deadlock: cat waits for our end, too.
	LAMINA_ROOT=$FIX_STORE timeout -s KILL 20 bash -c '
		exec > >(cat > out)
		exec "$0" run --rm "$1" echo text' "$LAMINA" "$FIX_IMAGE" || fail "exit code $?"
	wait_for 'grep -q text out'
	assert_nothing_left
}

t_killed_monitor_takes_the_container_along() {
	local pid init

	LAMINA_ROOT=$FIX_STORE "$LAMINA" run --rm --network slirp --name victim "$FIX_IMAGE" sleep 1000 &
	pid=$!
	wait_for 'store ps | grep -q victim'
	init=$(store ps --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])')
	kill -9 "$pid"
	wait_for "gone $init"
	wait_for '[ -z "$(own_processes)" ]'
	# Its directory goes with the next command.
	ctr -- true
	assert_nothing_left
}

t_container_that_clears_its_death_signal_ends_too() {
	local pid

	# The host's own root, since it has a Python.
	"$LAMINA" run --rm --network none --name stubborn --rootfs / /usr/bin/python3 -c '
import ctypes, signal
ctypes.CDLL(None).prctl(1, 0)
print("ready", flush=True)
signal.pause()' > out &
	pid=$!
	wait_for 'grep -q ready out'
	init=$("$LAMINA" ps --json |
		python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])')
	kill -9 "$pid"
	wait_for "gone $init"
	wait_for '[ -z "$(own_processes)" ]'
}

t_our_program_is_out_of_reach_of_containers() {
	local pid

	# A container's root is us: of a program that we own, what enters containers is a sealed copy.
	cp "$LAMINA" ./lamina
	LAMINA_ROOT=$FIX_STORE ./lamina run --rm --network none "$FIX_IMAGE" \
		sh -c 'trap exit TERM; echo up; while :; do sleep 0.1; done' > out &
	pid=$!
	wait_for 'grep -q up out'
	assert_match "$(readlink "/proc/$pid/exe")" '^/memfd:lamina '
	kill "$pid"
	wait "$pid" || :
	assert_nothing_left
}

t_killed_root_process_ends_the_container() {
	local root

	ctr --name rootless -- sh -c 'while :; do sleep 0.05; done' > out 2> err &
	wait_for 'store ps | grep -q rootless'
	root=$(pgrep -u "$(id -u)" -x lamina-overlay -n)
	kill -9 "$root"
	wait $! && fail "exit code 0" || assert_eq $? 137
	assert_match "$(cat err)" "root file system's process ended"
	assert_nothing_left
}

t_many_at_once() {
	local i pids=()

	for i in 1 2 3 4 5 6 7 8; do
		ctr -- sh -c "exit $i" &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		wait "${pids[i - 1]}" && fail "exit code 0" || assert_eq $? "$i"
	done
	assert_nothing_left
}

t_second_run_needs_no_helper() {
	need strace
	ctr --name first -- sleep 1000 &
	wait_for 'store ps | grep -q first'
	LAMINA_ROOT=$FIX_STORE strace -f -e trace=execve -e signal=none -o trace \
		"$LAMINA" run --rm --network none "$FIX_IMAGE" true
	! grep -q 'new[ug]idmap' trace || fail "a helper was run"
	store rm -f first > /dev/null
}

t_bridge_made_by_hand_joins_two_containers() {
	need ip
	ctr --name one -- sleep 1000 &
	ctr --name two -- sleep 1000 &
	wait_for '[ "$(store ps -q | wc -l)" = 2 ]'
	pid_of() {
		store ps --json | python3 -c 'import json, sys
print([c["pid"] for c in json.load(sys.stdin) if c["name"] == sys.argv[1]][0])' "$1"
	}
	"$LAMINA" unshare unshare -n sh -euc '
		ip link add br0 type bridge
		ip link set br0 up
		n=1
		for pid; do
			ip link add "v$n" type veth peer name eth0 netns "$pid"
			ip link set "v$n" master br0 up
			nsenter --preserve-credentials -t "$pid" -U -n ip addr add "192.168.77.$n/24" dev eth0
			nsenter --preserve-credentials -t "$pid" -U -n ip link set eth0 up
			n=$((n + 1))
		done
		nsenter --preserve-credentials -t "$1" -U -n ping -c 1 -W 5 192.168.77.2
	' sh "$(pid_of one)" "$(pid_of two)" > out 2>&1 || fail "$(cat out)"
	store rm -f one two > /dev/null
}

# --- hostile root file systems -------------------------------------------------------------------

t_links_in_the_image_lead_nowhere_outside() {
	make_rootfs
	mkdir outside
	rmdir rootfs/dev
	ln -s "$PWD/outside" rootfs/dev
	ln -s "$PWD/outside" rootfs/work
	ln -s /../../../../../../"$PWD/outside" rootfs/vol
	rm -rf rootfs/etc
	ln -s "$PWD/outside" rootfs/etc
	mkdir data
	on_rootfs -w /work -v "$PWD/data:/vol" -- sh -c 'touch x; pwd; ls /vol' > out
	assert_eq "$(ls -A outside)" ""
	assert_match "$(cat out)" "$PWD/outside"
}

t_proc_and_sys_must_be_directories() {
	make_rootfs
	rmdir rootfs/proc
	ln -s etc rootfs/proc
	assert_fails 125 "cannot mount on '/proc': it is a symlink" on_rootfs -- true
	rm rootfs/proc
	mkdir rootfs/proc
	rmdir rootfs/sys
	ln -s proc rootfs/sys
	assert_fails 125 "cannot mount on '/sys': it is a symlink" on_rootfs -- true
}

t_magic_links_are_no_working_directory() {
	make_rootfs
	local n

	for n in 3 5 8 12; do
		assert_fails 125 "working directory" on_rootfs -w "/proc/self/fd/$n" -- true
	done
	assert_fails 125 "working directory" on_rootfs -w /proc/1/cwd -- true
}

t_user_files_that_are_no_files_do_not_hang() {
	make_rootfs
	mkfifo rootfs/etc/passwd
	ln -s /dev/zero rootfs/etc/group
	timeout 20 "$LAMINA" run --rm --network none --rootfs rootfs true
	assert_fails 125 "" timeout 20 "$LAMINA" run --rm --network none -u someone --rootfs rootfs true
	rm rootfs/etc/passwd
	ln -s ../../../../../../../../etc/passwd rootfs/etc/passwd
	assert_fails 125 "" on_rootfs -u "$(id -un)" -- true
}

t_dangling_resolv_conf_is_made_inside() {
	make_rootfs
	ln -s ../run/systemd/resolve/stub-resolv.conf rootfs/etc/resolv.conf
	on_rootfs --dns 192.0.2.53 -- cat /run/systemd/resolve/stub-resolv.conf > out
	assert_match "$(cat out)" 'nameserver 192.0.2.53'
}

run_tests
