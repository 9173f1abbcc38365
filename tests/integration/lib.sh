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

# Processes that lose their parent become ours, so that none outlives its test.
if [ -z "${TEST_SUBREAPER-}" ]; then
	TEST_SUBREAPER=1 exec python3 -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execv("/bin/bash", ["bash"] + sys.argv[1:])' "$0" "$@"
fi
unset TEST_SUBREAPER

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
TEST_CACHE=${TEST_CACHE:-$LAMINA_BUILD/test-cache}
TEST_TIMEOUT=${TEST_TIMEOUT:-120}
# Sanitizers are slow: time limits of tests and of wait_for grow by this factor.
TEST_SCALE=${TEST_SCALE:-1}
export LAMINA LAMINA_OVERLAY LC_ALL=C.UTF-8
unset CDPATH LAMINA_ROOT

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
	done
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

# demo_image LAYOUT: a three-layer image with busybox, tag "demo", as an OCI layout at LAYOUT
demo_image() {
	[ -x /bin/busybox ] || [ -x /usr/bin/busybox ] || skip "busybox is not installed"
	"$SRC/scripts/demo-image" "$1"
}

# fixture_cached NAME FUNCTION: the directory $TEST_CACHE/NAME, made by FUNCTION DIR at its first
# use; prints its path.  A half-made one is never seen.
fixture_cached() {
	local dir=$TEST_CACHE/$1 tmp

	if [ ! -d "$dir" ]; then
		mkdir -p "$TEST_CACHE"
		(
			flock 9
			[ ! -d "$dir" ] || exit 0
			tmp=$(mktemp -d "$TEST_CACHE/tmp.XXXXXX")
			if ! "$2" "$tmp" >&2 9>&-; then
				remove_tree "$tmp"
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

# --- the runner -------------------------------------------------------------------------------

# All processes below this one, those in namespaces included, one pid a line
descendants() {
	ps -e -o pid=,ppid= | awk -v top="$TEST_MAIN" -v self="$BASHPID" '
		{ kids[$2] = kids[$2] " " $1 }
		function walk(p,    n, a, i) {
			n = split(kids[p], a, " ")
			for (i = 1; i <= n; i++)
				if (a[i] != self) {
					print a[i]
					walk(a[i])
				}
		}
		END { walk(top) }'
}

# kill_leftovers KEPT: end what descends from us and is not in the list of pids KEPT
kill_leftovers() {
	local pid left end=$((SECONDS + 10))

	while :; do
		left=
		for pid in $(descendants); do
			case " $1 " in
			*" $pid "*) continue ;;
			esac
			# ps, awk and the like of this very listing are gone again by now
			kill -KILL "$pid" 2> /dev/null && left=1
		done
		[ -n "$left" ] && [ "$SECONDS" -lt "$end" ] || return 0
		sleep 0.02
	done
}

unmount_below() {
	local line

	# The deepest first; the table escapes blanks as \040.
	awk -v d="$1/" 'index($2 "/", d) == 1 { print $2 }' /proc/self/mounts | sort -r |
		while IFS= read -r line; do
			line=$(printf '%b' "$line")
			fusermount3 -u -z "$line" 2> /dev/null || umount -l "$line" 2> /dev/null || :
		done
}

# remove_tree DIR: also files of subordinate ids and directories without permission
remove_tree() {
	rm -rf -- "$1" 2> /dev/null && return
	chmod -R u+rwX -- "$1" 2> /dev/null
	rm -rf -- "$1" 2> /dev/null && return
	if have_subids; then
		unshare --user --map-root-user --map-auto rm -rf -- "$1"
	else
		rm -rf -- "$1"
	fi
}

# Ends the test of the file 'pid' when its time is over; is killed before, normally.
watchdog() {
	sleep "$((TEST_TIMEOUT * TEST_SCALE))"
	: > "$TEST_STATE/timeout"
	kill -KILL "$(cat "$TEST_STATE/pid")"
}

sanitizers_log_to() {
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:log_path=$1 UBSAN_OPTIONS=${UBSAN_OPTIONS-}:log_path=$1
}

run_one() {
	local name=$1 dir=$2 code kept dog

	rm -f "$TEST_STATE"/{skip,timeout}
	kept=" $(descendants | tr '\n' ' ')"
	mkdir -p "$dir/run"
	chmod 700 "$dir/run"
	watchdog > /dev/null 2>&1 &
	dog=$!
	{ (
		T=$dir
		echo "$BASHPID" > "$TEST_STATE/pid"
		export T LAMINA_ROOT=$dir/store XDG_RUNTIME_DIR=$dir/run HOME=$dir TMPDIR=$dir
		[ -z "${TEST_SANITIZED-}" ] || sanitizers_log_to "$dir/sanitizer"
		cd "$dir"
		[ -z "${TEST_TRACE-}" ] || set -x
		set -eu
		"$name"
	) > "$TEST_STATE/log" 2>&1 < /dev/null; } 2> /dev/null
	code=$?
	kill "$dog" 2> /dev/null
	wait "$dog" 2> /dev/null
	kill_leftovers "$kept"
	unmount_below "$dir"
	# A daemon's report is a failure even if the test did not notice.
	if compgen -G "$dir/sanitizer.*" > "$TEST_STATE/reports"; then
		xargs cat < "$TEST_STATE/reports" >> "$TEST_STATE/log"
		code=1
	fi
	return "$code"
}

show_log() {
	[ "$(wc -l < "$TEST_STATE/log")" -le 200 ] || echo "# (the last 200 lines)"
	tail -n 200 "$TEST_STATE/log" | tr -d '\000' | sed 's/^/# /'
}

run_setup() {
	local code=0

	mkdir -p "$FILE_DIR/run"
	chmod 700 "$FILE_DIR/run"
	declare -F setup_file > /dev/null || return 0
	(
		export LAMINA_ROOT=$FILE_DIR/store XDG_RUNTIME_DIR=$FILE_DIR/run
		cd "$FILE_DIR"
		set -eu
		setup_file
		declare -p "${!FIX_@}" 2> /dev/null |
			sed 's/^declare --*/declare -g/' > "$TEST_STATE/fix"
	) > "$TEST_STATE/log" 2>&1 < /dev/null
	code=$?
	[ "$code" != 77 ] || {
		echo "1..0 # SKIP $(cat "$TEST_STATE/skip")"
		exit 0
	}
	[ "$code" = 0 ] || {
		echo "1..1"
		echo "not ok 1 - setup_file"
		show_log
		exit 1
	}
	# shellcheck source=/dev/null
	. "$TEST_STATE/fix"
}

end_run() {
	trap - EXIT
	kill_leftovers ""
	unmount_below "$TEST_TOP"
	[ -n "${TEST_KEPT-}" ] || remove_tree "$TEST_TOP"
}

# In the order of the file; a function that only a quoted text defines is not one
list_tests() {
	local name

	sed -n 's/^\(t_[A-Za-z0-9_]*\) *().*/\1/p' "$TEST_FILE" | while read -r name; do
		declare -F "$name" || :
	done
}

run_tests() {
	local n=0 failed=0 name code list

	set +eu
	TEST_MAIN=$$
	TEST_TOP=$(mktemp -d "${TMPDIR:-/tmp}/lt.XXXXXX") || exit 1
	TEST_STATE=$TEST_TOP/state FILE_DIR=$TEST_TOP/file
	mkdir -p "$TEST_STATE"
	trap end_run EXIT
	trap 'exit 130' INT TERM HUP
	list=${TEST_ARGS:-$(list_tests)}
	run_setup
	for name in $list; do
		n=$((n + 1))
		run_one "$name" "$TEST_TOP/$n"
		code=$?
		if [ -e "$TEST_STATE/timeout" ]; then
			echo "not ok $n - $name"
			echo "# no end within $((TEST_TIMEOUT * TEST_SCALE)) s"
		elif [ "$code" = 0 ]; then
			echo "ok $n - $name"
		elif [ "$code" = 77 ] && [ -e "$TEST_STATE/skip" ]; then
			echo "ok $n - $name # SKIP $(cat "$TEST_STATE/skip")"
			code=0
		else
			echo "not ok $n - $name"
			[ "$code" = 1 ] || echo "# exit status $code"
		fi
		if [ "$code" != 0 ]; then
			failed=1
			show_log
			[ -z "${TEST_KEEP-}" ] || { TEST_KEPT=1; echo "# kept: $TEST_TOP/$n"; continue; }
		fi
		remove_tree "$TEST_TOP/$n" 2>&1 | sed 's/^/# /'
	done
	echo "1..$n"
	exit "$failed"
}

TEST_ARGS=$*
