#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The life of a container that is not in the foreground: made, started, looked at, stopped, killed.
. "${0%/*}/lib.sh"
. "${0%/*}/containerlib.sh"

setup_file() {
	setup_containers
}

# detached NAME [OPTION…] -- CMD…
detached() {
	local name=$1 opts=()

	shift
	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	store run -d --name "$name" --network none "${opts[@]}" "$FIX_IMAGE" "$@"
}

status_of() {
	store ps -a --json | python3 -c 'import json, sys
for c in json.load(sys.stdin):
    if c["name"] == sys.argv[1]:
        print(c["status"], c["exitCode"])' "$1"
}

# remove NAME…: and then nothing is left, once what a failed test left is gone
remove() {
	store rm -f "$@" > /dev/null
	store rm -a -f > others
	assert_content others ''
	assert_nothing_left
}

# --- detached, stopped, started again ---------------------------------------------------------------

t_detached_container_prints_its_id_and_goes_on() {
	local id

	# Nothing of it holds our output: the command substitution ends.
	id=$(detached web -- sleep 1000)
	assert_match "$id" '^[0-9a-f]{64}$'
	assert_eq "$(status_of web)" "running -1"
	assert_match "$(store ps)" 'Up .*web'
	remove web
}

t_nothing_of_the_caller_is_held_by_what_goes_on() {
	# Each substitution would last as long as the container.
	store run -d --name held "$FIX_IMAGE" sleep 1000 3> three > /dev/null
	timeout 30 bash -c 'out=$("$1" --root "$2" restart -t 0 held 4>&1 2>&1)' sh "$LAMINA" "$FIX_STORE" || fail "something holds it"
	store rm -f held > /dev/null
	timeout 30 bash -c 'out=$("$1" --root "$2" run -d --name held "$3" sleep 1000 4>&1 2>&1)' sh \
		"$LAMINA" "$FIX_STORE" "$FIX_IMAGE" || fail "something holds it"
	remove held
}

t_what_cannot_start_in_the_background_is_told() {
	assert_fails 127 "executable file 'no-such' not found" detached x -- no-such
	assert_fails 126 "cannot run '/etc'" detached x -- /etc
	assert_fails 125 'user' detached x -u nobody-knows -- true
	assert_nothing_left
}

t_stop_signal_then_kill() {
	detached polite -- sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done' > /dev/null
	wait_for 'store logs polite | grep -q ready'
	assert_eq "$(store stop polite)" polite
	assert_eq "$(status_of polite)" "stopped 3"
	detached deaf --stop-timeout 0 -- sleep 1000 > /dev/null
	store stop deaf > /dev/null
	assert_eq "$(status_of deaf)" "stopped 137"
	detached other --stop-signal USR1 -- sh -c 'trap "exit 4" USR1; echo ready; while :; do sleep 0.05; done' > /dev/null
	wait_for 'store logs other | grep -q ready'
	store stop other > /dev/null
	assert_eq "$(status_of other)" "stopped 4"
	# What has ended is stopped already.
	store stop other polite > /dev/null
	remove polite deaf other
}

t_containers_are_chosen_by_other_words_than_names() {
	detached one -l group=a -- sleep 1000 > /dev/null
	detached two -l group=a --cidfile cid -- sleep 1000 > /dev/null
	store create --name three --network none "$FIX_IMAGE" sh -c 'echo new' > id3
	assert_eq "$(store start -a -l)" new
	assert_eq "$(store logs --latest)" new
	assert_eq "$(store wait -l)" 0
	assert_eq "$(store rm --latest)" "$(cat id3)"
	assert_eq "$(store exec -l hostname)" "$(cut -c 1-12 cid)"
	store stop -t 0 --cidfile cid > /dev/null
	assert_eq "$(status_of two)" "stopped 137"
	store start --filter name=two > /dev/null
	store kill -l > /dev/null
	assert_eq "$(store wait two)" 137
	assert_eq "$(store stop -t 0 --filter label=group=a | wc -l)" 2
	assert_fails 125 "is not name" store stop --filter nonsense
	assert_fails 125 "two ways" store stop -l one
	assert_fails 125 "two ways" store rm --all one
	assert_eq "$(store rm --filter label=group=a | wc -l)" 2
	assert_fails 125 "no container" store start -l
	assert_nothing_left
}

t_wait_for_a_state() {
	store create --name c --network none "$FIX_IMAGE" sh -c 'exit 4' > /dev/null
	assert_eq "$(store wait --condition created c)" -1
	LAMINA_ROOT=$FIX_STORE "$LAMINA" wait --condition running --condition exited c > out &
	wait_for '[ "$(ls -l /proc/$!/fd 2> /dev/null | grep -c inotify)" -ge 1 ]'
	store start c > /dev/null
	wait $!
	assert_match "$(cat out)" '^(-1|4)$'
	assert_eq "$(store wait --condition exited c)" 4
	assert_eq "$(store wait --ignore nobody)" -1
	assert_fails 125 "condition" store wait --condition healthy c
	remove c
}

t_kill_sends_any_signal() {
	detached k -- sh -c 'trap "echo got it" HUP; echo ready; while :; do sleep 0.05; done' > /dev/null
	wait_for 'store logs k | grep -q ready'
	store kill -s HUP k > /dev/null
	wait_for 'store logs k | grep -q "got it"'
	assert_fails 125 "not known" store kill -s NOSUCH k
	store kill k > /dev/null
	wait_for '[ "$(status_of k)" = "stopped 137" ]'
	assert_fails 125 "is not running" store kill k
	remove k
}

t_wait_prints_exit_codes_also_of_what_removes_itself() {
	detached w1 -- sh -c 'sleep 0.3; exit 5' > /dev/null
	assert_eq "$(store wait w1)" 5
	assert_eq "$(store wait w1)" 5
	detached w2 --rm -- sh -c 'read x < /gate 2> /dev/null || sleep 0.3; exit 6' > /dev/null
	assert_eq "$(store wait w2)" 6
	assert_fails 125 "no container" store wait w2
	remove w1
}

t_files_survive_a_restart() {
	detached r -- sh -c 'cat /count 2> /dev/null; echo x >> /count; exec sleep 1000' > /dev/null
	wait_for 'grep -q sleep "/proc/$(pid_of r)/cmdline"'
	assert_eq "$(store restart -t 0 r)" r
	wait_for '[ "$(store logs r)" = x ]'
	store stop -t 0 r > /dev/null
	assert_eq "$(store start r)" r
	wait_for '[ "$(store logs r | tr -d "\n")" = xxx ]'
	# What runs, runs.
	assert_eq "$(store start r)" r
	remove r
}

t_made_first_and_started_later() {
	local id

	id=$(store create --name c --network none "$FIX_IMAGE" sh -c 'echo hello; exit 7')
	assert_match "$id" '^[0-9a-f]{64}$'
	assert_eq "$(own_processes)" ""
	assert_match "$(store ps -a)" 'Created .*c$'
	assert_fails 125 "was not started" store wait c
	assert_fails 7 "^hello$" store start -a c
	assert_eq "$(status_of c)" "stopped 7"
	assert_fails 7 "^hello$" store start -a c
	remove c
}

t_initialized_container_has_its_namespaces_and_waits() {
	store create --name i --network none "$FIX_IMAGE" sh -c 'ip link | grep -c mine@; exit 2' > /dev/null
	store init i > /dev/null
	assert_match "$(store ps)" 'Initialized .*i$'
	[ "$(readlink "/proc/$(pid_of i)/ns/net")" != "$(readlink /proc/self/ns/net)" ] ||
		fail "it has no network namespace"
	"$LAMINA" unshare nsenter --preserve-credentials -t "$(pid_of i)" -U -n ip link add mine type veth peer name other
	assert_fails 2 "^1$" store start -a i
	store init i > /dev/null
	remove i
}

t_attached_start_that_fails_leaves_the_container_as_it_was() {
	store create --name bad --network none "$FIX_IMAGE" no-such > /dev/null
	assert_fails 127 "not found" store start bad
	assert_match "$(store ps -a)" 'Created .*bad'
	remove bad
}

t_time_limit_kills() {
	assert_fails 137 "" ctr --timeout 1 -- sleep 1000
	assert_nothing_left
}

t_files_with_ids_are_written() {
	detached f --cidfile cid --pidfile pid -- sleep 1000 > id
	assert_content cid "$(cat id)"
	assert_content pid "$(pid_of f)"
	assert_fails 125 "exists" detached g --cidfile cid -- true
	remove f
}

t_replace_takes_the_name() {
	detached same -- sleep 1000 > /dev/null
	assert_fails 125 "taken" detached same -- sleep 1000
	detached same --replace -- sleep 1001 > /dev/null
	assert_match "$(store ps)" 'sleep 1001'
	assert_eq "$(store ps -aq | wc -l)" 1
	remove same
}

t_preserved_files_are_there() {
	assert_eq "$(ctr --preserve-fds 2 -- sh -c 'cat <&3; cat <&4' 3< <(echo three) 4< <(echo four) | tr '\n' ' ')" "three four "
}

# --- output ---------------------------------------------------------------------------------------------

t_output_is_logged_by_stream() {
	detached l -- sh -c 'echo out; echo err >&2; printf half; sleep 0.2; echo " line"' > /dev/null
	store wait l > /dev/null
	store logs l > out 2> err
	assert_content out 'out
half line'
	assert_content err err
	assert_match "$(store logs -t l 2> /dev/null)" '^20[0-9-]+T[0-9:]+\.[0-9]{9}Z out$'
	assert_match "$(store logs -n l 2> /dev/null)" '^l out$'
	assert_eq "$(store logs --tail 0 l 2>&1)" ""
	assert_eq "$(store logs --since 1h l 2> /dev/null | wc -l)" 2
	assert_eq "$(store logs --until 1h l 2>&1)" ""
	assert_eq "$(store logs --since 2100-01-01 l 2>&1)" ""
	assert_fails 125 "is no time" store logs --since yesterday l
	remove l
	detached m -- sh -c 'printf "1\n2\nha"; sleep 0.1; printf "lf\n"' > /dev/null
	store wait m > /dev/null
	assert_eq "$(store logs --tail 1 m)" half
	assert_eq "$(store logs --tail 2 m | tr '\n' ' ')" "2 half "
	remove m
}

t_logs_follow_until_the_end() {
	detached f -- sh -c 'for i in 1 2 3 4 5; do echo $i; sleep 0.1; done' > /dev/null
	assert_eq "$(timeout 20 "$LAMINA" --root "$FIX_STORE" logs -f f | tr -d '\n')" 12345
	assert_eq "$(timeout 20 "$LAMINA" --root "$FIX_STORE" logs -f f | tr -d '\n')" 12345
	remove f
}

t_long_logs_are_put_aside() {
	detached big --log-opt max-size=20k -- sh -c 'i=0; while [ $i -lt 1000 ]; do echo "line $i"; i=$((i+1)); done' > /dev/null
	store wait big > /dev/null
	store logs big > out
	assert_eq "$(tail -n 1 out)" "line 999"
	[ "$(wc -l < out)" -lt 1000 ] || fail "nothing was dropped"
	assert_eq "$(awk '{ if (NR > 1 && $2 != last + 1) print "gap at", $2; last = $2 }' out)" ""
	# Who follows sees all of it, across the change of files.
	detached again --log-opt max-size=20k -- sh -c 'echo go; sleep 0.5; i=0; while [ $i -lt 800 ]; do echo "line $i"; i=$((i+1)); done' > /dev/null
	wait_for 'store logs again | grep -q go'
	timeout 20 "$LAMINA" --root "$FIX_STORE" logs -f again > out
	assert_eq "$(tail -n 1 out)" "line 799"
	remove big again
}

t_log_drivers() {
	detached n --log-driver none -- echo text > /dev/null
	store wait n > /dev/null
	assert_fails 125 "has no log" store logs n
	assert_fails 125 "log driver" detached x --log-driver syslog -- true
	remove n
}

t_foreground_output_is_whole_and_in_order() {
	# More than a pipe holds, through the log and the client
	store run --name much --network none "$FIX_IMAGE" sh -c 'i=0; while [ $i -lt 20000 ]; do echo "$i 0123456789"; i=$((i+1)); done' > out
	assert_eq "$(md5sum < out)" "$(i=0; while [ $i -lt 20000 ]; do echo "$i 0123456789"; i=$((i+1)); done | md5sum)"
	assert_eq "$(store logs much | md5sum)" "$(md5sum < out)"
	# A slow reader holds it back instead of losing something.
	assert_eq "$(store start -a much | (sleep 0.5; md5sum))" "$(md5sum < out)"
	remove much
}

t_reader_that_leaves_ends_the_foreground() {
	store run --name yes --network none "$FIX_IMAGE" yes | head -n 1 > out
	assert_content out y
	wait_for '[ "$(status_of yes)" = "stopped 137" ]'
	remove yes
}

t_no_terminal_of_the_caller_gets_into_the_container() {
	cat > look <<- 'END'
		for fd in 0 1 2; do [ ! -t $fd ] || echo "fd $fd is a terminal"; done; echo looked
	END
	LAMINA_ROOT=$FIX_STORE on_pty "$LAMINA" run --rm -i --network none "$FIX_IMAGE" sh -c "$(cat look)" > out
	assert_match "$(cat out)" '^looked$'
	! grep -q 'is a terminal' out || fail "$(cat out)"
}

t_standard_streams_can_be_opened_again_by_any_user() {
	detached s -u 1000 -- sh -c 'echo again > /dev/stdout; echo too > /proc/self/fd/2' > /dev/null
	assert_eq "$(store wait s)" 0
	assert_eq "$(store logs s 2>&1 | sort | tr '\n' ' ')" "again too "
	remove s
}

# --- attach ---------------------------------------------------------------------------------------------

t_attach_shows_takes_input_and_ends_with_the_exit_code() {
	detached a -i -- sh -c 'read x; echo "got $x"; cat > /dev/null; exit 9' > /dev/null
	assert_fails 125 "no container" store attach nobody
	code=0
	echo word | store attach a > out || code=$?
	assert_eq "$code" 9
	assert_content out "got word"
	assert_fails 125 "is not running" store attach a
	remove a
}

t_several_look_on() {
	local i

	detached many -i -- sh -c 'read x; echo text; exit 0' > /dev/null
	for i in 1 2 3; do
		store attach --no-stdin many > "out$i" < /dev/null &
	done
	# All three are connected when the monitor has accepted them.
	wait_for '[ "$(ls -l "/proc/$(monitor_of many)/fd" | grep -c socket:)" -ge 5 ]'
	echo go | store attach many > out4
	wait
	for i in 1 2 3 4; do
		assert_content "out$i" text
	done
	remove many
}

# keys_on_pty KEYS COMMAND…: type KEYS when "ready" shows, print what is shown, exit with its code
keys_on_pty() {
	python3 - "$@" << 'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
out, sent = b"", False
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    out += data
    if b"ready" in out and not sent:
        sent = True
        os.write(fd, sys.argv[1].encode().decode("unicode_escape").encode("latin1"))
sys.stdout.write(out.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

t_detach_keys_leave_it_running() {
	export LAMINA_ROOT=$FIX_STORE
	keys_on_pty '\x10\x11' "$LAMINA" run -it --name d --network none "$FIX_IMAGE" \
		sh -c 'echo ready; read x; echo "got $x"; exit 8' > out || fail "exit code $?"
	assert_eq "$(status_of d)" "running -1"
	# The terminal has everybody's input; "ready" is the shell's prompt again.
	code=0
	keys_on_pty 'word\r' sh -c 'echo ready; exec "$@"' sh "$LAMINA" attach d > out || code=$?
	assert_eq "$code" 8 "$(cat out)"
	assert_match "$(cat out)" '^got word$'
	remove d
	keys_on_pty 'x' "$LAMINA" run -it --name e --detach-keys x --network none "$FIX_IMAGE" \
		sh -c 'echo ready; read x' > out || fail "exit code $?"
	assert_eq "$(status_of e)" "running -1"
	remove e
}

t_terminal_that_is_closed_can_be_opened_again() {
	store run -dt --name t --network none "$FIX_IMAGE" \
		sh -c 'exec < /dev/null > /dev/null 2>&1; sleep 0.2; echo later > /dev/console; sleep 0.2' > /dev/null
	store wait t > /dev/null
	assert_match "$(store logs t)" '^later'
	remove t
}

# --- what is killed -------------------------------------------------------------------------------------

t_killed_monitor_is_seen_and_swept() {
	local init

	detached v -- sleep 1000 > /dev/null
	init=$(pid_of v)
	kill -9 "$(monitor_of v)"
	wait_for "gone $init"
	wait_for '[ -z "$(own_processes)" ]'
	assert_match "$(store ps -a)" 'Exited \(unknown\).*v$'
	assert_fails 125 "nobody saw" store wait v
	assert_eq "$(store start v)" v
	assert_eq "$(status_of v)" "running -1"
	remove v
}

t_killed_monitor_of_what_removes_itself_leaves_nothing() {
	local init

	detached v --rm -- sleep 1000 > /dev/null
	init=$(pid_of v)
	kill -9 "$(monitor_of v)"
	wait_for "gone $init"
	wait_for '[ -z "$(own_processes)" ]'
	ctr -- true
	assert_eq "$(ls "$XDG_RUNTIME_DIR/lamina/attach")" ""
	assert_nothing_left
}

t_killed_root_process_ends_a_detached_container() {
	detached v -- sh -c 'while :; do sleep 0.05; done' > /dev/null
	kill -9 "$(pgrep -u "$(id -u)" -x lamina-overlay -n)"
	wait_for 'status_of v | grep -q "^stopped"'
	store start v > /dev/null
	remove v
}

t_killed_network_process_leaves_the_container() {
	store run -d --name v "$FIX_IMAGE" sleep 1000 > /dev/null
	kill -9 "$(pgrep -u "$(id -u)" -x lamina-slirp -n)"
	assert_eq "$(status_of v)" "running -1"
	store restart -t 0 v > /dev/null
	assert_eq "$(status_of v)" "running -1"
	remove v
}

t_killed_client_in_the_foreground_ends_the_container() {
	local pid init

	LAMINA_ROOT=$FIX_STORE "$LAMINA" run --name v --network none "$FIX_IMAGE" sleep 1000 &
	pid=$!
	wait_for '[ "$(status_of v)" = "running -1" ]'
	init=$(pid_of v)
	kill -9 "$pid"
	wait_for "gone $init"
	wait_for '[ "$(status_of v)" = "stopped 137" ]'
	remove v
}

t_terminal_is_as_before_whoever_is_killed() {
	local who

	for who in client monitor; do
		LAMINA_ROOT=$FIX_STORE timeout 60 python3 - "$who" "$LAMINA" run -it --name v --network none "$FIX_IMAGE" \
			sh -c 'echo ready; sleep 1000' > out <<- 'END'
			import os, pty, signal, subprocess, sys, termios, time
			master, slave = pty.openpty()
			before = termios.tcgetattr(slave)
			p = subprocess.Popen(sys.argv[2:], stdin=slave, stdout=slave, stderr=slave)
			seen = b""
			while b"ready" not in seen:
			    seen += os.read(master, 4096)
			deadline = time.time() + 20
			while termios.tcgetattr(slave) == before and time.time() < deadline:
			    time.sleep(0.02)
			print("raw" if termios.tcgetattr(slave) != before else "NEVER RAW")
			child = open("/proc/%d/task/%d/children" % (p.pid, p.pid)).read().split()
			os.kill(p.pid if sys.argv[1] == "client" else int(child[0]), signal.SIGKILL)
			p.wait()
			while termios.tcgetattr(slave) != before and time.time() < deadline:
			    time.sleep(0.02)
			print("restored" if termios.tcgetattr(slave) == before else "CHANGED")
		END
		assert_eq "$(tr '\n' ' ' < out)" "raw restored "
		wait_for '[ -z "$(own_processes)" ]'
		store rm -f v > /dev/null
	done
	assert_nothing_left
}

t_killed_client_of_attach_changes_nothing() {
	local pid

	detached v -i -- cat > /dev/null
	store attach v < /dev/zero > /dev/null &
	pid=$!
	wait_for '[ "$(ls -l "/proc/$(monitor_of v)/fd" | grep -c socket:)" -ge 3 ]'
	pkill -9 -P "$pid" lamina || kill -9 "$pid"
	assert_eq "$(status_of v)" "running -1"
	remove v
}

# at_stage N COMMAND…: kill -9 the command's child, the monitor, at its Nth system call
at_stage() {
	local n=$1

	shift
	strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2,clone3,symlinkat,mkdirat,unlinkat \
		-e inject=renameat,renameat2,clone3,symlinkat,mkdirat,unlinkat:signal=KILL:when="$n" "$@"
}

t_killed_at_any_stage_of_a_start_leaves_what_can_be_swept() {
	local n

	need strace
	for n in 1 2 3 4 5 6 7 8 9 10 12 14; do
		LAMINA_ROOT=$FIX_STORE at_stage "$n" timeout 20 "$LAMINA" run -d --rm --name s --network none \
			"$FIX_IMAGE" sleep 1000 > /dev/null 2>&1 || :
		store rm -f s > /dev/null
		wait_for '[ -z "$(own_processes)" ]'
	done
	ctr -- true
	assert_nothing_left
}

t_hundred_at_once_and_none_is_left() {
	local i pids=()

	for i in $(seq 30); do
		detached "n$i" -- sh -c 'exit 3' > /dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in $(seq 30); do
		assert_eq "$(store wait "n$i")" 3
	done
	store rm -a > /dev/null
	assert_nothing_left
}

run_tests
