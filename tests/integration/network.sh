#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The options of --network slirp, as a container of `lamina run` sees them.
. "${0%/*}/lib.sh"
. "${0%/*}/netlib.sh"

setup_file() {
	[ -c /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse cannot be opened"
	[ -w /dev/net/tun ] || skip '/dev/net/tun is not open to users'
	FIX_STORE=$FILE_DIR/store FIX_IMAGE=localhost/layout:demo
	demo_image "$FILE_DIR/layout"
	"$LAMINA" --root "$FIX_STORE" pull -q "oci:$FILE_DIR/layout:demo" > /dev/null
}

# run NETWORK COMMAND…: on the host of the test, whose resolv.conf and routes are the test's. The
# busybox of the image pings by raw sockets alone.
run() {
	local network=$1

	shift
	host env LAMINA_ROOT="$FIX_STORE" "$LAMINA" run --rm --cap-add NET_RAW --network "$network" "$FIX_IMAGE" "$@"
}

# The answer of a peer behind an address, by the busybox of the image
peer_of() {
	run "$1" sh -c "echo peer | nc -w 10 $2 $3"
}

t_names_come_from_all_servers_of_the_host() {
	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	printf 'nameserver 127.0.0.54\nnameserver 127.0.0.53\nsearch example\n' > resolver.conf
	assert_match "$(run slirp cat /etc/resolv.conf | tr '\n' ' ')" '^search example nameserver 10\.0\.2\.3 $'
	assert_match "$(run slirp nslookup -type=a web.example)" '192\.0\.2\.2'
}

t_dns_servers_of_the_networks_own() {
	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	host "$PEER" dns 127.0.0.99 web.example=192.0.2.30 < /dev/null > dns.log 2>&1 &
	wait_for 'grep -q ready dns.log'
	assert_match "$(run slirp:dns=127.0.0.99 nslookup -type=a web.example)" '192\.0\.2\.30'
	printf 'nameserver 127.0.0.53\nnameserver 192.0.2.2\n' > resolver.conf
	assert_eq "$(run slirp:disable_dns=true cat /etc/resolv.conf)" 'nameserver 192.0.2.2'
	assert_fails 125 "'x' is not an IP address" run slirp:dns=x true
}

t_a_network_that_the_host_has_is_not_used() {
	start_host
	assert_match "$(run slirp ip -4 addr show tap0)" 'inet 10\.0\.2\.100/24'
	host ip addr add 10.0.2.15/24 dev veth0
	assert_match "$(run slirp ip -4 addr show tap0)" 'inet 10\.213\.2\.100/24'
	assert_match "$(run slirp cat /etc/resolv.conf)" 'nameserver 10\.213\.2\.3'
	host ip route add 10.0.0.0/8 via 192.0.2.2
	assert_match "$(run slirp ip -4 addr show tap0)" 'inet 172\.29\.2\.100/24'
	assert_match "$(run slirp:cidr=10.9.0.0/24 ip -4 addr show tap0)" 'inet 10\.9\.0\.100/24'
}

t_the_host_has_a_name() {
	start_host
	serve host 127.0.0.1 7001
	serve host 192.0.2.1 7002
	assert_eq "$(peer_of slirp:allow_host_loopback=true host.containers.internal 7001)" 127.0.0.1
	assert_match "$(peer_of slirp host.containers.internal 7002)" '^192\.0\.2\.[0-9]+$'
	assert_match "$(run slirp cat /etc/hosts)" '# .--network slirp:allow_host_loopback=true. opens'
}

t_connections_leave_from_the_chosen_address() {
	start_host
	serve world 192.0.2.2 7000
	serve world 2001:db8::2 7006
	assert_eq "$(peer_of slirp4netns:outbound_addr=192.0.2.77 192.0.2.2 7000)" 192.0.2.77
	assert_eq "$(peer_of slirp:enable_ipv6=true 2001:db8::2 7006)" 2001:db8::1
	host ip addr add 2001:db8::77/64 dev veth0 nodad
	assert_eq "$(peer_of slirp:enable_ipv6=true,outbound_addr6=2001:db8::77 2001:db8::2 7006)" 2001:db8::77
}

t_the_mtu_is_what_was_asked_for() {
	start_host
	assert_match "$(run slirp:mtu=9000 ip link show tap0)" 'mtu 9000 '
	assert_fails 125 'mtu 100 is not between 1280' run slirp:mtu=100,enable_ipv6=true true
}

# A new network namespace lets nobody ping.
t_that_pings_are_forbidden_is_told_once() {
	start_host
	run slirp ping -c 2 -w 3 192.0.2.2 > ping.log 2>&1 || :
	assert_eq "$(grep -c "no-ping .*ping_group_range" ping.log)" 1
	host sh -c 'echo 0 0 > /proc/sys/net/ipv4/ping_group_range'
	run slirp ping -c 1 -w 10 192.0.2.2 > ping.log 2>&1 || fail "$(cat ping.log)"
}

run_tests
