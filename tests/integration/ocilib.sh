# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What tests of lamina-runtime share: bundles with a root file system of busybox.

RT=$LAMINA_BUILD/lamina-runtime

# A file's setup_file calls it.
setup_oci() {
	local a

	need busybox jq python3
	mkdir -p rootfs/{bin,dev,proc,sys,etc,tmp,root}
	cp "$(command -v busybox)" rootfs/bin/busybox
	for a in sh cat echo env grep id kill ls mount readlink sleep stat tail touch true tty ulimit; do
		ln -s busybox "rootfs/bin/$a"
	done
	"$RT" spec --rootless
	jq '.process.terminal = false | .root.readonly = false | del(.linux.seccomp)' config.json > base.json
	FIX_BUNDLE=$PWD
}

# bundle [JQ-FILTER] -- COMMAND…: a bundle here, ./config.json, with the fixture's root
bundle() {
	local filter=.

	[ "$1" = -- ] || { filter=$1 && shift; }
	shift
	[ -d rootfs ] || cp -a "$FIX_BUNDLE/rootfs" rootfs
	# shellcheck disable=SC2016
	jq "$filter"' | .process.args = $ARGS.positional' "$FIX_BUNDLE/base.json" --args -- "$@" > config.json
}

# wait_status ID STATUS
wait_status() {
	wait_for "[ \"\$('$RT' state '$1' | jq -r .status)\" = '$2' ]"
}

# reaped COMMAND…: as a parent like conmon, which waits for the orphans.  A pid namespace does not
# end before all that were in it are reaped.
reaped() {
	python3 -c '
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
code = subprocess.call(sys.argv[1:])
try:
    while True: os.wait()
except ChildProcessError: sys.exit(code)
' "$@"
}

# What a container is busy with.
# shellcheck disable=SC2034
SLEEPER='while :; do sleep 1; done'
