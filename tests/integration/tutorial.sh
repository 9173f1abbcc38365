#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who types the commands of podman's tutorial with 'alias podman=lamina' gets what it promises.
. "${0%/*}/lib.sh"
. "$TEST_DIR/containerlib.sh"

podman() {
	"$LAMINA" "$@"
}

setup_file() {
	need curl jq
	[ -w /dev/net/tun ] || skip '/dev/net/tun cannot be opened'
	setup_containers
}

t_the_tutorial() {
	local port

	export LAMINA_ROOT=$FIX_STORE
	port=$(free_port)
	assert_match "$(podman images)" '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE'
	# Running a container
	podman run -dt -p "$port:80/tcp" --name web "$FIX_IMAGE" sh -c \
		'mkdir -p /srv/www; echo "It works" > /srv/www/index.html; echo serving; exec httpd -f -vv -p 80 -h /srv/www' > id
	assert_match "$(cat id)" '^[0-9a-f]{64}$'
	# Listing running containers
	assert_match "$(podman ps)" '^ID.*NAMES'
	assert_match "$(podman container ls --format '{{.Names}} {{.State}}')" '^web running$'
	# Testing the httpd container
	wait_for "curl -sf http://127.0.0.1:$port/ > page"
	assert_content page 'It works'
	# Inspecting a running container
	assert_match "$(podman inspect web | grep -e '"IPAddress"')" '10\.0\.2\.100'
	assert_eq "$(podman inspect --format '{{.State.Status}} {{.Name}}' "$(cut -c1-12 id)")" 'running web'
	# Viewing the container's logs, its processes, its ports
	wait_for "podman logs web 2>&1 | grep -q 'GET\|url\|response:200'"
	assert_match "$(podman top web)" '^root +1 +0 .*httpd -f'
	assert_match "$(podman port web)" "^80/tcp -> .*:$port$"
	assert_match "$(podman exec web cat /srv/www/index.html)" 'It works'
	# Changing it, and keeping the change
	echo changed > index.html
	podman cp index.html web:/srv/www/
	assert_eq "$(curl -sf "http://127.0.0.1:$port/")" changed
	assert_match "$(podman diff web)" '^C /srv/www/index.html$'
	podman commit -q web mine > /dev/null
	# Stopping and removing the container
	assert_eq "$(podman stop -t 1 web)" web
	assert_match "$(podman ps -a)" 'Exited'
	podman start web > /dev/null
	wait_for "curl -sf http://127.0.0.1:$port/ > page"
	assert_fails 125 'web' podman rm web
	podman stop --time 0 web > /dev/null
	assert_eq "$(podman rm web)" web
	assert_eq "$(podman run --rm --network none mine cat /srv/www/index.html)" changed
	podman image rm mine > out
	assert_match "$(cat out)" '^Untagged: localhost/mine:latest'
	assert_nothing_left
}

t_prune_takes_what_nothing_uses() {
	export LAMINA_ROOT=$FIX_STORE
	podman create --network none --name ended -v used:/data "$FIX_IMAGE" true > /dev/null
	podman run -d --network none --name live "$FIX_IMAGE" sleep 1000 > /dev/null
	podman volume create unused > /dev/null
	podman network create lan > /dev/null
	podman tag "$FIX_IMAGE" other
	assert_fails 1 'Remove all containers' podman system prune
	podman system prune -f > out
	assert_eq "$(podman ps -a --format '{{.Names}}')" live
	assert_eq "$(podman volume ls -q | tr '\n' ' ')" 'unused used '
	assert_eq "$(podman network ls -q | grep -c lan)" 0
	assert_match "$(cat out)" '^Total reclaimed space: [0-9.]+ k?B$'
	podman system prune -f -a --volumes > out
	assert_eq "$(podman volume ls -q)" ''
	# What the running one was made of stays, with its name.
	podman image exists "$FIX_IMAGE"
	podman stop -t 0 live > /dev/null
	podman container prune -f > out
	assert_match "$(cat out)" '^[0-9a-f]{64}$'
	assert_nothing_left
}

run_tests
