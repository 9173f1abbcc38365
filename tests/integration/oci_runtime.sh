#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lamina-runtime does what conmon and containerd's shim expect of an OCI runtime.
. "${0%/*}/lib.sh"
. "${0%/*}/ocilib.sh"

setup_file() {
	setup_oci
}

t_life_as_the_specification_has_it() {
	bundle -- sh -c "echo ran; $SLEEPER"
	"$RT" create --bundle . --pid-file pid c > out < /dev/null
	assert_eq "$("$RT" state c | jq -r '.status, .id, .ociVersion' | tr '\n' ' ')" 'created c 1.2.0 '
	assert_eq "$("$RT" state c | jq .pid)" "$(cat pid)"
	assert_content out ''
	"$RT" start c
	assert_eq "$("$RT" state c | jq -r .status)" running
	wait_for 'grep -q ran out'
	assert_fails 1 'it is running' "$RT" start c
	assert_fails 1 'is running, not stopped' "$RT" delete c
	assert_fails 1 'already exists' "$RT" create --bundle . c
	"$RT" kill c KILL
	wait_status c stopped
	assert_eq "$("$RT" state c | jq .pid)" 0
	assert_fails 1 '^lamina-runtime: container not running$' "$RT" kill c 9
	"$RT" delete c
	assert_fails 1 "does not exist" "$RT" state c
	"$RT" delete --force c
}

t_conmon_creates_and_execs_like_this() {
	bundle -- sh -c "$SLEEPER"
	"$RT" --log-format=json --log "$PWD/log" create --bundle "$PWD" --pid-file "$PWD/pid" --no-new-keyring c < /dev/null
	"$RT" start c
	printf '{"terminal":false,"user":{"uid":0,"gid":0},"args":["sh","-c","echo $A; exit 3"],"cwd":"/tmp","env":["PATH=/bin","A=b"]}' > p.json
	assert_eq "$("$RT" exec --process p.json c || echo "code $?")" "$(printf 'b\ncode 3')"
	jq '.args = ["sh", "-c", "echo done > /tmp/done"]' p.json > q.json
	reaped "$RT" exec --pid-file "$PWD/xpid" --process q.json --detach c
	assert_match "$(cat xpid)" '^[0-9]+$'
	wait_for '[ -s rootfs/tmp/done ]'
	assert_missing log
	"$RT" delete --force c
}

t_an_error_is_one_json_object_in_the_log() {
	bundle -- /bin/missing
	assert_fails 1 'No such file or directory' \
		"$RT" --log log --log-format json create --bundle . --pid-file pid c
	assert_eq "$(jq -r .level log)" error
	assert_match "$(jq -r .msg log)" "'/bin/missing': No such file or directory"
	assert_missing pid
	assert_eq "$("$RT" list -q)" ''
	bundle -- missing
	assert_fails 1 "executable file 'missing' not found in" "$RT" run -b . c
}

t_containerd_passes_these_flags() {
	bundle -- sh -c "$SLEEPER"
	"$RT" --root "$PWD/root" --debug --log "$PWD/log" --log-format json --rootless=true create --bundle "$PWD" \
		--pid-file "$PWD/pid" --no-pivot --no-new-keyring -no-subreaper c < /dev/null 2> /dev/null
	"$RT" --root "$PWD/root" start c
	assert_eq "$("$RT" --root root list --format=json | jq -r '.[0].id, .[0].status' | tr '\n' ' ')" 'c running '
	assert_eq "$("$RT" --root root ps --format json c | jq '.[0]')" "$(cat pid)"
	assert_match "$("$RT" --root root ps --format table c -ef)" 'sleep|sh -c'
	"$RT" --root root kill --all c 9
	wait_for '[ "$("$RT" --root root state c | jq -r .status)" = stopped ]'
	"$RT" --root root delete c
	assert_eq "$(ls root)" ''
}

t_a_terminal_goes_to_the_console_socket_with_its_size() {
	bundle '.process.terminal = true | .process.consoleSize = {height: 33, width: 44}' -- \
		sh -c 'tty; stat -c %F /dev/console; read x'
	ln -sf busybox rootfs/bin/stty
	jq '.process.args[2] = "stty size; read x; echo got $x"' config.json > c2 && mv c2 config.json
	python3 -c '
import array, os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX); s.bind("console"); s.listen()
subprocess.run([sys.argv[1], "create", "--bundle", ".", "--console-socket", "console", "c"], check=True)
data, anc, _, _ = s.accept()[0].recvmsg(100, 100)
fd = array.array("i", anc[0][2])[0]
subprocess.run([sys.argv[1], "start", "c"], check=True)
text = b""
while b"33 44" not in text: text += os.read(fd, 1000)
os.write(fd, b"hello\n")
while b"got hello" not in text: text += os.read(fd, 1000)
' "$RT"
	wait_status c stopped
	"$RT" delete c
	assert_fails 1 'needs --console-socket' "$RT" create --bundle . c
	bundle -- true
	assert_fails 1 'process.terminal is not true' "$RT" create --bundle . --console-socket console c
}

t_preserved_fds_and_no_others_reach_the_program() {
	bundle -- sh -c 'cat <&3; ls /proc/self/fd'
	echo text > f
	# 3 is ls's directory, below: 4 was not preserved.
	assert_eq "$("$RT" run --preserve-fds 1 c 3< f 4< f 5< f)" "$(printf 'text\n0\n1\n2\n3\n4')"
}

t_run_passes_signals_and_the_exit_code() {
	local pid

	bundle -- sh -c 'exit 42'
	assert_fails 42 '' "$RT" run c
	bundle -- sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done'
	"$RT" run c > out &
	pid=$!
	wait_for 'grep -q up out'
	kill -TERM "$pid"
	wait "$pid" && fail 'no exit code' || assert_eq "$?" 7
	assert_eq "$("$RT" list -q)" ''
}

t_exec_has_a_user_an_environment_and_a_directory() {
	bundle -- sh -c "$SLEEPER"
	"$RT" run --detach c < /dev/null > /dev/null
	assert_eq "$("$RT" exec --cwd /tmp -e A=1 c sh -c 'pwd; echo $A; id -u')" "$(printf '/tmp\n1\n0')"
	assert_eq "$("$RT" exec -e TERM=other c env | grep '^TERM=')" TERM=other
	assert_eq "$("$RT" exec --no-new-privs c grep NoNewPrivs /proc/self/status)" "$(printf 'NoNewPrivs:\t1')"
	assert_eq "$("$RT" exec --cap CAP_SYS_TIME --cap CAP_NEW c grep -E 'Cap(Prm|Inh|Amb)' /proc/self/status 2> warnings | cut -c9- | tr '\n' ' ')" \
		'0000000000000000 0000000022000420 0000000000000000 '
	assert_match "$(cat warnings)" "unknown capability 'CAP_NEW'"
	assert_fails 255 'missing' "$RT" exec c /missing
	assert_fails 255 'working directory' "$RT" exec --cwd /proc/self/fd/3 c true
	"$RT" kill c KILL
	wait_status c stopped
	assert_fails 255 'not running' "$RT" exec c true
	"$RT" delete c
}

t_one_that_never_began_is_deleted() {
	bundle -- true
	"$RT" create --bundle . --pid-file pid c < /dev/null
	reaped "$RT" delete c
	assert_fails 1 'does not exist' "$RT" state c
	wait_for '! grep -qs "^State:.[^Z]" "/proc/$(cat pid)/status"'
}

t_home_is_what_the_image_says() {
	mkdir -p rootfs && cp -a "$FIX_BUNDLE/rootfs/." rootfs
	bundle -- sh -c 'echo $HOME'
	assert_eq "$("$RT" run c)" /
	echo 'root:x:0:0:root:/the/home:/bin/sh' > rootfs/etc/passwd
	bundle -- sh -c 'echo $HOME'
	assert_eq "$("$RT" run c)" /the/home
	bundle '.process.env += ["HOME=/own"]' -- sh -c 'echo $HOME'
	assert_eq "$("$RT" run c)" /own
	printf '{"user":{"uid":0,"gid":0},"args":["sh","-c","echo $HOME"],"cwd":"/","env":["PATH=/bin"]}' > p.json
	bundle -- sh -c "$SLEEPER"
	"$RT" run --detach c < /dev/null > /dev/null
	assert_eq "$("$RT" exec --process p.json c)" /the/home
	"$RT" delete --force c
}

t_hooks_of_all_kinds_run_in_order_with_the_state() {
	cat > hook <<- END
		#!/bin/sh
		echo "\$1 \$(jq -r '.status + " " + .id')" >> $PWD/seen
	END
	chmod +x hook
	# startContainer runs inside: its program is the image's.
	bundle "(.hooks |= ([\"prestart\", \"createRuntime\", \"createContainer\", \"poststart\", \"poststop\"]
		| map({(.): [{path: \"$PWD/hook\", args: [\"hook\", .], env: [\"PATH=/usr/bin:/bin\"]}]}) | add))
		| .hooks.startContainer = [{path: \"/bin/touch\", args: [\"touch\", \"/tmp/inside\"]}]" -- ls /tmp/inside
	assert_eq "$("$RT" run c)" /tmp/inside
	assert_eq "$(cut -d' ' -f1 seen | tr '\n' ' ')" 'prestart createRuntime createContainer poststart poststop '
	assert_eq "$(cut -d' ' -f2 seen | tr '\n' ' ')" 'created creating creating running stopped '
	bundle '.hooks.prestart = [{path: "/bin/sh", args: ["sh", "-c", "test \"$WORD\" = given"]}]' -- true
	WORD=given "$RT" run c
	bundle '.hooks.prestart = [{path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 9"]}]' -- true
	assert_fails 1 "prestart: hook '/bin/sh' exited with 9: why" "$RT" run c
	bundle '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "60"], timeout: 1}]' -- true
	assert_fails 1 'took longer than 1 s' "$RT" run c
	assert_eq "$("$RT" list -q)" ''
}

# agent WORD…: takes the listeners of the filters of that many containers, says what came with each, and
# answers each of their questions with errno 123
agent() {
	python3 - "$@" << 'END' &
import array, fcntl, json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.bind("agent")
s.listen()
for word in sys.argv[1:]:
    data, anc, _, _ = s.accept()[0].recvmsg(100000, 100)
    fd = array.array("i", anc[0][2][:4])[0]
    doc = json.loads(data)
    alive = os.path.exists(f"/proc/{doc['pid']}")
    print(word, doc["ociVersion"], doc["fds"], doc["metadata"], doc["state"]["id"], doc["state"]["status"], alive, file=open("seen", "a"))
    question = bytearray(80)
    fcntl.ioctl(fd, 0xC0502100, question)
    number = struct.unpack_from("Q", question)[0]
    fcntl.ioctl(fd, 0xC0182101, struct.pack("QqiI", number, 0, -123, 0))
    os.close(fd)
END
	wait_for '[ -S agent ]'
}

t_a_listener_answers_for_the_kernel() {
	local filter='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "'$PWD'/agent", listenerMetadata: "meta",
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY"}]}'

	ln -sf busybox "$FIX_BUNDLE/rootfs/bin/mkdir"
	bundle "$filter" -- sh -c 'mkdir /tmp/x; echo $?'
	assert_fails 1 "cannot connect to '$PWD/agent'" "$RT" run c
	agent run create exec exec
	assert_match "$("$RT" run c 2>&1)" 'No medium found'
	bundle "$filter | .process.noNewPrivileges = false" -- sh -c 'mkdir /tmp/x; while :; do sleep 1; done'
	"$RT" create -b . c < /dev/null > out 2>&1
	"$RT" start c
	wait_for 'grep -q "No medium found" out'
	assert_fails 1 'No medium found' "$RT" exec c mkdir /tmp/x
	assert_fails 1 'No medium found' "$RT" exec --no-new-privs c mkdir /tmp/x
	"$RT" delete --force c
	wait
	assert_content seen "run 1.2.0 ['seccompFd'] meta c created True
create 1.2.0 ['seccompFd'] meta c created True
exec 1.2.0 ['seccompFd'] meta c running True
exec 1.2.0 ['seccompFd'] meta c running True"
	bundle "$filter | .linux.seccomp.syscalls[0].names += [\"sendmsg\"]" -- true
	assert_fails 1 "cannot have SCMP_ACT_NOTIFY for 'sendmsg'" "$RT" run c
}

t_namespaces_are_joined_by_path() {
	local pid

	bundle -- sh -c "$SLEEPER"
	"$RT" run --detach --pid-file pid a < /dev/null > /dev/null
	pid=$(cat pid)
	# Those of a container belong to its user namespace, so that is joined too.
	mkdir b && cd b
	bundle "del(.linux.uidMappings, .linux.gidMappings, .linux.maskedPaths, .linux.readonlyPaths, .hostname)
		| .linux.namespaces |= map(if .type == \"mount\" then . else .path = \"/proc/$pid/ns/\" +
		({network: \"net\"}[.type] // .type) end)" -- sh -c 'for n in user net ipc uts cgroup pid; do readlink /proc/self/ns/$n; done'
	assert_eq "$("$RT" run b)" "$(for n in user net ipc uts cgroup pid; do readlink "/proc/$pid/ns/$n"; done)"
	bundle ".linux.namespaces |= map(if .type == \"uts\" then .path = \"/proc/$pid/ns/net\" else . end) | del(.hostname)" -- true
	assert_fails 1 'is not a uts namespace' "$RT" run b
	"$RT" delete --force a
}

t_clocks_have_offsets() {
	bundle '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets.boottime = {secs: 864000, nanosecs: 0}' -- \
		cat /proc/uptime
	[ -e /proc/self/ns/time ] || skip 'no time namespaces'
	assert_eq "$("$RT" run c | awk '{ print ($1 >= 864000) }')" 1
}

t_a_missing_user_namespace_is_added() {
	bundle 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))' -- \
		sh -c 'id -u; cat /proc/self/uid_map'
	assert_eq "$("$RT" run c | head -2 | tr -s ' ' | tr '\n' ';')" "0; 0 $(id -u) 1;"
}

t_a_killed_create_leaves_what_delete_removes() {
	bundle '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "60"]}]' -- true
	"$RT" create --bundle . c < /dev/null 2> /dev/null &
	wait_for '[ -e "$XDG_RUNTIME_DIR/lamina-runtime/c/state.json" ]'
	kill -KILL $!
	wait $! 2> /dev/null || true
	"$RT" delete --force c
	assert_eq "$("$RT" list -q)" ''
}

t_limits_that_cannot_be_set_are_errors_unless_disabled() {
	bundle '.linux.resources.memory.limit = 10000000' -- true
	[ ! -w /sys/fs/cgroup/cgroup.procs ] || skip 'cgroups can be made here'
	assert_fails 1 'cannot set the limits' "$RT" run c
	"$RT" --cgroup-manager disabled run c
	assert_fails 1 'unknown cgroup manager' "$RT" --cgroup-manager cat run c
}

t_a_bad_configuration_names_the_place() {
	bundle '.process.rlimits = [{type: "RLIMIT_X", soft: 1, hard: 1}]' -- true
	assert_fails 1 'process.rlimits\[0\]' "$RT" run c
	bundle '.linux.sysctl["kernel.hostname"] = "x"' -- true
	assert_fails 1 "set by 'hostname'" "$RT" run c
	bundle '.process.cwd = "rel"' -- true
	assert_fails 1 'process.cwd' "$RT" run c
	bundle -- true
	assert_fails 1 'invalid container ID' "$RT" run ../c
	echo '{' > config.json
	assert_fails 1 'is not valid JSON' "$RT" run c
	assert_fails 1 'unknown verb' "$RT" nothing
}

t_features_and_version_can_be_read_by_engines() {
	assert_eq "$("$RT" features | jq -r '.ociVersionMax, (.linux.namespaces | length), (.hooks | length)' | tr '\n' ' ')" '1.2.0 8 6 '
	assert_match "$("$RT" --version)" '^lamina-runtime version [0-9]'
}

t_a_hundred_at_once_and_nothing_left() {
	local i

	bundle -- true
	for i in $(seq 100); do
		"$RT" run --bundle . "c$i" < /dev/null || echo "$i" >> failed &
	done
	wait
	assert_missing failed
	assert_eq "$("$RT" list -q)" ''
	assert_eq "$(ls "$XDG_RUNTIME_DIR/lamina-runtime")" ''
}

run_tests
