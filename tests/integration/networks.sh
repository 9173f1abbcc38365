#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ports and networks as `lamina` brings them to containers.
. "${0%/*}/lib.sh"
. "${0%/*}/netlib.sh"

setup_file() {
	[ -c /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse cannot be opened"
	[ -w /dev/net/tun ] || skip '/dev/net/tun is not open to users'
	FIX_STORE=$FILE_DIR/store FIX_IMAGE=localhost/layout:demo
	demo_image "$FILE_DIR/layout"
	"$LAMINA" --root "$FIX_STORE" pull -q "oci:$FILE_DIR/layout:demo" > /dev/null
}

# lamina on the host of the test
lam() { host env LAMINA_ROOT="$FIX_STORE" "$LAMINA" "$@"; }

# ctr NAME [OPTION…]: a container that lives as long as the test, with a web server that says its
# name on port 80 and logs its clients
ctr() {
	local name=$1

	shift
	lam run --rm --name "$name" "$@" "$FIX_IMAGE" sh -c "
		mkdir -p /tmp/www && echo $name > /tmp/www/name && echo up
		exec httpd -f -vv -p 80 -h /tmp/www" > "$name.log" 2>&1 < /dev/null &
	wait_for "grep -q up $name.log" 30
}

# get WHERE ADDRESS:PORT: what the web server there says
get() {
	"$1" python3 -c 'import sys, urllib.request
print(urllib.request.urlopen("http://%s/name" % sys.argv[1], timeout=10).read().decode().strip())' "$2"
}

t_published_ports_show_the_client() {
	start_host
	ctr web -p 8080:80
	assert_eq "$(get world 192.0.2.1:8080)" web
	assert_match "$(cat web.log)" '192\.0\.2\.2\]?:[0-9]+: response:200'
	assert_eq "$(get world '[2001:db8::1]:8080')" web
	assert_eq "$(get host 127.0.0.1:8080)" web
	ctr alone -p 8081:80 --network none
	assert_eq "$(get world 192.0.2.1:8081)" alone
	assert_match "$(cat alone.log)" '192\.0\.2\.2\]?:[0-9]+: response:200'
	assert_fails 125 'publishes no ports' lam run --rm --network host -p 8082:80 "$FIX_IMAGE" true
}

t_port_handlers() {
	local handler port=8080

	start_host
	for handler in splice rootlesskit slirp slirp4netns; do
		port=$((port + 1))
		ctr "$handler" -p "$port:80" --network "slirp4netns:port_handler=$handler"
		assert_eq "$(get world "192.0.2.1:$port")" "$handler"
		assert_match "$(cat "$handler.log")" '192\.0\.2\.2\]?:[0-9]+: response:200'
	done
	assert_fails 125 "port handler 'magic'" lam run --network slirp:port_handler=magic "$FIX_IMAGE" true
}

t_ports_of_a_running_container() {
	start_host
	ctr web -p 8080:80 -p 127.0.0.1::53/udp
	assert_match "$(lam port web)" '^80/tcp -> 0\.0\.0\.0:8080$'
	assert_match "$(lam port web)" '^80/tcp -> \[::\]:8080$'
	assert_match "$(lam port web 53/udp)" '^127\.0\.0\.1:[1-9][0-9]*$'
	lam port --add 8081:80 --add 127.0.0.1:8082:80 web
	assert_eq "$(get world 192.0.2.1:8081)" web
	assert_eq "$(get world '[2001:db8::1]:8081')" web
	assert_eq "$(get host 127.0.0.1:8082)" web
	assert_fails 125 'cannot publish 0.0.0.0:8081/tcp: Address already in use' lam port --add 8081:80 web
	lam port --remove 8081:80 web
	assert_fails any 'refused' get world 192.0.2.1:8081
	assert_fails 125 'not published' lam port --remove 8081:80 web
	assert_eq "$(lam port --add 80 web 80 --json | python3 -c 'import json, sys
print(len({e["host_port"] for e in json.load(sys.stdin) if e["guest_port"] == 80}))')" 3
	assert_fails 125 "no container 'nobody'" lam port nobody
	ctr quiet
	assert_fails 125 'has no ports' lam port quiet
}

run_tests
