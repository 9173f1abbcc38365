#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Engines that know slirp4netns alone take lamina-slirp under that name, unchanged.
. "${0%/*}/lib.sh"
TEST_TIMEOUT=180

setup_file() {
	need podman runc busybox
	[ -w /dev/net/tun ] || skip '/dev/net/tun is not open to users'
	mkdir "$FILE_DIR/bin" "$FILE_DIR/image"
	ln -s "$LAMINA_BUILD/lamina-slirp" "$FILE_DIR/bin/slirp4netns"
	cp "$(command -v busybox)" "$FILE_DIR/image/busybox"
	FIX_DIR=$FILE_DIR
	export HOME=$FIX_DIR PATH=$FIX_DIR/bin:$PATH
	tar -C "$FILE_DIR/image" -c . | engine podman import - localhost/bb > /dev/null 2> import.log ||
		skip "podman makes no image here: $(tail -n 1 import.log)"
	engine podman --runtime runc run --rm --network none localhost/bb /busybox true > none.log 2>&1 ||
		skip "podman runs no container here: $(tail -n 1 none.log)"
}

# engine podman|buildah ARG…: with a store of the tests, and our slirp4netns
engine() {
	local name=$1 opts=(--root "$FIX_DIR/store" --runroot "$FIX_DIR/run" --storage-driver vfs)

	shift
	[ "$name" != podman ] || opts+=(--cgroup-manager cgroupfs --events-backend none)
	HOME=$FIX_DIR PATH=$FIX_DIR/bin:$PATH "$name" "${opts[@]}" "$@"
}

# say PORT: what the host hears there
say() { (exec 3<> "/dev/tcp/127.0.0.1/$1" && timeout 10 cat <&3); }

t_podman_runs_a_container_with_network_and_ports() {
	local port=$((20000 + RANDOM % 20000)) said

	engine podman --runtime runc run -d --name web -p "127.0.0.1:$port:80" \
		--network slirp4netns:port_handler=slirp4netns,mtu=1500,cidr=10.9.8.0/24 localhost/bb \
		/busybox nc -ll -p 80 -e /busybox ip addr show tap0 > /dev/null
	wait_for "say $port > said 2> /dev/null && [ -s said ]"
	said=$(cat said)
	assert_match "$said" 'mtu 1500 '
	assert_match "$said" 'inet 10\.9\.8\.100/24'
	assert_match "$(readlink "/proc/$(pgrep -n -u "$(id -u)" -x slirp4netns)/exe")" '/lamina-slirp$'
	engine podman rm -f -t 0 web > /dev/null
}

t_buildah_runs_a_step_with_a_network() {
	local ctr

	need buildah
	ctr=$(engine buildah from localhost/bb)
	assert_match "$(engine buildah run --isolation rootless --runtime runc "$ctr" \
		/busybox ip addr show tap0)" 'inet 10\.0\.2\.100/24'
	engine buildah rm "$ctr" > /dev/null
}

run_tests
