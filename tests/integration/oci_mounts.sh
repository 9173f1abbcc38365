#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The mounts of lamina-runtime: what the options ask for, and when it takes effect.
. "${0%/*}/lib.sh"
. "${0%/*}/ocilib.sh"

setup_file() {
	setup_oci
}

# with_mount JSON… -- COMMAND…: run a container that has these mounts too
with_mount() {
	local mounts=()

	while [ "$1" != -- ]; do
		mounts+=("$1")
		shift
	done
	bundle ".mounts += [$(IFS=, && echo "${mounts[*]}")]${MORE:+ | $MORE}" "$@"
	"$RT" run c
}

t_read_only_mounts_are_so_when_all_stand() {
	mkdir vol
	# A place is made in one that will be read-only, and something is copied into it.
	assert_eq "$(with_mount '{destination: "/ro", type: "tmpfs", source: "t", options: ["ro"]}' \
		"{destination: \"/ro/vol\", type: \"bind\", source: \"$PWD/vol\", options: [\"bind\"]}" \
		'{destination: "/bin", type: "tmpfs", source: "t", options: ["ro", "tmpcopyup"]}' -- \
		sh -c 'echo text > /ro/vol/f; echo x 2> /dev/null > /ro/x || echo $?; echo x 2> /dev/null > /bin/x || echo $?')" "$(printf '1\n1')"
	assert_content vol/f text
	# Kernel settings are written before /proc is read-only; also through the host's.
	MORE='.mounts |= map(if .type == "proc" then .options = ["ro"] else . end) | .linux.sysctl["kernel.shm_rmid_forced"] = "1"
		| .linux.readonlyPaths = []'
	assert_eq "$(with_mount -- cat /proc/sys/kernel/shm_rmid_forced)" 1
	MORE='.mounts |= map(if .type == "proc" then {destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]} else . end)
		| .linux.namespaces |= map(select(.type != "pid")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []
		| .linux.sysctl["kernel.shm_rmid_forced"] = "1"'
	assert_eq "$(with_mount -- cat /proc/sys/kernel/shm_rmid_forced)" 1
}

t_flags_of_file_systems_and_of_mounts() {
	assert_match "$(with_mount '{destination: "/t", type: "tmpfs", source: "t", options: ["sync", "dirsync", "nosuid"]}' -- \
		grep ' /t ' /proc/self/mountinfo)" ' rw,nosuid,.* rw,sync,dirsync'
	# The host's way of keeping times of access is locked, which is no reason to leave out the rest.
	mkdir vol
	assert_match "$(with_mount "{destination: \"/v\", type: \"bind\", source: \"$PWD/vol\", options: [\"bind\", \"ro\", \"nodiratime\", \"nosuid\"]}" -- \
		grep ' /v ' /proc/self/mountinfo)" ' /v ro,nosuid'
	assert_match "$(with_mount -- grep ' /dev/null ' /proc/self/mountinfo)" ' rw,nosuid,noexec'
}

t_a_tmpfs_looks_like_what_it_hides() {
	mkdir -p rootfs && cp -a "$FIX_BUNDLE/rootfs/." rootfs
	mkdir -m 2750 rootfs/secret
	assert_eq "$(with_mount '{destination: "/secret", type: "tmpfs", source: "t"}' '{destination: "/new", type: "tmpfs", source: "t"}' \
		'{destination: "/tmp", type: "tmpfs", source: "t", options: ["tmpcopyup", "mode=0701"]}' -- stat -c %a /secret /new /tmp | tr '\n' ' ')" \
		'2750 1777 701 '
}

t_an_overlay_of_many_directories() {
	local i lower=''

	for i in $(seq 9); do
		mkdir -p "lower/directory-$i"
		echo "$i" > "lower/directory-$i/f$i"
		lower=$lower${lower:+:}$PWD/lower/directory-$i
	done
	[ ${#lower} -gt 256 ] || fail 'too short'
	assert_eq "$(with_mount "{destination: \"/o\", type: \"overlay\", source: \"overlay\", options: [\"lowerdir=$lower\", \"nosuid\"]}" -- \
		sh -c 'cat /o/f*; grep -c " /o rw,nosuid.* - overlay" /proc/self/mountinfo' | tr '\n' ' ')" '1 2 3 4 5 6 7 8 9 1 '
}

t_a_masked_file_is_read_only() {
	MORE='.linux.maskedPaths = ["/proc/version", "/proc/cpuinfo"]'
	assert_eq "$(with_mount -- grep -c ' /null /proc/[cv].* ro,nosuid,noexec' /proc/self/mountinfo)" 2
}

t_links_are_copied() {
	local link

	ln -s ../some/where link
	link="{destination: \"/new/l\", type: \"bind\", source: \"$PWD/link\", options: [\"bind\", \"copy-symlink\"]}"
	assert_eq "$(with_mount "$link" -- readlink /new/l)" ../some/where
	assert_eq "$(with_mount "$link" -- readlink /new/l)" ../some/where # again: it is there
	ln -sfn /else link
	assert_fails 1 "cannot make the link '/new/l'" with_mount "$link" -- true
	# What is no link is mounted.
	echo text > file
	assert_eq "$(with_mount "{destination: \"/new/f\", type: \"bind\", source: \"$PWD/file\", options: [\"bind\", \"copy-symlink\"]}" -- \
		cat /new/f)" text
}

# In a user namespace whose root we are, on a tmpfs of it: ids of another's file systems cannot be shifted.
shifted() {
	bundle ".mounts += [{destination: \"/v\", type: \"bind\", source: \"$PWD/vol\", options: [\"rbind\", \"$1\"]} + $2]
		| .linux.uidMappings = [{containerID: 0, hostID: 100, size: 1000}] | .linux.gidMappings = [{containerID: 0, hostID: 200, size: 1000}]" \
		-- stat -c %u:%g /v/f
	mkdir -p rootfs/v
	in_userns sh -c 'mount -t tmpfs t vol && touch vol/f && chown 7:9 vol/f && exec "$@"' sh "$RT" --cgroup-manager disabled run c
}

t_ids_are_shifted() {
	chmod 711 "$FILE_DIR" "$T"
	mkdir vol
	assert_eq "$(shifted exec '{}')" 65534:65534
	assert_eq "$(shifted idmap '{}')" 7:9
	assert_eq "$(shifted 'idmap=uids=7-105-1#8-300-2;gids=@0-20-10' '{}')" 5:29
	assert_eq "$(shifted ridmap '{uidMappings: [{containerID: 7, hostID: 101, size: 1}], gidMappings: [{containerID: 9, hostID: 202, size: 1}]}')" 1:2
	assert_fails 1 'no map of ids' shifted 'idmap=uids=7-105' '{}'
	# A file system of the host's.
	with_mount "{destination: \"/v\", type: \"bind\", source: \"$PWD/vol\", options: [\"bind\", \"idmap\"]}" -- true > out 2>&1 && fail 'shifted'
	assert_match "$(cat out)" 'only root of the user namespace that mounted|cannot shift'
}

run_tests
