#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is done with containers that exist: exec, ps, inspect; and volumes.
. "${0%/*}/lib.sh"
. "${0%/*}/containerlib.sh"

setup_file() {
	setup_containers
}

detached() {
	local name=$1

	shift
	store run -d --name "$name" --network none "$@" "$FIX_IMAGE" sleep 1000 > /dev/null
}

remove() {
	store rm -a -f -v > /dev/null
	store volume rm -a > /dev/null
	assert_nothing_left
}

# --- exec -------------------------------------------------------------------------------------------

t_exec_has_the_containers_world_and_its_own_exit_code() {
	detached e -e A=container -w /tmp
	assert_eq "$(store exec e sh -c 'echo $A; pwd; hostname' | tr '\n' ' ')" "container /tmp $(store inspect -f '{{.Config.Hostname}}' e) "
	assert_eq "$(store exec e readlink /proc/1/ns/pid)" "$(store exec e readlink /proc/self/ns/pid)"
	assert_fails 42 "" store exec e sh -c 'exit 42'
	assert_fails 127 "not found" store exec e no-such-program
	assert_fails 126 "" store exec e /etc
	assert_fails 125 "no container" store exec nobody true
	assert_fails 125 "unknown option" store exec --no-such e true
	assert_eq "$(echo text | store exec -i e cat)" text
	assert_eq "$(echo text | store exec e cat)" ""
	remove
}

t_exec_as_another_user_has_no_capabilities() {
	detached e
	assert_eq "$(store exec -u demo -w / -e B=2 e sh -c 'id -un; pwd; echo $B $HOME')" "demo
/
2 /home/demo"
	assert_match "$(store exec -u 1000:7 e id)" 'uid=1000.*gid=7'
	assert_eq "$(store exec -u 1000 e sed -n 's/^CapEff:\t//p' /proc/self/status)" 0000000000000000
	assert_eq "$(store exec e sed -n 's/^CapEff:\t//p' /proc/self/status)" \
		"$(store exec e sed -n 's/^CapEff:\t//p' /proc/1/status)"
	assert_eq "$(store exec e sed -n 's/^Seccomp:\t//p' /proc/self/status)" 2
	remove
}

t_exec_in_the_background_and_on_a_terminal() {
	detached e
	store exec -d e sh -c 'sleep 0.1; touch /done'
	wait_for 'store exec e test -e /done'
	export LAMINA_ROOT=$FIX_STORE
	on_pty "$LAMINA" exec -it e sh -c 'tty; stty size; echo say something; read x; echo "got $x"; exit 3' > out ||
		assert_eq $? 3 "exit code"
	assert_match "$(cat out)" '^/dev/pts/[0-9]+$'
	assert_match "$(cat out)" '^30 100$'
	assert_match "$(cat out)" '^got hello$'
	assert_match "$(cat out)" '^mode restored$'
	on_pty "$LAMINA" exec -i e sh -c 'for fd in 0 1 2; do [ ! -t $fd ] || echo "fd $fd is a terminal"; done; echo looked' > out
	assert_match "$(cat out)" '^looked$'
	! grep -q 'is a terminal' out || fail "$(cat out)"
	unset LAMINA_ROOT
	remove
}

t_exec_wants_a_running_container() {
	store create --name c --network none "$FIX_IMAGE" true > /dev/null
	assert_fails 125 "is not running" store exec c true
	remove
}

# --- ps, inspect ------------------------------------------------------------------------------------

t_ps_filters_and_formats() {
	detached web -l tier=front -l x
	detached db -l tier=back
	store create --name old --network none "$FIX_IMAGE" true > /dev/null
	assert_eq "$(store ps --format '{{.Names}}' | sort | tr '\n' ' ')" "db web "
	assert_eq "$(store ps -a --format '{{.Names}}' | wc -l)" 3
	assert_eq "$(store ps -f label=tier=front --format '{{.Names}} {{.State}}')" "web running"
	assert_eq "$(store ps -f label=tier --format '{{.Names}}' | wc -l)" 2
	assert_eq "$(store ps -f status=created --format '{{.Names}}')" old
	assert_eq "$(store ps -f name=d -f name=w -f label=x --format '{{.Names}}')" web
	assert_eq "$(store ps -f ancestor=layout -q | wc -l)" 2
	assert_eq "$(store ps -f ancestor=lay -aq | wc -l)" 0
	assert_eq "$(store ps -l --format '{{.Names}}')" old
	assert_eq "$(store ps --format 'table {{.Names}}\t{{.State}}' | sed -n 1p)" "NAMES  STATE"
	assert_eq "$(store ps --format json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" 2
	assert_eq "$(store ps -q | head -c 12 | wc -c)" 12
	assert_eq "$(store ps -q --no-trunc | head -n 1 | wc -c)" 65
	assert_fails 125 "filter" store ps -f what=ever
	assert_fails 125 "there is no field 'Nmae'" store ps --format '{{.Nmae}}'
	remove
}

t_inspect_says_what_scripts_ask_for() {
	detached i -e A=1 -v "$PWD:/here:ro" -l k=v --stop-timeout 3
	local pid

	pid=$(store inspect -f '{{.State.Pid}}' i)
	assert_eq "$pid" "$(pid_of i)"
	assert_eq "$(store inspect --format '{{.State.Running}} {{.State.Status}} {{.Name}}' i)" "true running i"
	assert_eq "$(store inspect -f '{{range .Mounts}}{{.Source}}:{{.Destination}}:{{.RW}}{{end}}' i)" "$PWD:/here:false"
	assert_eq "$(store inspect -f '{{index .Config.Labels "k"}}' i)" v
	assert_eq "$(store inspect -f '{{.Config.StopTimeout}}' i)" 3
	assert_eq "$(store inspect -f '{{join .Config.Cmd " "}}' i)" "sleep 1000"
	assert_match "$(store inspect -f '{{json .Config.Env}}' i)" '"A=1"'
	assert_eq "$(store inspect i | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["Name"])')" i
	assert_eq "$(store inspect -f '{{.ImageName}}' i)" "$FIX_IMAGE"
	assert_eq "$(store inspect --type image -f '{{.Id}}' "$FIX_IMAGE")" "$(store inspect -f '{{.Image}}' i | cut -d: -f2)"
	assert_fails 125 "no container, image or volume" store inspect nobody
	assert_fails 125 "the template is wrong" store inspect -f '{{.Id' i
	store stop -t 0 i > /dev/null
	assert_eq "$(store inspect -f '{{.State.Pid}} {{.State.ExitCode}} {{.State.Status}}' i)" "0 137 exited"
	remove
}

# --- volumes ----------------------------------------------------------------------------------------

t_named_volumes_are_filled_once_and_shared() {
	ctr -v data:/home -- sh -c 'ls /home; echo one > /home/file'
	ctr -v data:/home -- cat /home/file > out
	assert_content out one
	# What the image has at a place does not come back.
	ctr -v data:/home -- rm -rf /home/demo
	assert_eq "$(ctr -v data:/home -- ls /home)" file
	assert_eq "$(ctr -v other:/home:nocopy -- ls /home)" ""
	assert_eq "$(store volume ls -q | tr '\n' ' ')" "data other "
	assert_fails any 'Read-only' ctr -v data:/home:ro -- touch /home/x
	assert_fails any '' ctr -v 'bad/../name:/x' -- true
	remove
}

t_volumes_keep_owners() {
	ctr -v home:/home -- chown 1000:1000 /home
	assert_eq "$(ctr -v home:/home -- stat -c %u:%g /home)" 1000:1000
	remove
}

t_volumes_in_use_stay() {
	detached v -v data:/data
	assert_fails 125 "is used by" store volume rm data
	store rm -f v > /dev/null
	assert_eq "$(store volume ls -q)" data
	store volume rm data > /dev/null
	assert_fails 125 "no volume" store volume rm data
	detached v -v data:/data
	store volume rm -f data > /dev/null
	assert_eq "$(store ps -aq)" ""
	remove
}

t_unnamed_volumes_go_with_their_container() {
	ctr -v /data -- touch /data/x
	assert_eq "$(store volume ls -q)" ""
	detached v -v /data
	assert_eq "$(store volume ls -q | wc -l)" 1
	store rm -f v > /dev/null
	assert_eq "$(store volume ls -q | wc -l)" 1
	store volume create keep > /dev/null
	store volume prune -f > /dev/null
	assert_eq "$(store volume ls -q)" keep
	detached v -v /data
	store rm -f -v v > /dev/null
	assert_eq "$(store volume ls -q)" keep
	remove
}

t_volume_verbs() {
	assert_eq "$(store volume create -l a=b mine)" mine
	assert_fails 125 "already" store volume create mine
	assert_eq "$(store volume create --ignore mine)" mine
	assert_match "$(store volume create)" '^[0-9a-f]{64}$'
	assert_fails 125 "is no name" store volume create ../x
	assert_eq "$(store volume inspect -f '{{.Mountpoint}} {{.Labels.a}}' mine)" "$FIX_STORE/volumes/mine/_data b"
	assert_fails 125 "no volume" store volume inspect nobody
	assert_fails 125 "no volume" store volume inspect ../containers
	store volume prune -f -a > /dev/null
	assert_eq "$(store volume ls --json)" "[]"
	remove
}

run_tests
