#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real Debian behaves in a container as on a disk, and leaves nothing behind.
. "${0%/*}/lib.sh"
TEST_TIMEOUT=300

# Three layers, made by other tools, pushed to a registry, pulled from it once for the whole file.
setup_file() {
	local layout

	need mmdebstrap umoci skopeo docker-registry newuidmap
	layout=$(debian_image)
	FIX_IMAGE=$(start_registry)/debian:bookworm
	FIX_STORE=$LAMINA_ROOT
	skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$layout:debian" \
		"docker://$FIX_IMAGE"
	"$LAMINA" pull "$FIX_IMAGE"
}

# debian [OPTION…] -- COMMAND…: run COMMAND in a container of the image
debian() {
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	LAMINA_ROOT=$FIX_STORE "$LAMINA" run --rm "${options[@]}" "$FIX_IMAGE" "$@"
}

t_the_store_holds_two_files_a_layer_all_of_the_user() {
	assert_eq "$(find "$FIX_STORE/layers" -mindepth 1 -maxdepth 1 -type d | wc -l)" 3 layers
	assert_eq "$(find "$FIX_STORE/layers" -type f | wc -l)" 6 files
	assert_eq "$(find "$FIX_STORE" ! -user "$(id -un)" | wc -l)" 0 "others' files"
}

t_layer_files_are_the_diff_ids() {
	local dir

	for dir in "$FIX_STORE"/layers/*; do
		assert_eq "sha256-$(sha256sum < "$dir/layer.tar" | cut -d' ' -f1)" "${dir##*/}"
	done
}

t_a_run_without_trouble_says_nothing() {
	for _ in 1 2 3 4 5; do
		debian -- true > out 2>&1
		assert_content out ''
	done
}

t_apt_lists_what_is_installed() {
	debian -- apt list --installed > list 2> errors
	assert_match "$(cat list)" '^python3/'
	assert_match "$(cat list)" '^gcc/'
}

t_python_has_its_libraries() {
	assert_eq "$(debian -- python3 -c 'import ssl, sqlite3; print("fine")')" fine
}

t_a_program_is_compiled_and_runs() {
	printf '#include <stdio.h>\nint main(void) { return !(puts("hello") > 0); }\n' > hello.c
	assert_eq "$(debian -v "$PWD/hello.c:/tmp/hello.c" -- \
		sh -ec 'cd /tmp; gcc -o hello hello.c; ./hello')" hello
}

t_every_file_of_every_package_is_as_dpkg_knows_it() {
	# What the third layer deletes is missing; nothing else differs.
	debian -- dpkg -V > out || :
	[ -s out ] || fail 'dpkg -V does not miss what the third layer deletes'
	assert_eq "$(grep -vE ' /usr/share/doc(/|$)' out)" '' 'dpkg -V'
}

t_a_local_package_is_installed_and_removed() {
	debian -- bash -ec '
		cd /tmp
		mkdir -p p/DEBIAN p/usr/share/lamina-probe
		echo data > p/usr/share/lamina-probe/file
		printf "Package: lamina-probe\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n" > p/DEBIAN/control
		dpkg-deb -b p local.deb
		apt-get -q -y install ./local.deb
		[ "$(cat /usr/share/lamina-probe/file)" = data ]
		dpkg -s lamina-probe
		apt-get -q -y remove lamina-probe
		[ ! -e /usr/share/lamina-probe ]'
}

t_the_third_layer_deletes_and_replaces() {
	debian -- sh -ec '
		[ ! -e /usr/share/doc ]
		[ "$(readlink /srv)" = var/srv ]
		cd /srv/'
}

t_a_big_tree_is_deleted_in_the_container_alone() {
	debian -- sh -ec 'rm -rf /usr/share; [ ! -e /usr/share ]; ls / > /dev/null'
	debian -- sh -ec '[ -d /usr/share/python3 ]'
}

t_owners_and_modes_are_those_of_the_image() {
	assert_eq "$(debian -- stat -c '%U:%G %a' /etc/shadow)" 'root:shadow 640'
	assert_eq "$(debian -- stat -c '%a' /usr/bin/passwd)" 4755
	assert_eq "$(debian -- stat -c '%a' /tmp)" 1777
}

t_exit_codes_are_the_containers_own() {
	assert_fails 42 '' debian -- sh -c 'exit 42'
	assert_fails 127 'no-such-program' debian -- no-such-program
	assert_fails 126 'etc/passwd' debian -- /etc/passwd
}

t_a_published_port_reaches_the_server_in_the_container() {
	local port

	port=$(free_port)
	debian -p "127.0.0.1:$port:8000" -- sh -ec '
		mkdir /tmp/www; echo "from the container" > /tmp/www/page
		exec python3 -m http.server --directory /tmp/www 8000' > server.log 2>&1 &
	wait_for "curl -sf http://127.0.0.1:$port/page > page" 60
	assert_content page 'from the container'
}

t_the_host_is_reached_only_when_allowed() {
	local port fetch

	mkdir www
	echo 'from the host' > www/page
	port=$(start_http www)
	port=${port##*:}
	fetch="import urllib.request as u; print(u.urlopen('http://10.0.2.2:$port/page', timeout=20).read().decode(), end='')"
	assert_eq "$(debian --network slirp:allow_host_loopback=true -- python3 -c "$fetch")" 'from the host'
	assert_fails 1 'refused|unreachable|timed out' debian --network slirp -- python3 -c "$fetch"
}

# What a container may leave: processes, mounts, files of the store and of the runtime directory
traces() {
	pgrep -u "$(id -u)" -c -f "^$LAMINA( |$)" || :
	cat /proc/self/mounts
	find "$FIX_STORE" "$XDG_RUNTIME_DIR" ! -path '*/images/*' -printf '%P %y\n' | sort
}

t_nothing_is_left_of_a_container_that_has_ended() {
	debian -- true	# what a first run makes for good
	wait_for '! pgrep -u "$(id -u)" -f "^$LAMINA( |$)" > /dev/null'
	traces > before
	debian -- sh -c 'sleep 1000 & echo data > /root/file'
	wait_for '! pgrep -u "$(id -u)" -f "^$LAMINA( |$)" > /dev/null'
	traces > after
	diff before after
}

t_walking_the_tree_opens_no_layer_file() {
	need strace
	mkdir mnt
	LAMINA_ROOT=$FIX_STORE "$LAMINA" unshare sh -ec '
		strace -f -qq -o trace -e trace=openat,open,openat2,pread64,preadv,readv,mmap \
			"$1" mount "$2" mnt &
		for i in $(seq 200); do mountpoint -q mnt && break; sleep 0.05; done
		ls mnt > /dev/null
		wc -l < trace > before
		find mnt -ls > list
		wc -l < trace > after
		"$1" umount mnt
		wait' sh "$LAMINA" "$FIX_IMAGE"
	[ "$(wc -l < list)" -gt 5000 ] || fail "only $(wc -l < list) entries were seen"
	sed -n "$(($(cat before) + 1)),$(cat after)p" trace |
		grep -E 'layer\.tar|layer\.idx|pread' && fail "files were opened"
	return 0
}

run_tests
