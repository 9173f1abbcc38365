# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What integration tests share.  A test file is:
#
#	#!/bin/bash
#	# SPDX-License-Identifier: Apache-2.0
#	# The rule that the file protects, in one line.
#	. "${0%/*}/lib.sh"
#
#	t_name_says_the_rule() {
#		assert_eq "$("$LAMINA" --version | cut -d' ' -f1)" lamina
#	}
#
#	run_tests
#
# run_tests calls every function named t_… in the order of the file and prints TAP.  Each runs in a
# subshell with `set -eu`, in a fresh directory ($T, the working directory), with a store
# (LAMINA_ROOT) and an XDG_RUNTIME_DIR of its own.  Whatever it leaves behind is removed: processes
# (all that descend from the test, however they daemonised), mounts below $T, files of any owner.
# A function setup_file, if there is one, runs once before the first test, in $FILE_DIR; what it
# starts lives until the last test, and the tests see the variables FIX_… that it sets.  It calls
# skip where the whole file cannot run.
#
# By hand:  tests/integration/FILE.sh [t_name…]     as an ordinary user
#	LAMINA_BUILD=DIR	where the built programs are (default: build/ of this checkout)
#	TEST_TIMEOUT=SECONDS	for one test (default 120); a file may set it behind this line
#	TEST_KEEP=1		keep the directories of failed tests
#	TEST_TRACE=1		print each command of a failed test

if [ "$(id -u)" = 0 ] && [ -z "${TEST_AS_ROOT-}" ]; then
	echo "Bail out! integration tests run as an ordinary user; 'scripts/test' sets one up"
	exit 1
fi

TEST_DIR=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
SRC=$(cd "$TEST_DIR/../.." && pwd)
TEST_FILE=$(realpath "$0")
LAMINA_BUILD=${LAMINA_BUILD:-$SRC/build}
LAMINA=${LAMINA:-$LAMINA_BUILD/lamina}
LAMINA_OVERLAY=${LAMINA_OVERLAY:-$LAMINA_BUILD/lamina-overlay}
# Survives the run: big fixtures are made once (see fixture_cached).
TEST_CACHE=${TEST_CACHE:-$SRC/build-cache}
TEST_TIMEOUT=${TEST_TIMEOUT:-120}
# Sanitizers are slow: time limits of tests and of wait_for grow by this factor.
TEST_SCALE=${TEST_SCALE:-1}
export LAMINA LAMINA_OVERLAY LC_ALL=C.UTF-8
unset CDPATH
# The runner sets one for each test; a caller's own store is none of a test's business.
[ -n "${TEST_FUNCTION-}" ] || unset LAMINA_ROOT

# --- verdicts ---------------------------------------------------------------------------------

# fail TEXT…: end the test.
fail() {
	echo "failed at line ${BASH_LINENO[${FAIL_DEPTH:-0}]}: $*" >&2
	exit 1
}

# skip REASON: end the test (in setup_file: the file); something outside Lamina is missing.
skip() {
	printf '%s\n' "$*" > "$TEST_STATE/skip"
	exit 77
}

# need PROGRAM…: skip unless all are installed.
need() {
	local p

	for p; do
		command -v "$p" > /dev/null || skip "$p is not installed"
		[ "$p" != strace ] || leaks_do_not_count
	done
}

# leaks_do_not_count: LeakSanitizer needs ptrace(2) for itself, so a test that traces does without it
leaks_do_not_count() {
	export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0"
}

# assert_eq GOT WANT [WHAT]
assert_eq() {
	[ "$1" = "$2" ] || FAIL_DEPTH=1 fail "${3-value} is '$1', not '$2'"
}

# assert_match GOT REGEX [WHAT]: an extended regular expression found anywhere in GOT
assert_match() {
	grep -Eq -- "$2" <<< "$1" || FAIL_DEPTH=1 fail "${3-value} is '$1', which does not match /$2/"
}

# assert_content FILE TEXT: the file holds TEXT (a final newline does not count)
assert_content() {
	[ -e "$1" ] || FAIL_DEPTH=1 fail "'$1' does not exist"
	[ "$(cat "$1")" = "$2" ] || FAIL_DEPTH=1 fail "'$1' holds '$(head -c 300 "$1")', not '$2'"
}

# assert_exists PATH…, assert_missing PATH…: dangling links exist
assert_exists() {
	local p

	for p; do
		[ -e "$p" ] || [ -L "$p" ] || FAIL_DEPTH=1 fail "'$p' does not exist"
	done
}

assert_missing() {
	local p

	for p; do
		! { [ -e "$p" ] || [ -L "$p" ]; } || FAIL_DEPTH=1 fail "'$p' exists"
	done
}

# assert_fails CODE PATTERN COMMAND…: exits with CODE ("any": not 0) and says PATTERN (an extended
# regular expression, "" for nothing in particular) on stdout or stderr.
assert_fails() {
	local want=$1 pattern=$2 out code=0

	shift 2
	out=$("$@" 2>&1 < /dev/null) || code=$?
	if [ "$want" = any ]; then
		[ "$code" != 0 ] || FAIL_DEPTH=1 fail "'$*' succeeded: $out"
	else
		[ "$code" = "$want" ] || FAIL_DEPTH=1 fail "'$*' exited with $code, not $want: $out"
	fi
	grep -Eq -- "$pattern" <<< "$out" ||
		FAIL_DEPTH=1 fail "'$*' says '$out', which does not match /$pattern/"
}

# wait_for 'COMMAND' [SECONDS]: until the shell command succeeds; fails the test when it never does
wait_for() {
	local end=$((SECONDS + ${2:-15} * TEST_SCALE))

	until eval "$1"; do
		[ "$SECONDS" -lt "$end" ] || FAIL_DEPTH=1 fail "never came true: $1"
		sleep 0.05
	done
}

# --- things that tests need -------------------------------------------------------------------

# make_file PATH TEXT: with parent directories
make_file() {
	mkdir -p -- "$(dirname -- "$1")"
	printf '%s\n' "$2" > "$1"
}

# in_userns COMMAND…: in a new user and mount namespace, as its root, with all subordinate ids
in_userns() {
	have_subids || skip "no subordinate ids for $(id -un) in /etc/subuid"
	unshare --user --map-root-user --map-auto --mount -- "$@"
}

have_subids() {
	grep -q "^$(id -un):" /etc/subuid 2> /dev/null && command -v newuidmap > /dev/null
}

# start_registry: a registry on 127.0.0.1; prints HOST:PORT.  It lives as long as the test (or, from
# setup_file, as the file).  Its storage is the directory registry-N beside registry-N.log.
start_registry() {
	local n=1 addr

	command -v docker-registry > /dev/null || skip "docker-registry is not installed"
	while [ -e "registry-$n.yml" ]; do
		n=$((n + 1))
	done
	cat > "registry-$n.yml" << END
version: 0.1
log: { level: info, accesslog: { disabled: false } }
storage:
  filesystem: { rootdirectory: $PWD/registry-$n }
  delete: { enabled: true }
http: { addr: "127.0.0.1:0" }
END
	OTEL_TRACES_EXPORTER=none docker-registry serve "registry-$n.yml" \
		> "registry-$n.log" 2>&1 < /dev/null &
	wait_for "grep -q 'listening on' registry-$n.log" 30
	addr=$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' "registry-$n.log")
	printf '%s\n' "$addr"
}

# start_http DIR: serves the files of DIR on a free port of 127.0.0.1; prints HOST:PORT
start_http() {
	local log

	log=$(mktemp ./http.XXXXXX)
	python3 -u -m http.server --bind 127.0.0.1 --directory "$1" 0 > "$log" 2>&1 < /dev/null &
	wait_for "grep -q 'port [0-9]' '$log'"
	sed -n 's/.*HTTP on \([0-9.]*\) port \([0-9]*\).*/\1:\2/p' "$log"
}

# free_port: a port of 127.0.0.1 that nobody uses now; prints it
free_port() {
	python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# demo_image LAYOUT: a three-layer image with busybox, tag "demo", as an OCI layout at LAYOUT
demo_image() {
	[ -x /bin/busybox ] || [ -x /usr/bin/busybox ] || skip "busybox is not installed"
	"$SRC/scripts/demo-image" "$1"
}

# debian_image: prints the path of a layout with the tag "debian" (tests/fixtures/debian-image)
debian_image() {
	local mirror

	need curl mmdebstrap umoci newuidmap
	mirror=$("$SRC/tests/fixtures/debian-mirror") || skip "apt has no Debian mirror here"
	[ -d "$TEST_CACHE/debian-bookworm" ] ||
		curl -sfI --max-time 20 "$mirror/dists/bookworm/InRelease" > /dev/null ||
		skip "there is no Debian mirror at $mirror"
	printf '%s/layout\n' "$(fixture_cached debian-bookworm "$SRC/tests/fixtures/debian-image")"
}

# fixture_cached NAME COMMAND: the directory $TEST_CACHE/NAME, made by COMMAND DIR at its first
# use; prints its path.  A half-made one is never seen.  COMMAND's temporary files are in /tmp, since
# others cannot enter the test's directory.
fixture_cached() {
	local dir=$TEST_CACHE/$1 tmp

	if [ ! -d "$dir" ]; then
		mkdir -p "$TEST_CACHE"
		(
			flock 9
			[ ! -d "$dir" ] || exit 0
			tmp=$(mktemp -d "$TEST_CACHE/tmp.XXXXXX")
			if ! TMPDIR=/tmp "$2" "$tmp" >&2 9>&-; then
				chmod -R u+rwX "$tmp" && rm -rf "$tmp"
				exit 1
			fi
			mv "$tmp" "$dir"
		) 9> "$TEST_CACHE/lock" || return 1
	fi
	printf '%s\n' "$dir"
}

# mount_overlay MOUNTPOINT LOWERDIRS [OPTION,…]: lamina-overlay with upper/ and work/ beside it
mount_overlay() {
	mkdir -p -- "$1" upper work
	"$LAMINA_OVERLAY" -o "lowerdir=$2,upperdir=upper,workdir=work${3:+,$3}" "$1"
	wait_for "mountpoint -q '$1'"
}

umount_overlay() {
	fusermount3 -u "$1"
	wait_for "! mountpoint -q '$1'"
}

# --- the runner (runner.py does the work) ------------------------------------------------------

# The functions that the file defines, in its order; one that only a quoted text defines is none
list_functions() {
	local name

	sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\) *().*/\1/p' "$TEST_FILE" | while read -r name; do
		declare -F "$name" || :
	done
}

run_tests() {
	local functions

	if [ -z "${TEST_FUNCTION-}" ]; then
		export TEST_TIMEOUT TEST_SCALE TEST_CACHE LAMINA_BUILD
		mapfile -t functions < <(list_functions)
		exec "$TEST_DIR/runner.py" "$TEST_FILE" "${functions[@]}" -- "${TEST_ARGS[@]}"
	fi
	# The runner has started this shell for one function.
	# shellcheck source=/dev/null
	[ "$TEST_FUNCTION" = setup_file ] || [ ! -e "$TEST_STATE/fix" ] || . "$TEST_STATE/fix"
	local function=$TEST_FUNCTION
	unset TEST_FUNCTION
	[ -z "${TEST_TRACE-}" ] || set -x
	set -eu
	"$function"
	if [ "$function" = setup_file ] && [ -n "${!FIX_*}" ]; then
		declare -p "${!FIX_@}" 2> /dev/null |
			sed 's/^declare --*/declare -g/' > "$TEST_STATE/fix"
	fi
	exit 0
}

TEST_ARGS=("$@")
