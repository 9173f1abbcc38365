#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Names: what a container asks at its DNS address is answered by any of the host's servers that can.
. "${0%/*}/lib.sh"
. "${0%/*}/netlib.sh"

t_dns_reaches_the_hosts_resolver() {
	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	slirp --disable-host-loopback
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 web.example)" 192.0.2.2
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 web.example tcp)" 192.0.2.2
	assert_fails 1 'no such name' ct "$PEER" lookup 10.0.2.3 other.example
}

t_the_dns_address_opens_nothing_else() {
	start_host
	resolver 127.0.0.1 web.example=192.0.2.2
	serve host 127.0.0.1 7001
	slirp
	assert_fails 1 'refused' ct "$PEER" peer 10.0.2.3 7001
	assert_fails 1 'no answer' ct env NETPEER_TIMEOUT=2 "$PEER" udp 10.0.2.3 7001 100
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 web.example)" 192.0.2.2
}

t_dns_can_be_off() {
	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	slirp --disable-dns
	assert_fails 1 'refused' ct "$PEER" lookup 10.0.2.3 web.example tcp
	assert_fails 1 'timed out' ct env NETPEER_TIMEOUT=5 "$PEER" lookup 10.0.2.3 web.example
}

# A symlink whose target is replaced by rename, as systemd-resolved and NetworkManager do it
t_dns_follows_a_resolv_conf_that_is_replaced() {
	start_host
	mkdir etc resolved
	for f in passwd group ld.so.cache nsswitch.conf; do
		[ ! -e "/etc/$f" ] || cp "/etc/$f" etc/
	done
	echo 'nameserver 127.0.0.53' > resolved/resolv.conf
	ln -s "$T/resolved/resolv.conf" etc/resolv.conf
	host mount --bind etc /etc
	host "$PEER" dns 127.0.0.53 a.example=192.0.2.10 < /dev/null > dns1.log 2>&1 &
	host "$PEER" dns 127.0.0.54 a.example=192.0.2.20 < /dev/null > dns2.log 2>&1 &
	wait_for 'grep -q ready dns1.log && grep -q ready dns2.log'
	slirp
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 a.example)" 192.0.2.10
	echo 'nameserver 127.0.0.54' > resolved/new
	mv resolved/new resolved/resolv.conf
	wait_for '[ "$(ct "$PEER" lookup 10.0.2.3 a.example)" = 192.0.2.20 ]'
}

t_given_servers_replace_the_hosts() {
	start_host
	host "$PEER" dns 127.0.0.99 a.example=192.0.2.30 < /dev/null > dns.log 2>&1 &
	wait_for 'grep -q ready dns.log'
	host "$START" "$CT" dns=127.0.0.99 > /dev/null
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 a.example)" 192.0.2.30
}

# Two servers are named, and nobody is behind the first: it drops what it gets.
t_a_dead_server_costs_a_second_once() {
	local start

	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	printf 'nameserver 192.0.2.99\nnameserver 127.0.0.53\n' > resolver.conf
	slirp
	assert_eq "$(ct env NETPEER_TIMEOUT=40 "$PEER" lookup 10.0.2.3 web.example)" 192.0.2.2
	start=$(date +%s%3N)
	for _ in 1 2 3; do
		assert_eq "$(ct "$PEER" lookup 10.0.2.3 web.example)" 192.0.2.2
	done
	[ $(($(date +%s%3N) - start)) -lt $((1500 * TEST_SCALE)) ] || fail 'the dead one is waited for'
}

t_a_server_that_refuses_costs_nothing() {
	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	printf 'nameserver 127.0.0.54\nnameserver ::1\nnameserver 127.0.0.53\n' > resolver.conf
	slirp
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 web.example)" 192.0.2.2
	assert_eq "$(ct "$PEER" lookup 10.0.2.3 web.example tcp)" 192.0.2.2
}

t_without_servers_the_client_hears_it_at_once() {
	start_host
	touch resolver.conf
	host mount --bind resolver.conf /etc/resolv.conf
	slirp
	assert_fails 1 'no such name' ct "$PEER" lookup 10.0.2.3 web.example
	assert_fails 1 'no such name' ct "$PEER" lookup 10.0.2.3 web.example tcp
}

# Longer than a packet, than the window of a connection, than anything
t_long_answers_arrive_whole() {
	local size

	start_host
	resolver 127.0.0.53
	slirp
	for size in 256 1280 1536 4096 16384 30208; do
		assert_eq "$(ct "$PEER" lookup 10.0.2.3 big.$size edns)" $((size + 34 + ${#size}))
	done
	for size in 256 16384 64000; do
		assert_eq "$(ct "$PEER" lookup 10.0.2.3 big.$size tcp)" $((size + 34 + ${#size}))
	done
}

t_names_over_ipv6() {
	start_host
	resolver ::1 web.example=192.0.2.2
	slirp --enable-ipv6
	assert_eq "$(ct "$PEER" lookup fd00::3 web.example)" 192.0.2.2
	assert_eq "$(ct "$PEER" lookup fd00::3 web.example tcp)" 192.0.2.2
	assert_eq "$(ct "$PEER" lookup fd00::3 big.30208 edns)" $((30208 + 39))
	assert_eq "$(ct "$PEER" lookup fd00::3 big.64000 tcp)" $((64000 + 39))
}

t_many_questions_at_once() {
	start_host
	resolver 127.0.0.53 web.example=192.0.2.2
	slirp
	for _ in $(seq 40); do
		ct "$PEER" lookup 10.0.2.3 web.example &
		ct "$PEER" lookup 10.0.2.3 web.example tcp &
	done > answers
	wait_for '[ "$(grep -c "^192.0.2.2$" answers)" = 80 ]'
}

run_tests
