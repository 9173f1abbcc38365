#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Podman and Buildah work with lamina-overlay as mount_program, and make the layers that they make
# on kernel overlayfs.

. "${0%/*}/lib.sh"

TEST_TIMEOUT=180

# --- helpers ------------------------------------------------------------------------------------

# engine DIR [MOUNT_PROGRAM]: from here on podman and buildah have their store below DIR
engine() {
	mkdir -p "$1/home/.config/containers"
	cat > "$1/storage.conf" << END
[storage]
driver = "overlay"
graphroot = "$1/root"
runroot = "$1/run"
END
	[ -z "${2-}" ] || cat >> "$1/storage.conf" << END
[storage.options.overlay]
mount_program = "$2"
END
	cat > "$1/home/.config/containers/containers.conf" << END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
END
	echo '{ "default": [{ "type": "insecureAcceptAnything" }] }' > "$1/home/.config/containers/policy.json"
	export HOME=$1/home CONTAINERS_STORAGE_CONF=$1/storage.conf DIR=$1
}

pod() {
	podman --root "$DIR/root" --runroot "$DIR/run" "$@" 2>> podman.err
}

run() {
	pod run --rm --network none "$@"
}

load_demo() {
	local id

	id=$(pod pull -q "oci:$FIX_LAYOUT:demo")
	pod tag "$id" localhost/demo:1
}

# build: a file of two stages that removes, renames, changes and copies
build() {
	mkdir -p ctx
	cat > ctx/Containerfile << 'END'
FROM localhost/demo:1 AS one
RUN mkdir -p /out && for i in 1 2 3; do echo $i > /out/$i; done && rm -rf /srv && chmod 700 /out/1
COPY file /out/file
FROM localhost/demo:1
COPY --from=one /out /result
RUN mv /result /moved && rm /etc/motd && mkdir /etc/motd && mv /home/demo /home/other
RUN rm -r /var && mkdir /var && chown -R 7:7 /moved && ln /moved/2 /moved/hard && ln -s x /moved/link
RUN echo more >> /etc/passwd; rm -r /etc/motd; chmod 1777 /tmp /root
END
	echo x > ctx/file
	touch -d @1000000000 ctx/file
	pod build -q --network none --timestamp 1000000000 --layers --no-cache -t localhost/built ctx \
		> /dev/null || fail "$(tail podman.err)"
}

# layers: the listings of all layers of localhost/built, without the layers of the demo image
layers() {
	local blob

	pod save -q --format oci-dir -o "$DIR/saved" localhost/built
	for blob in $(jq -r '.layers[].digest' "$DIR/saved/blobs/sha256/$(jq -r \
		'.manifests[0].digest' "$DIR/saved/index.json" | cut -d: -f2)" | cut -d: -f2); do
		echo "layer"
		tar --numeric-owner -tvzf "$DIR/saved/blobs/sha256/$blob" ||
			tar --numeric-owner -tvf "$DIR/saved/blobs/sha256/$blob"
	done
}

setup_file() {
	need podman buildah runc jq newuidmap
	have_subids || skip "no subordinate ids for $(id -un) in /etc/subuid"
	demo_image "$FILE_DIR/layout"
	FIX_LAYOUT=$FILE_DIR/layout
	engine "$FILE_DIR/probe" "$LAMINA_OVERLAY"
	load_demo || skip "podman stores no image here: $(tail -n 1 podman.err)"
	run localhost/demo:1 true || skip "podman runs no container here: $(tail -n 1 podman.err)"
	pod system reset -f > /dev/null
}

# no_daemons: those that served this test's store have ended with their mounts
no_daemons() {
	wait_for "! grep -l 'fuse.lamina' /proc/[0-9]*/mountinfo 2> /dev/null | xargs -r grep -h '$DIR' | grep -q ." 30
}

# --- tests --------------------------------------------------------------------------------------

t_run_commit_and_diff() {
	engine "$T/ours" "$LAMINA_OVERLAY"
	load_demo
	assert_eq "$(run localhost/demo:1 sh -c 'echo hi > /f; mv /etc /etc2; cat /f /etc2/motd' | tr '\n' ' ')" \
		"hi two layers "
	pod run --network none --name c1 localhost/demo:1 sh -c \
		'echo hi > /f; rm /etc/motd; mkdir /new; mv /home /new/home; chown 5:5 /bin/busybox; ln /f /g'
	assert_eq "$(pod diff c1 | sort | tr '\n' ' ')" \
		"A /f A /g A /new A /new/home A /new/home/demo A /new/home/demo/.profile C /bin/busybox C /etc D /etc/motd D /home "
	pod commit -q c1 localhost/c1 > /dev/null
	assert_eq "$(run localhost/c1 sh -c 'ls /new/home; stat -c %h:%u /f; stat -c %u /bin/busybox; ls /etc/motd 2> /dev/null || echo gone' | tr '\n' ' ')" \
		"demo 2:0 5 gone "
	# The container's own files are still there when it starts again.
	pod start -a c1 > /dev/null || true
	pod system reset -f > /dev/null
	no_daemons
}

t_keep_id() {
	local uid

	uid=$(id -u)
	engine "$T/ours" "$LAMINA_OVERLAY"
	load_demo
	assert_eq "$(run --userns=keep-id localhost/demo:1 sh -c \
		'id -u; stat -c %u:%g /etc/motd /home/demo; touch /tmp/x; stat -c %u /tmp/x' | tr '\n' ' ')" \
		"$uid 0:0 1000:1000 $uid "
	pod system reset -f > /dev/null
	no_daemons
}

t_auto_userns() {
	engine "$T/ours" "$LAMINA_OVERLAY"
	load_demo
	pod run --rm --network none --userns=auto:size=2000 localhost/demo:1 true ||
		skip "podman finds no ids for --userns=auto here: $(tail -n 1 podman.err)"
	assert_eq "$(run --userns=auto:size=2000 localhost/demo:1 sh -c \
		'id -u; stat -c %u:%g /etc/motd /home/demo; touch /tmp/x; chown 5:6 /tmp/x; stat -c %u:%g /tmp/x; wc -l < /proc/self/uid_map' | tr '\n' ' ')" \
		"0 0:0 1000:1000 5:6 1 "
	pod system reset -f > /dev/null
	no_daemons
}

t_a_build_makes_the_layers_that_kernel_overlayfs_makes() {
	engine "$T/ours" "$LAMINA_OVERLAY"
	load_demo
	build
	layers > ours.list
	assert_eq "$(run localhost/built sh -c 'ls /moved | tr "\n" " "; stat -c %u:%h /moved/hard; ls /var | wc -l')" \
		"1 2 3 file hard link 7:2
0"
	pod system reset -f > /dev/null
	no_daemons
	engine "$T/kernel"
	load_demo || skip "podman has no native overlay here: $(tail -n 1 podman.err)"
	build
	layers > kernel.list
	pod system reset -f > /dev/null
	diff kernel.list ours.list || fail "the layers differ"
}

t_buildah() {
	local ctr

	engine "$T/ours" "$LAMINA_OVERLAY"
	load_demo
	ctr=$(buildah --root "$DIR/root" --runroot "$DIR/run" from localhost/demo:1)
	buildah --root "$DIR/root" --runroot "$DIR/run" run --isolation chroot "$ctr" sh -c 'echo x > /x; rm -r /srv'
	buildah --root "$DIR/root" --runroot "$DIR/run" commit -q "$ctr" localhost/from-buildah > /dev/null
	assert_eq "$(run localhost/from-buildah sh -c 'cat /x; ls -d /srv 2> /dev/null || echo gone' | tr '\n' ' ')" \
		"x gone "
	pod system reset -f > /dev/null
	no_daemons
}

run_tests
