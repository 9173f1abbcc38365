#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Podman works with lamina-runtime as its runtime, rootless.
. "${0%/*}/lib.sh"

setup_file() {
	local a

	need podman conmon busybox
	have_subids || skip "no subordinate ids for $(id -un)"
	mkdir -p home ctx img/{bin,etc,tmp}
	cp "$(command -v busybox)" img/bin/busybox
	cp "$(command -v busybox)" ctx
	for a in sh cat echo df env grep hostname id kill ls pwd sleep stat stty touch true tty; do
		ln -s busybox "img/bin/$a"
	done
	echo root:x:0:0:root:/root:/bin/sh > img/etc/passwd
	echo root:x:0: > img/etc/group
	chmod 1777 img/tmp
	cat > containers.conf <<- END
		[engine]
		runtime = "lamina-runtime"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime_supports_json = ["crun", "runc", "lamina-runtime"]
		runtime_supports_nocgroup = ["crun", "lamina-runtime"]
		[engine.runtimes]
		lamina-runtime = ["$LAMINA_BUILD/lamina-runtime"]
		[containers]
		cgroups = "disabled"
		netns = "host"
	END
	FIX_DIR=$PWD
	tar -C img -c . | pod import - bb > /dev/null 2>&1 || skip 'podman cannot import an image here'
}

# pod ARG…: podman with everything of its own in the directory of this file
pod() {
	HOME=$FIX_DIR/home CONTAINERS_CONF=$FIX_DIR/containers.conf podman --root "$FIX_DIR/root" --runroot "$FIX_DIR/run" \
		--tmpdir "$FIX_DIR/tmp" --storage-driver vfs "$@" 2> >(grep -v 'is not a shared mount' >&2)
}

t_output_and_exit_codes() {
	assert_eq "$(pod run --rm bb echo hi)" hi
	assert_fails 42 '' pod run --rm bb sh -c 'exit 42'
	assert_fails 127 '/missing' pod run --rm bb /missing
	assert_fails 127 "'missing' not found" pod run --rm bb missing
	assert_fails 126 '/tmp' pod run --rm bb /tmp
	assert_eq "$(echo in | pod run --rm -i bb cat)" in
}

t_flags_reach_the_process() {
	assert_eq "$(pod run --rm -e A=1 -w /tmp -u 7:8 bb sh -c 'echo $A; pwd; id -u; id -g' | tr '\n' ' ')" '1 /tmp 7 8 '
	assert_eq "$(pod run --rm --uts private -h name bb hostname)" name
	assert_eq "$(pod run --rm --ulimit nofile=99:100 bb sh -c 'ulimit -n')" 99
	assert_eq "$(pod run --rm --cap-drop all bb grep CapEff /proc/self/status)" "$(printf 'CapEff:\t0000000000000000')"
	assert_eq "$(pod run --rm --security-opt no-new-privileges bb grep -E 'NoNew|Seccomp:' /proc/self/status)" \
		"$(printf 'NoNewPrivs:\t1\nSeccomp:\t2')"
	assert_eq "$(pod run --rm --init bb cat /proc/1/comm)" podman-init
	assert_eq "$(pod run --rm --network none --sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward)" 1
}

t_mounts() {
	assert_fails 1 'Read-only file system' pod run --rm --read-only bb touch /x
	assert_fails 1 'Read-only file system' pod run --rm -v "$FIX_DIR/ctx:/v:ro" bb touch /v/x
	assert_match "$(pod run --rm --tmpfs /t:size=1m bb grep ' /t ' /proc/mounts)" 'size=1024k'
	pod volume create vol > /dev/null
	pod run --rm -v vol:/v bb sh -c 'echo kept > /v/f'
	assert_eq "$(pod run --rm -v vol:/v bb cat /v/f)" kept
	assert_match "$(pod run --rm --shm-size 1m bb df -k /dev/shm)" ' 1024 '
}

t_user_namespaces() {
	assert_eq "$(pod run --rm --userns keep-id bb id -u)" "$(id -u)"
	assert_match "$(pod run --rm --userns auto bb cat /proc/self/uid_map)" ' 1024$'
}

t_a_terminal() {
	need script
	# A fifo that we hold open is its input: at the end of an input script types ^D, and Podman may close the terminal on it.
	mkfifo in && declare -f pod > p.sh
	assert_match "$(script -qec "bash -c '. ./p.sh; FIX_DIR=$FIX_DIR pod run --rm -it bb tty'" /dev/null <> in)" '^/dev/pts/0'
}

t_a_container_in_the_background() {
	pod run -d --name d bb sh -c 'echo logged; trap "exit 3" TERM; while :; do sleep 0.1; done' > /dev/null
	assert_fails 5 out pod exec d sh -c 'echo out; exit 5'
	assert_fails 127 '/missing' pod exec d /missing
	assert_eq "$(pod exec -u 3 -e Z=1 d sh -c 'id -u; echo $Z' | tr '\n' ' ')" '3 1 '
	pod exec -d d touch /tmp/detached > /dev/null
	wait_for 'pod exec d ls /tmp/detached > /dev/null 2>&1'
	wait_for '[ "$(pod logs d)" = logged ]'
	pod stop -t 10 d > /dev/null
	assert_eq "$(pod inspect -f '{{.State.Status}} {{.State.ExitCode}}' d)" 'exited 3'
	pod start d > /dev/null
	pod kill -s KILL d > /dev/null
	assert_eq "$(pod wait d)" 137
	pod rm -f d > /dev/null
}

t_create_init_start() {
	pod create --name i bb sh -c 'while :; do sleep 1; done' > /dev/null
	pod init i > /dev/null
	assert_match "$(pod inspect -f '{{.State.Status}} {{.State.Pid}}' i)" '^initialized [1-9]'
	pod start i > /dev/null
	pod rm -f -t 0 i > /dev/null
}

t_pods_and_builds() {
	pod pod create --name p --share ipc,uts > /dev/null 2>&1 || skip 'this machine cannot make pods'
	assert_eq "$(pod run --rm --pod p bb echo inpod)" inpod
	pod pod rm -f p > /dev/null
	printf 'FROM bb\nRUN echo built > /file\n' > Containerfile
	pod build --isolation oci --runtime "$LAMINA_BUILD/lamina-runtime" -t built . > log 2>&1 || fail "$(cat log)"
	assert_eq "$(pod run --rm built cat /file)" built
}

run_tests
