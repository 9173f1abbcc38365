#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The network process: a namespace without privileges reaches the world, and only what it may.
. "${0%/*}/lib.sh"
. "${0%/*}/netlib.sh"

t_configure_gives_addresses_routes_and_lo() {
	start_host
	slirp --macaddress=02:11:22:33:44:55
	assert_match "$(ct ip -4 addr show tap0)" 'mtu 1500 .*|inet 10\.0\.2\.100/24'
	assert_match "$(ct ip -4 addr show tap0)" 'inet 10\.0\.2\.100/24'
	assert_match "$(ct ip link show tap0)" '02:11:22:33:44:55'
	assert_match "$(ct ip route)" 'default via 10\.0\.2\.2 dev tap0'
	assert_match "$(ct ip link show lo)" 'LOOPBACK,UP'
	assert_eq "$(ct cut -f2 /proc/sys/net/ipv4/tcp_rmem)" 87380
}

t_options_change_network_mtu_and_name() {
	start_host
	CT="$CT eth7" # the interface name stands behind the target
	rm -f ready && mkfifo ready
	# shellcheck disable=SC2086
	host "$SLIRP" -c -r 9 -m 9000 --cidr=172.30.0.0/16 $CT 9> ready < /dev/null &
	read -r -t 10 -n 1 < ready
	CT=${CT% *}
	assert_match "$(ct ip addr show eth7)" 'mtu 9000'
	assert_match "$(ct ip addr show eth7)" 'inet 172\.30\.0\.100/16'
	serve world 192.0.2.2 7000
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1
}

t_wrong_command_lines_are_told() {
	assert_fails 1 "'--frobnicate' is unknown" "$SLIRP" --frobnicate 1
	assert_fails 1 'needs a target' "$SLIRP"
	assert_fails 1 'not an MTU' "$SLIRP" --mtu=65522 1
	assert_fails 1 'prefix length needs to be 1-25' "$SLIRP" --cidr=10.0.2.0/26 $$
	assert_fails 1 'not an IPv4 network' "$SLIRP" --cidr=24 $$
	assert_fails 1 'not a process id' "$SLIRP" tap0
	assert_fails 1 'not an open file descriptor' "$SLIRP" --exit-fd=99 1
	assert_fails 1 'needs --configure' "$SLIRP" --macaddress=02:00:00:00:00:01 1
	assert_fails 1 'no process' "$SLIRP" 2147483647
	assert_fails 1 'cannot open' "$SLIRP" --netns-type=path ./missing
	assert_match "$("$SLIRP" --version | head -n 1)" '^lamina-slirp version [0-9.]+$'
	assert_match "$("$SLIRP" --help)" '--api-socket=PATH'
}

t_the_world_sees_the_host() {
	start_host
	slirp
	serve world 192.0.2.2 7000
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1
	assert_eq "$(ct "$PEER" udp 192.0.2.2 7000 100)" 192.0.2.1
	ct ping -c 1 -W 5 10.0.2.2 > ping.log || fail "$(cat ping.log)"
}

t_transfers_are_whole_both_ways() {
	start_host
	slirp
	serve world 192.0.2.2 7000
	assert_eq "$(ct "$PEER" send 192.0.2.2 7000 "$MIB64")" ok
	assert_eq "$(ct "$PEER" recv 192.0.2.2 7000 "$MIB64")" ok
	assert_match "$(ct ip link show tap0)" 'mtu 1500'
}

t_transfers_are_whole_without_offload() {
	start_host
	slirp --no-offload
	serve world 192.0.2.2 7000
	assert_eq "$(ct "$PEER" send 192.0.2.2 7000 $((MIB64 / 4)))" ok
	assert_eq "$(ct "$PEER" recv 192.0.2.2 7000 $((MIB64 / 4)))" ok
	assert_eq "$(ct "$PEER" udp 192.0.2.2 7000 9000)" 192.0.2.1
}

t_transfers_are_whole_with_a_long_mtu() {
	start_host
	slirp --mtu=65520
	serve world 192.0.2.2 7000
	assert_eq "$(ct "$PEER" send 192.0.2.2 7000 "$MIB64")" ok
	# A receiver that waits for a second segment before it acknowledges would take forty seconds.
	assert_eq "$(ct timeout $((25 * TEST_SCALE)) "$PEER" recv 192.0.2.2 7000 "$MIB64")" ok
}

t_datagrams_of_every_length() {
	local size

	start_host
	slirp
	serve world 192.0.2.2 7000
	for size in 4 64 1471 1472 1473 4000 9000 40000 65507; do
		assert_eq "$(ct "$PEER" udp 192.0.2.2 7000 "$size" 3)" 192.0.2.1 "$size bytes"
	done
	assert_eq "$(ct "$PEER" udpburst 192.0.2.2 7000 1200 40)" ok
}

t_two_transfers_at_once_and_two_networks() {
	local pids=() pid first

	start_host
	slirp
	first=$CT
	start_ct ct2
	slirp
	serve world 192.0.2.2 7000
	for pid in "$first" "$CT"; do
		CT=$pid
		ct "$PEER" send 192.0.2.2 7000 $((MIB64 / 2)) > "send-$pid" &
		pids+=($!)
		ct "$PEER" recv 192.0.2.2 7000 $((MIB64 / 2)) > "recv-$pid" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || fail 'a transfer failed'
	done
}

t_the_hosts_loopback_is_closed_unless_asked() {
	start_host
	serve host 127.0.0.1 7001
	slirp --disable-host-loopback
	assert_fails 1 'refused' ct "$PEER" peer 10.0.2.2 7001
	assert_fails 1 'no answer' ct env NETPEER_TIMEOUT=2 "$PEER" udp 10.0.2.2 7001 100
	ct ping -c 1 -W 5 10.0.2.2 > ping.log || fail "$(cat ping.log)"
	kill "$SLIRP_PID"
	wait_for "is_gone $SLIRP_PID"
	slirp
	assert_eq "$(ct "$PEER" peer 10.0.2.2 7001)" 127.0.0.1
	assert_eq "$(ct "$PEER" udp 10.0.2.2 7001 100)" 127.0.0.1
}

# Whoever is root in the container can send any address past its own routing.
t_no_spelling_of_loopback_gets_through() {
	local mode addr

	start_host
	serve host 127.0.0.1 7001
	for mode in --disable-host-loopback ''; do
		# shellcheck disable=SC2086
		slirp $mode
		for addr in 127.0.0.1 0.0.0.0 127.9.9.9; do
			ct "$PEER" rawsyn tap0 "$addr" 7001
		done
		[ -z "$mode" ] || ct "$PEER" rawsyn tap0 255.255.255.255 7001
		[ -z "$mode" ] || ct "$PEER" rawsyn tap0 10.0.2.2 7001
		ct ping -c 1 -W 5 10.0.2.2 > ping.log # answered after all of them
		assert_eq "$(grep -c accepted peer-7001.log || :)" 0 "connections with '$mode'"
		if [ -z "$mode" ]; then # the way is really open: one that may come does
			ct "$PEER" rawsyn tap0 10.0.2.2 7001
			wait_for 'grep -q accepted peer-7001.log'
		fi
		kill "$SLIRP_PID"
		wait_for "is_gone $SLIRP_PID"
	done
}

t_published_ports_by_api() {
	start_host
	slirp --disable-host-loopback --api-socket=api.sock
	serve ct 0.0.0.0 80
	forward tcp 0.0.0.0 8080 80
	forward udp 0.0.0.0 8080 80
	assert_eq "$(host "$PEER" send 127.0.0.1 8080 "$MIB64")" ok
	assert_eq "$(host "$PEER" recv 127.0.0.1 8080 "$MIB64")" ok
	# Who calls is seen: the world by its address, the host as the gateway.
	assert_eq "$(world "$PEER" peer 192.0.2.1 8080)" 192.0.2.2
	assert_eq "$(world "$PEER" udp 192.0.2.1 8080 5000 20)" 192.0.2.2
	assert_eq "$(host "$PEER" peer 127.0.0.1 8080)" 10.0.2.2
	assert_eq "$(host "$PEER" udp 127.0.0.1 8080 100 20)" 10.0.2.2
	assert_match "$(api '{"execute":"list_hostfwd"}')" '"id":1,"proto":"tcp".*"id":2,"proto":"udp"'
	assert_eq "$(api '{"execute":"remove_hostfwd","arguments":{"id":1}}')" '{"return":{}}'
	assert_fails 1 refused host "$PEER" peer 127.0.0.1 8080
	forward tcp 127.0.0.1 8080 80
	assert_fails 1 refused world "$PEER" peer 192.0.2.1 8080
	assert_eq "$(host "$PEER" peer 127.0.0.1 8080)" 10.0.2.2
	# The way that is open for answers is open for nothing else.
	serve host 127.0.0.1 7001
	assert_fails 1 'refused' ct "$PEER" peer 10.0.2.2 7001
	assert_fails 1 'no answer' ct env NETPEER_TIMEOUT=2 "$PEER" udp 10.0.2.2 7001 100
}

t_the_api_bears_wrong_and_slow_clients() {
	start_host
	slirp --api-socket=api.sock
	assert_match "$(api '{')" 'bad request: cannot parse JSON'
	assert_match "$(api "$(printf '%5000s' x)")" 'bad request: too large message'
	serve host 0.0.0.0 8080
	assert_match "$(api '{"execute":"add_hostfwd","arguments":{"proto":"tcp","host_port":8080,
		"guest_port":80}}')" 'cannot publish 0.0.0.0:8080/tcp: Address already in use'
	# More connections than places, and none says anything
	python3 -c 'import socket, sys
socks = [socket.socket(socket.AF_UNIX) for _ in range(40)]
[s.connect("api.sock") for s in socks]
print("held", flush=True)
sys.stdin.read()' < <(sleep 60) > held.log &
	wait_for 'grep -q held held.log'
	assert_match "$(api '{"execute":"list_hostfwd"}')" '"entries":\[\]'
}

t_ipv6_out_and_in() {
	start_host
	slirp --enable-ipv6 --disable-host-loopback --api-socket=api.sock
	serve world 2001:db8::2 7000
	serve ct :: 80
	serve host ::1 7001
	assert_eq "$(ct "$PEER" peer 2001:db8::2 7000)" 2001:db8::1
	assert_eq "$(ct "$PEER" send 2001:db8::2 7000 "$MIB64")" ok
	assert_eq "$(ct "$PEER" recv 2001:db8::2 7000 "$MIB64")" ok
	assert_eq "$(ct "$PEER" udp 2001:db8::2 7000 1400 5)" 2001:db8::1
	assert_eq "$(ct "$PEER" udp 2001:db8::2 7000 1200 5)" 2001:db8::1
	assert_eq "$(ct "$PEER" udpburst 2001:db8::2 7000 1200 40)" ok
	assert_fails 1 refused ct "$PEER" peer fd00::2 7001
	forward tcp :: 8080 80
	forward udp :: 8080 80
	assert_eq "$(world "$PEER" peer 2001:db8::1 8080)" 2001:db8::2
	assert_eq "$(world "$PEER" recv 2001:db8::1 8080 $((MIB64 / 8)))" ok
	assert_eq "$(world "$PEER" udp 2001:db8::1 8080 1200 5)" 2001:db8::2
	assert_eq "$(host "$PEER" udp ::1 8080 100 5)" fd00::2
}

t_outbound_addresses_are_applied() {
	start_host
	serve world 192.0.2.2 7000
	slirp --outbound-addr=192.0.2.77
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.77
	assert_eq "$(ct "$PEER" udp 192.0.2.2 7000 100)" 192.0.2.77
	kill "$SLIRP_PID"
	wait_for "is_gone $SLIRP_PID"
	slirp --outbound-addr=veth0
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1
	assert_fails 1 "'veth9' is no IPv4 address" host "$SLIRP" --outbound-addr=veth9 "$CT"
}

# A bridge behind the tap, and an interface on it whose MTU is smaller: what it cannot take must be cut.
t_a_smaller_mtu_behind_the_tap() {
	local outer

	start_host
	slirp --api-socket=api.sock
	serve world 192.0.2.2 7000
	outer=$CT
	ct ip addr flush dev tap0
	ct ip link add br0 type bridge
	ct ip link set br0 up
	ct ip link set tap0 master br0
	spawn inner.pid ct unshare --net
	ct ip link add v0 type veth peer name v1 netns "$(cat inner.pid)"
	ct ip link set v0 up master br0 mtu 1280
	inner() { nsenter --preserve-credentials -t "$outer" -U nsenter --preserve-credentials \
		-t "$(cat inner.pid)" -n "$@"; }
	inner ip link set lo up
	inner ip link set v1 up mtu 1280
	inner ip addr add 10.0.2.100/24 dev v1
	inner ip route add default via 10.0.2.2
	assert_eq "$(inner "$PEER" recv 192.0.2.2 7000 $((MIB64 / 8)))" ok
	assert_eq "$(inner "$PEER" send 192.0.2.2 7000 $((MIB64 / 8)))" ok
	serve inner 0.0.0.0 80
	forward tcp 127.0.0.1 8080 80
	assert_eq "$(host "$PEER" send 127.0.0.1 8080 $((MIB64 / 8)))" ok
}

t_ends_with_its_namespace() {
	local watcher

	start_host
	slirp
	watcher=$(pgrep -P "$SLIRP_PID")
	kill -9 "$CT"
	wait_for "is_gone $SLIRP_PID && is_gone $watcher"
}

t_ends_with_the_exit_fd() {
	start_host
	mkfifo ./exit
	exec 8<> ./exit
	slirp --exit-fd=8 8<&8
	echo x >&8
	wait_for "is_gone $SLIRP_PID"
	assert_content slirp.log ''
}

t_ends_with_its_tap() {
	start_host
	slirp
	ct ip link del tap0
	wait_for "is_gone $SLIRP_PID"
}

t_survives_being_stopped() {
	local pid

	start_host
	slirp
	serve world 192.0.2.2 7000
	ct "$PEER" recv 192.0.2.2 7000 "$MIB64" > transfer &
	pid=$!
	wait_for 'grep -q accepted peer-7000.log'
	kill -STOP "$SLIRP_PID"
	wait_for "grep -q '^State:.T' /proc/$SLIRP_PID/status"
	kill -CONT "$SLIRP_PID"
	wait "$pid"
	assert_content transfer ok
}

# A lack of fds refuses connections; it does not spin, and ends when there are fds again.
t_survives_a_lack_of_fds() {
	local before after pid

	start_host
	(ulimit -n 40 && slirp --api-socket=api.sock && echo "$SLIRP_PID" > slirp.pid)
	SLIRP_PID=$(cat slirp.pid)
	serve ct 0.0.0.0 80
	forward tcp 127.0.0.1 8080 80
	mkfifo ./hold
	exec 7<> hold
	host_exec "$PEER" hold 127.0.0.1 8080 40 <&7 > held.log &
	pid=$!
	wait_for 'grep -q held held.log'
	before=$(awk '{ print $14 + $15 }' "/proc/$SLIRP_PID/stat")
	sleep 1 # what is measured is time
	after=$(awk '{ print $14 + $15 }' "/proc/$SLIRP_PID/stat")
	[ $((after - before)) -lt 30 ] || fail "$((after - before)) ticks of CPU in a second of want"
	kill "$pid"
	# libslirp keeps each closed connection for ten seconds more.
	wait_for '[ "$(host "$PEER" peer 127.0.0.1 8080)" = 10.0.2.2 ]' 45
}

n_fds() { host sh -c "ls /proc/$SLIRP_PID/fd | wc -l"; }

# Of 400 fds a quarter is for UDP, and three quarters of the rest for one address.
t_a_flood_has_limits() {
	start_host
	(ulimit -n 400 && slirp && echo "$SLIRP_PID" > slirp.pid)
	SLIRP_PID=$(cat slirp.pid)
	serve world 192.0.2.2 7000
	ct "$PEER" udpflood 192.0.2.9 7000 2000
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1 'over TCP all is well'
	[ "$(n_fds)" -lt 140 ] || fail "$(host ls -l "/proc/$SLIRP_PID/fd")"
	assert_match "$(cat slirp.log)" 'too-many-flows'
	# Connections that are too many wait until others end.
	mkfifo ./hold
	exec 7<> hold
	ct env NETPEER_TIMEOUT=60 "$PEER" hold 192.0.2.2 7000 180 < hold > held.log 7>&- &
	wait_for 'grep -qs held held.log'
	ct env NETPEER_TIMEOUT=60 "$PEER" hold 192.0.2.2 7000 7 < hold > more.log 7>&- &
	wait_for '[ "$(n_fds)" -gt 265 ]'
	assert_fails 1 'timed out' ct env NETPEER_TIMEOUT=2 "$PEER" peer 192.0.2.2 7000
	[ "$(n_fds)" -lt 300 ] || fail 'every fd is in use'
	exec 7>&-
	wait_for '[ "$(ct "$PEER" peer 192.0.2.2 7000)" = 192.0.2.1 ]' 30
}

rss_kb() { awk '/VmRSS/ { print $2 }' "/proc/$SLIRP_PID/status"; }

# What idle connections have carried is forgotten: 10,000 of them would cost 7 MB.
t_idle_connections_are_cheap() {
	local before

	! nm "$SLIRP" 2> /dev/null | grep -q __asan_init || skip 'memory is checked, and costs more'
	start_host
	slirp
	serve world 192.0.2.2 7000
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1
	before=$(rss_kb)
	mkfifo ./hold
	exec 7<> hold
	ct "$PEER" talk 192.0.2.2 7000 1000 <&7 > held.log &
	wait_for 'grep -qs held held.log' 60
	wait_for "[ \$((\$(rss_kb) - before)) -lt 3000 ]" 30
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1
}

# mixed_traffic: a bit of everything, each way
mixed_traffic() {
	assert_eq "$(ct "$PEER" peer 192.0.2.2 7000)" 192.0.2.1
	assert_eq "$(ct "$PEER" recv 192.0.2.2 7000 8000000)" ok
	assert_eq "$(ct "$PEER" send 192.0.2.2 7000 8000000)" ok
	assert_eq "$(ct "$PEER" udp 192.0.2.2 7000 3000 5)" 192.0.2.1
	assert_eq "$(ct "$PEER" udp 2001:db8::2 7001 1000 5)" 2001:db8::1
	assert_eq "$(ct "$PEER" peer 2001:db8::2 7001)" 2001:db8::1
	assert_eq "$(world "$PEER" recv 192.0.2.1 8080 1000000)" ok
	assert_fails 1 'refused' ct "$PEER" peer 192.0.2.2 7999
}

# SOAK=SECONDS: for longer.  Closed connections and UDP keep their fds for some time.
t_memory_and_fds_stay_what_they_are() {
	local rss fds rounds=0 end

	start_host
	slirp --enable-ipv6 --api-socket=api.sock
	serve world 192.0.2.2 7000
	serve world 2001:db8::2 7001
	serve ct 0.0.0.0 80
	forward tcp 0.0.0.0 8080 80
	mixed_traffic
	rss=$(rss_kb) fds=$(n_fds)
	end=$((SECONDS + ${SOAK:-2}))
	while [ $SECONDS -lt $end ] || [ $rounds = 0 ]; do
		mixed_traffic
		rounds=$((rounds + 1))
	done
	[ "$(rss_kb)" -lt $((rss + 6000 * TEST_SCALE)) ] || fail "$rss kB became $(rss_kb) in $rounds rounds"
	# The UDP sockets of four minutes, two a round, and what was closed less than ten seconds ago
	[ "$(n_fds)" -lt $((fds + 8 * (rounds < 300 ? rounds : 300) + 8)) ] ||
		fail "$fds fds became $(n_fds) in $rounds rounds"
}

t_the_process_has_no_rights() {
	local status

	start_host
	slirp
	status=$(host cat "/proc/$SLIRP_PID/status")
	assert_match "$status" 'CapEff:.0000000000000000'
	assert_match "$status" 'CapPrm:.0000000000000000'
	assert_match "$status" 'CapBnd:.0000000000000000'
	assert_match "$status" 'NoNewPrivs:.1'
	assert_match "$status" 'Seccomp:.2'
	assert_eq "$(host find "/proc/$SLIRP_PID/root/" -mindepth 1)" '' 'its root'
}

t_an_ordinary_user_on_the_real_host() {
	local answer=

	[ -w /dev/net/tun ] || skip '/dev/net/tun is not open to users'
	spawn ct.pid unshare --user --map-root-user --net
	CT=$(cat ct.pid)
	mkfifo ready
	"$SLIRP" -c -r 9 "$CT" 9> ready < /dev/null 2> slirp.log &
	SLIRP_PID=$!
	read -r -t 10 -n 1 answer < ready || :
	assert_eq "$answer" 1 'ready'
	assert_content slirp.log ''
	"$PEER" serve 127.0.0.1 0 > peer.log &
	ct ping -c 1 -W 5 10.0.2.2 > ping.log || fail "$(cat ping.log)"
	assert_match "$(cat "/proc/$SLIRP_PID/status")" 'CapEff:.0000000000000000'
	assert_match "$(cat "/proc/$SLIRP_PID/status")" 'Seccomp:.2'
	kill -9 "$CT"
	wait_for "is_gone $SLIRP_PID"
}

t_targets_by_path_and_by_tap() {
	local answer=

	start_host
	mkfifo ready
	host_exec "$SLIRP" -c -r 9 --netns-type=path --userns-path="/proc/$CT/ns/user" \
		"/proc/$CT/ns/net" 9> ready < /dev/null &
	SLIRP_PID=$!
	read -r -t 10 -n 1 answer < ready
	ct ping -c 1 -W 5 10.0.2.2 > ping.log || fail "$(cat ping.log)"
	kill "$SLIRP_PID"
	wait_for "is_gone $SLIRP_PID"
	assert_fails 1 'not a tap' "$SLIRP" --netns-type=tapfd 0
}

t_the_engines_call_returns_when_ports_listen() {
	local pid rest watcher

	start_host
	serve ct 0.0.0.0 80
	host "$START" "$CT" tcp,0.0.0.0,8080,80 udp,127.0.0.1,8081,80 > started
	read -r pid rest < started
	assert_eq "$rest" '8080 8081' 'ports'
	# No waiting here: it has returned, so packets flow.
	assert_eq "$(host "$PEER" peer 127.0.0.1 8080)" 10.0.2.2
	assert_eq "$(host "$PEER" udp 127.0.0.1 8081 100)" 10.0.2.2
	assert_match "$(cat "/proc/$pid/stat")" "^$pid \(lamina-slirp\)"
	assert_eq "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid" 'session'
	watcher=$(pgrep -P "$pid")
	kill -9 "$CT"
	wait_for "is_gone $pid && is_gone $watcher"
}

t_free_ports_are_chosen_and_told() {
	local tcp udp

	start_host
	serve ct 0.0.0.0 80
	host "$START" "$CT" tcp,127.0.0.1,0,80 udp,127.0.0.1,0,80 > started
	read -r _ tcp udp < started
	assert_eq "$(host "$PEER" peer 127.0.0.1 "$tcp")" 10.0.2.2
	assert_eq "$(host "$PEER" udp 127.0.0.1 "$udp" 100)" 10.0.2.2
}

t_the_engine_is_told_which_port_is_taken() {
	start_host
	serve host 127.0.0.1 8080
	assert_fails 1 'cannot publish 0.0.0.0:8080/tcp: Address already in use' \
		host "$START" "$CT" udp,0.0.0.0,8081,80 tcp,0.0.0.0,8080,80
	assert_fails 1 'Cannot assign requested address' \
		host "$START" "$CT" tcp,198.51.100.1,8080,80
	! ct ip link show tap0 2> /dev/null || fail 'the tap stayed'
}

t_low_ports_name_the_remedy() {
	[ -w /dev/net/tun ] || skip '/dev/net/tun is not open to users'
	[ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 81 ] || skip 'every port is free here'
	spawn ct.pid unshare --user --map-root-user --net
	assert_fails 1 'cannot publish 0.0.0.0:81/tcp: Permission denied' \
		"$START" "$(cat ct.pid)" tcp,0.0.0.0,81,80
	assert_fails 1 'hint: ports below .*ip_unprivileged_port_start=81' \
		"$START" "$(cat ct.pid)" tcp,0.0.0.0,81,80
}

run_tests
