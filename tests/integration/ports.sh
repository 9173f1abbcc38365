#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The port relay: published ports reach the container, and the server sees who calls.
. "${0%/*}/lib.sh"
. "${0%/*}/netlib.sh"

# relay KIND [FORWARD…]: in front of $CT; sets RELAY_PID
relay() {
	host "$START" "$CT" "$@" > started
	read -r RELAY_PID _ < started
}

# plain_net: a network without slirp, so that nothing but the relay can bring an answer
plain_net() {
	ct ip link set lo up
	ct ip link add eth0 type veth peer name far
	ct ip addr add 10.0.2.100/24 dev eth0
	ct ip addr add fd00::100/64 dev eth0 nodad
	ct ip link set eth0 up
	ct ip link set far up
	ct ip route add default via 10.0.2.2
	ct ip route add default via fd00::2
}

t_tcp_server_sees_the_client() {
	start_host
	plain_net
	relay relay6 tcp,0.0.0.0,8080,80 tcp,::,8080,81
	serve ct 0.0.0.0 80
	serve ct :: 81
	assert_eq "$(world "$PEER" peer 192.0.2.1 8080)" 192.0.2.2
	assert_eq "$(world "$PEER" peer 2001:db8::1 8080)" 2001:db8::2
	assert_eq "$(host "$PEER" peer 127.0.0.1 8080)" 10.0.2.2 'the gateway'
	assert_eq "$(host "$PEER" peer ::1 8080)" fd00::2 'the gateway'
}

t_udp_server_sees_the_client() {
	start_host
	plain_net
	relay relay6 udp,0.0.0.0,8080,80 udp,::,8080,81
	serve ct 0.0.0.0 80
	serve ct :: 81
	assert_eq "$(world "$PEER" udp 192.0.2.1 8080 100 20)" 192.0.2.2
	assert_eq "$(world "$PEER" udp 192.0.2.77 8080 60000 3)" 192.0.2.2 'another address of the host'
	assert_eq "$(host "$PEER" udp 127.0.0.1 8080 1)" 10.0.2.2
	assert_eq "$(world "$PEER" udp 2001:db8::1 8080 1000 5)" 2001:db8::2
	assert_eq "$(host "$PEER" udp ::1 8080 1000)" fd00::2
}

t_clients_of_the_other_ip_version_come_as_the_gateway() {
	start_host
	plain_net
	relay relay tcp,::,8080,80 udp,::,8080,80
	serve ct 0.0.0.0 80
	assert_eq "$(world "$PEER" peer 2001:db8::1 8080)" 10.0.2.2
	assert_eq "$(world "$PEER" udp 2001:db8::1 8080 9)" 10.0.2.2
}

t_a_namespace_with_lo_alone_is_reached() {
	start_host
	relay lo tcp,0.0.0.0,8080,80 udp,0.0.0.0,8080,80 tcp,::,8080,80
	serve ct 127.0.0.1 80
	assert_eq "$(world "$PEER" peer 192.0.2.1 8080)" 192.0.2.2
	assert_eq "$(world "$PEER" udp 192.0.2.1 8080 9 3)" 192.0.2.2
	assert_eq "$(host "$PEER" peer 127.0.0.1 8080)" 10.0.2.2
	serve ct ::1 81
	relay lo tcp,::,8081,81
	assert_eq "$(world "$PEER" peer 2001:db8::1 8081)" 2001:db8::2
}

t_large_transfers_arrive_whole() {
	start_host
	plain_net
	relay relay tcp,0.0.0.0,8080,80
	serve ct 0.0.0.0 80
	assert_eq "$(world "$PEER" send 192.0.2.1 8080 "${BYTES:-100000000}")" ok
	assert_eq "$(world "$PEER" recv 192.0.2.1 8080 "${BYTES:-100000000}")" ok
}

t_half_closed_connections_answer() {
	start_host
	plain_net
	relay relay tcp,0.0.0.0,8080,80
	ct python3 -c '
import socket
s = socket.create_server(("0.0.0.0", 80))
while True:
    c = s.accept()[0]
    data = b""
    while part := c.recv(65536):
        data += part
    c.sendall(b"%d" % len(data))
    c.close()' < /dev/null &
	wait_for "ct ss -ltn | grep -q :80"
	assert_eq "$(world python3 -c '
import socket
s = socket.create_connection(("192.0.2.1", 8080))
s.sendall(b"x" * 3000000)
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode())')" 3000000
}

t_refusals_and_resets_reach_the_client() {
	start_host
	plain_net
	relay relay tcp,0.0.0.0,8080,80
	# Nobody listens inside: the connection ends with a reset, at once.
	assert_eq "$(world python3 -c '
import socket
try: # the reset may come before connect(2) returns
    s = socket.create_connection(("192.0.2.1", 8080), 10)
    print("got", s.recv(1))
except ConnectionResetError:
    print("reset")')" reset
	ct python3 -c '
import socket, struct
s = socket.create_server(("0.0.0.0", 80))
c = s.accept()[0]
c.recv(1)
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()
# and now the other way: the client resets
c = s.accept()[0]
c.recv(1)
try:
    print("got", c.recv(1))
except ConnectionResetError:
    print("reset", flush=True)' > inner.log < /dev/null &
	wait_for "ct ss -ltn | grep -q :80"
	assert_eq "$(world python3 -c '
import socket, struct
s = socket.create_connection(("192.0.2.1", 8080), 10)
s.send(b"x")
try:
    print("got", s.recv(1))
except ConnectionResetError:
    print("reset")
s = socket.create_connection(("192.0.2.1", 8080), 10)
s.send(b"x")
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
import time
time.sleep(0.3)
s.close()')" reset
	wait_for "grep -q reset inner.log"
}

# The tuple of the first connection rests in TIME_WAIT at the server: the next comes all the same.
t_the_same_client_port_connects_again() {
	start_host
	plain_net
	relay relay tcp,0.0.0.0,8080,80
	serve ct 0.0.0.0 80
	assert_eq "$(world python3 -c '
import socket
for i in range(3):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("192.0.2.2", 40000 if i else 999))
    s.connect(("192.0.2.1", 8080))
    s.send(b"peer\n")
    print(s.recv(100).decode().strip(), end=" ")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()')" '192.0.2.2 192.0.2.2 192.0.2.2 '
}

# The container's own traffic from a published UDP port goes where it always went.
t_udp_from_a_published_port_still_reaches_others() {
	start_host
	start_link
	relay relay udp,0.0.0.0,8080,5353
	serve world 192.0.2.2 7000
	ct python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.bind(("0.0.0.0", 5353))
print("ready", flush=True)
s.sendto(*s.recvfrom(100))
s.sendto(b"x", ("192.0.2.2", 7000))
print(s.recv(100)[:64].decode().strip(), flush=True)' > inner.log < /dev/null &
	wait_for "grep -q ready inner.log"
	host python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.connect(("127.0.0.1", 8080))
s.send(b"x")
s.recv(100)'
	wait_for "grep -qx 10.0.2.100 inner.log"
}

# start_link: a routed link from the container to the world
start_link() {
	ct ip link set lo up
	host ip link add v0 type veth peer name v1 netns "$CT"
	host ip addr add 10.0.2.2/24 dev v0
	host ip link set v0 up
	ct ip addr add 10.0.2.100/24 dev v1
	ct ip link set v1 up
	ct ip route add default via 10.0.2.2
	host sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
	world ip route add 10.0.2.0/24 via 192.0.2.1
}

t_the_processes_have_no_rights() {
	local child

	start_host
	plain_net
	relay relay tcp,0.0.0.0,8080,80
	assert_match "$(cat "/proc/$RELAY_PID/status")" 'CapPrm:	0+400$' # CAP_NET_BIND_SERVICE, for ports to come
	assert_match "$(cat "/proc/$RELAY_PID/status")" 'Seccomp:	2'
	assert_match "$(cat "/proc/$RELAY_PID/status")" 'NoNewPrivs:	1'
	child=$(cut -d' ' -f1 "/proc/$RELAY_PID/task/$RELAY_PID/children")
	assert_match "$(cat "/proc/$child/status")" 'CapPrm:	0+1000$' # CAP_NET_ADMIN
	assert_match "$(cat "/proc/$child/status")" 'Seccomp:	2'
}

t_many_idle_connections_are_cheap_and_fd_limits_survived() {
	start_host
	plain_net
	ulimit -n 2000
	relay relay tcp,0.0.0.0,8080,80
	ulimit -n "$(ulimit -H -n)"
	serve ct 0.0.0.0 80
	# More than there is room for: the others wait in the backlog, and come when room is made.
	mkfifo end
	world "$PEER" hold 192.0.2.1 8080 1200 < end > held &
	exec 8> end
	wait_for "grep -q held held" 30
	assert_eq "$(host grep -c VmRSS "/proc/$RELAY_PID/status")" 1
	[ "$(awk '/VmRSS/ { print $2 }' "/proc/$RELAY_PID/status")" -lt $((20000 * TEST_SCALE)) ] ||
		fail "$(grep VmRSS "/proc/$RELAY_PID/status")"
	exec 8>&-
	assert_eq "$(world "$PEER" peer 192.0.2.1 8080)" 192.0.2.2
	wait_for "[ \$(ls /proc/$RELAY_PID/fd 2> /dev/null | wc -l) -lt 300 ]" 30
}

t_the_relay_ends_with_the_container() {
	start_host
	plain_net
	relay relay tcp,0.0.0.0,8080,80
	kill -9 "$CT"
	wait_for "is_gone $RELAY_PID"
}

t_a_port_that_is_taken_is_named() {
	start_host
	serve host 127.0.0.1 8080
	assert_fails 1 "127.0.0.1:8080/tcp: Address already in use" \
		host "$START" "$CT" relay tcp,127.0.0.1,8080,80
}

t_ports_are_added_and_removed_while_it_runs() {
	start_host
	plain_net
	serve ct 0.0.0.0 80
	host python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("api.sock")
s.listen()
os.dup2(s.fileno(), 9)
os.set_inheritable(9, True)
os.execv(sys.argv[1], sys.argv[1:])' "$START" "$CT" relay tcp,0.0.0.0,8080,80 > started
	read -r RELAY_PID _ < started
	assert_match "$(api '{"execute":"add_hostfwd","arguments":{"proto":"tcp","host_port":8081,"guest_port":80}}')" '"id":2'
	assert_eq "$(world "$PEER" peer 192.0.2.1 8081)" 192.0.2.2
	assert_match "$(api '{"execute":"add_hostfwd","arguments":{"proto":"udp","host_port":0,"guest_port":80}}')" '"id":3'
	assert_match "$(api '{"execute":"list_hostfwd"}')" '"id":3,"proto":"udp","host_addr":"0.0.0.0","host_port":[1-9]'
	assert_match "$(api '{"execute":"remove_hostfwd","arguments":{"id":2}}')" '"return"'
	assert_fails any 'refused' world "$PEER" peer 192.0.2.1 8081
	assert_eq "$(world "$PEER" peer 192.0.2.1 8080)" 192.0.2.2
}

run_tests
