# shellcheck shell=bash disable=SC2034 # variables are of the files that include this one
# SPDX-License-Identifier: Apache-2.0
# Whoever reads this file in uses what it sets.
# shellcheck disable=SC2034
#
# What tests of networks share, after lib.sh: a host, a world and containers, all of them namespaces.
#
#	world 192.0.2.2 ── veth ── host 192.0.2.1 (and its 127.0.0.1) ── lamina-slirp ── ct 10.0.2.100
#
# "host" is a user and network namespace of the test, in which it is root: what the tests do to
# addresses, routes and /etc/resolv.conf stays in there.

# shellcheck disable=SC2034	# used by the files that include this one
SLIRP=$LAMINA_BUILD/lamina-slirp
START=$LAMINA_BUILD/start_network
PEER=$SRC/tests/helpers/netpeer.py
MIB64=${BYTES:-$((64 << 20))} # BYTES=1073741824: a gibibyte each way

# spawn PIDFILE COMMAND…: in the background, once it has written its pid
spawn() {
	local file=$1

	shift
	"$@" sh -c "echo \$\$ > $file.tmp; mv $file.tmp $file; exec sleep infinity" < /dev/null \
		> /dev/null 2>&1 &
	wait_for "[ -s $file ]"
}

# As root of the host, of the world; as root of a container ($CT)
host() { nsenter --preserve-credentials -t "$HOST" -U -n -m --wd "$@"; }
world() { nsenter --preserve-credentials -t "$HOST" -U -m --wd nsenter --preserve-credentials -t "$WORLD" -n "$@"; }
ct() { nsenter --preserve-credentials -t "$CT" -U -n "$@"; }

# The same in the background; $! is the program itself.
host_exec() { exec nsenter --preserve-credentials -t "$HOST" -U -n -m --wd "$@"; }

start_host() {
	need python3 ip nsenter unshare
	[ -w /dev/net/tun ] || skip '/dev/net/tun is not open to users'
	spawn host.pid unshare --user --map-root-user --net --mount
	HOST=$(cat host.pid)
	spawn world.pid host unshare --net
	WORLD=$(cat world.pid)
	host ip link set lo up
	host ip link add veth0 type veth peer name veth1 netns "$WORLD"
	host ip addr add 192.0.2.1/24 dev veth0
	host ip addr add 192.0.2.77/24 dev veth0
	host ip addr add 2001:db8::1/64 dev veth0 nodad
	host ip link set veth0 up
	world ip link set lo up
	world ip addr add 192.0.2.2/24 dev veth1
	world ip addr add 2001:db8::2/64 dev veth1 nodad
	world ip link set veth1 up
	start_ct ct
}

# start_ct NAME: sets CT
start_ct() {
	spawn "$1.pid" host unshare --user --map-root-user --net
	CT=$(cat "$1.pid")
}

# slirp [OPTION…]: a network for $CT, ready; sets SLIRP_PID
slirp() {
	local answer=

	rm -f ready
	mkfifo ready
	host_exec "$SLIRP" --configure --ready-fd=9 "$@" "$CT" 9> ready < /dev/null 2> slirp.log &
	SLIRP_PID=$!
	IFS= read -r -t $((10 * TEST_SCALE)) -n 1 answer < ready || :
	[ "$answer" = 1 ] || fail "not ready: $(cat slirp.log)"
}

# serve WHERE ADDR PORT: a peer in host, world or ct; its log is peer-PORT.log
serve() {
	"$1" "$PEER" serve "$2" "$3" < /dev/null > "peer-$3.log" 2>&1 &
	wait_for "grep -q ready peer-$3.log"
}

# api JSON: one request to api.sock, whose answer is printed
api() {
	python3 - "$1" << 'END'
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(20)
    s.connect("api.sock")
    s.sendall(sys.argv[1].encode())
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while part := s.recv(65536):
        answer += part
print(answer.decode())
END
}

# forward PROTO HOSTADDR HOSTPORT GUESTPORT
forward() {
	assert_match "$(api "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"$1\",
		\"host_addr\":\"$2\",\"host_port\":$3,\"guest_port\":$4}}")" '"return":'
}

is_gone() {
	! kill -0 "$1" 2> /dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2> /dev/null
}

# resolver ADDR NAME=IP…: in the host, which then uses it
resolver() {
	[ -e resolver.conf ] || {
		touch resolver.conf
		host mount --bind resolver.conf /etc/resolv.conf
	}
	printf 'nameserver %s\n' "$1" > resolver.conf
	host "$PEER" dns "$@" < /dev/null > "dns-$1.log" 2>&1 &
	wait_for "grep -q ready dns-$1.log"
}
