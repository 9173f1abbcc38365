# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What tests of containers share: a store with the demo image, and what must be left of them.

# A file's setup_file calls it.
setup_containers() {
	[ -c /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse cannot be opened"
	FIX_STORE=$FILE_DIR/store FIX_IMAGE=localhost/layout:demo
	demo_image "$FILE_DIR/layout"
	"$LAMINA" --root "$FIX_STORE" pull -q "oci:$FILE_DIR/layout:demo" > /dev/null
}

# ctr [OPTION…] -- CMD…: a container of the demo image, without a network
ctr() {
	local opts=()

	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	LAMINA_ROOT=$FIX_STORE "$LAMINA" run --rm --network none "${opts[@]}" "$FIX_IMAGE" "$@"
}

store() {
	LAMINA_ROOT=$FIX_STORE "$LAMINA" "$@"
}

gone() {
	! grep -qs '^State:.[^Z]' "/proc/$1/status"
}

# on_pty COMMAND…: run it on a terminal of 30 rows and 100 columns, show what it prints, say whether
# the terminal's mode is as before, exit with its code.
on_pty() {
	python3 - "$@" << 'END'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    before = termios.tcgetattr(0)
    child = os.fork()
    if child == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    status = os.waitpid(child, 0)[1]
    print("mode", "restored" if termios.tcgetattr(0) == before else "CHANGED")
    sys.stdout.flush()
    os._exit(os.waitstatus_to_exitcode(status) & 0xff)
out = b""
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    out += data
    if b"say something" in data:
        os.write(fd, b"hello\r")
sys.stdout.write(out.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

# own_processes: Lamina's processes below the runner, which adopts what outlives its parent
own_processes() {
	ps -e -o pid=,ppid=,stat=,comm= | awk -v top="$PPID" '
		{
			kids[$2] = kids[$2] " " $1
			if ($3 !~ /^Z/ && $4 ~ /^lamina/)
				own[$1] = $4
		}
		function walk(pid,    n, a, i) {
			if (pid in own)
				print pid, own[pid]
			n = split(kids[pid], a, " ")
			for (i = 1; i <= n; i++)
				walk(a[i])
		}
		END { walk(top) }'
}

assert_nothing_left() {
	assert_eq "$(own_processes)" "" "processes that are left"
	assert_eq "$(ls "$FIX_STORE/containers" "$FIX_STORE/containers/.gone")" \
		"$FIX_STORE/containers:

$FIX_STORE/containers/.gone:" "containers that are left"
	assert_eq "$(ls "$XDG_RUNTIME_DIR/lamina/members")" "" "members that are left"
	! grep -q '^lamina .* fuse.lamina' /proc/self/mounts || fail "a mount is left"
}

# pid_of NAME: of a container's first process
pid_of() {
	store ps --json | python3 -c 'import json, sys
print([c["pid"] for c in json.load(sys.stdin) if c["name"] == sys.argv[1]][0])' "$1"
}

# monitor_of NAME: the process that watches it
monitor_of() {
	python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["monitor"]["pid"])' \
		"$FIX_STORE/containers/$(readlink "$FIX_STORE/containers/.names/$1")/state.json"
}
