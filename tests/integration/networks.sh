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

# lamina on the host of the test, with a store of its own
lam() {
	[ -d store ] || cp -a "$FIX_STORE" store
	host env LAMINA_ROOT="$PWD/store" "$LAMINA" "$@"
}

# inside NAME COMMAND…: in the network of a container
inside() { in_ctr "container:$1" -- "${@:2}"; }

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

# A container that was started without -p publishes ports when it is asked to, in each network.
t_ports_of_a_container_that_had_none() {
	local network port=8200 id

	start_host
	lam network create named > /dev/null
	for network in slirp slirp:port_handler=slirp none named; do
		ctr "c$port" --network "$network"
		lam port --add "$port:80" "c$port"
		lam port --add "$((port + 1)):80" "c$port"
		assert_eq "$(get world "192.0.2.1:$port")" "c$port"
		assert_eq "$(get host "127.0.0.1:$((port + 1))")" "c$port"
		assert_match "$(cat "c$port.log")" '192\.0\.2\.2\]?:[0-9]+: response:200'
		assert_match "$(lam port "c$port")" "^80/tcp -> 0\.0\.0\.0:$port\$"
		port=$((port + 10))
	done
	# They end with the container, and nothing is left.
	id=$(lam inspect --format '{{.Id}}' c8200)
	lam rm -f c8200 > /dev/null
	wait_for '! get world 192.0.2.1:8200 2> /dev/null'
	wait_for "[ ! -e \"$XDG_RUNTIME_DIR/lamina/ports/$id\" ]"
	lam run -d --rm --name guest --network container:c8210 "$FIX_IMAGE" sleep 1000 > /dev/null
	assert_fails 125 'in a network of others' lam port --add 8300:80 guest
	assert_fails 125 "'c8200'" lam port --add 8300:80 c8200
}

# Protocol x IP version x direction, with each network that publishes ports and each handler
t_every_port_of_every_network() {
	local network port=8100 addr want log=0

	start_host
	lam network create --ipv6 named > /dev/null
	for network in slirp:enable_ipv6=true slirp:enable_ipv6=true,port_handler=slirp none named; do
		port=$((port + 2)) log=$((log + 1))
		lam run --rm --network "$network" -p "192.0.2.1:$port:80" -p "192.0.2.1:$port:80/udp" \
			-p "[2001:db8::1]:$port:81" -p "[2001:db8::1]:$port:81/udp" --rootfs / \
			sh -c "'$PEER' serve 0.0.0.0 80 & exec '$PEER' serve :: 81" > "matrix-$log" 2>&1 < /dev/null &
		wait_for "[ \$(grep -c ready matrix-$log) = 2 ]" 30
		for want in 192.0.2.2 2001:db8::2; do
			addr=${want%2}1
			assert_eq "$(world "$PEER" peer "$addr" "$port")" "$want" "$network, TCP"
			assert_eq "$(world "$PEER" send "$addr" "$port" 3000000)" ok "$network, in"
			assert_eq "$(world "$PEER" recv "$addr" "$port" 3000000)" ok "$network, out"
			assert_eq "$(world "$PEER" udp "$addr" "$port" 1000 5)" "$want" "$network, UDP"
		done
	done
}

# --- named networks ---------------------------------------------------------------------------

# in_ctr NETWORK[,NAME] [OPTION…] -- COMMAND…: in a container that lives no longer
in_ctr() {
	local opts=(--network "$1")

	shift
	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	lam run --rm "${opts[@]}" "$FIX_IMAGE" "$@"
}

fetch() { printf 'wget -qO- http://%s/name' "$1"; }

t_containers_of_a_network_find_each_other() {
	start_host
	assert_eq "$(lam network create --ipv6 front)" front
	ctr web --network front --network-alias www -p 8080:80
	assert_eq "$(in_ctr front -- sh -c "$(fetch web); $(fetch www)" | tr '\n' ' ')" 'web web '
	assert_match "$(in_ctr front -- nslookup web)" 'Address: 10\.89\.0\.[0-9]+'
	assert_match "$(in_ctr front -- nslookup web)" 'Address: fd[0-9a-f:]+'
	assert_match "$(in_ctr front -- nslookup 10.89.0.4)" 'name = web'
	# Out of the network, and into it from the host
	serve world 192.0.2.2 7000
	assert_eq "$(in_ctr front -- sh -c 'echo peer | nc -w 10 192.0.2.2 7000')" 192.0.2.1
	assert_eq "$(get world 192.0.2.1:8080)" web
	assert_match "$(cat web.log)" '192\.0\.2\.2\]?:[0-9]+: response:200'
	assert_eq "$(lam unshare --network front python3 -c 'import urllib.request
print(urllib.request.urlopen("http://web/name", timeout=10).read().decode().strip())')" web
}

t_networks_are_isolated_from_each_other() {
	start_host
	lam network create one > /dev/null
	lam network create two > /dev/null
	ctr web --network one
	assert_match "$(in_ctr one -- sh -c "$(fetch 10.89.0.4)")" web
	assert_fails any '' in_ctr two -- sh -c "$(fetch web)"
	assert_fails any '' in_ctr two -- nc -w 2 10.89.0.4 80
	# One of both sees both.
	assert_eq "$(in_ctr one --network two -- sh -c 'ls /sys/class/net' | tr '\n' ' ')" 'eth0 eth1 lo '
	assert_eq "$(in_ctr two --network one -- sh -c "$(fetch 10.89.0.4)")" web
}

t_internal_networks_lead_nowhere_but_have_names() {
	start_host
	lam network create --internal inner > /dev/null
	serve world 192.0.2.2 7000
	ctr web --network inner -p 8080:80
	assert_eq "$(in_ctr inner -- sh -c "$(fetch web)")" web
	assert_fails any '' in_ctr inner -- nc -w 2 192.0.2.2 7000
	assert_eq "$(get world 192.0.2.1:8080)" web
}

t_addresses_are_given_once_and_again() {
	start_host
	lam network create --subnet 10.90.0.0/24 --gateway 10.90.0.254 n > /dev/null
	ctr a --network n:ip=10.90.0.77,mac=02:00:00:00:00:77
	assert_match "$(inside a ip addr show eth0)" 'inet 10\.90\.0\.77/24'
	assert_match "$(inside a ip addr show eth0)" '02:00:00:00:00:77'
	assert_match "$(inside a ip route)" 'default via 10\.90\.0\.254'
	assert_fails 125 '10.90.0.77 of network .n. is in use' in_ctr n --ip 10.90.0.77 -- true
	assert_fails 125 'has no address 10.90.1.1' in_ctr n --ip 10.90.1.1 -- true
	assert_fails 125 'has no address 10.90.0.254' in_ctr n --ip 10.90.0.254 -- true
	assert_match "$(in_ctr n -- ip addr show eth0)" 'inet 10\.90\.0\.4/24'
	assert_match "$(in_ctr n -- ip addr show eth0)" 'inet 10\.90\.0\.4/24'
	assert_match "$(in_ctr n --ip 10.90.0.9 --mac-address 02:00:00:00:00:09 -- ip addr show eth0)" '02:00:00:00:00:09'
	assert_fails 125 "used by 1 containers" lam network rm n
	lam rm -f a > /dev/null
	wait_for 'lam network rm n > /dev/null 2>&1'
}

t_networks_of_a_running_container() {
	start_host
	lam network create front > /dev/null
	lam network create back > /dev/null
	ctr web --network front
	lam network connect --alias db back web
	assert_eq "$(in_ctr back -- sh -c "$(fetch db)")" web
	assert_match "$(inside web ip route)" 'default via 10\.89\.0\.1'
	assert_fails 125 'already' lam network connect back web
	lam network disconnect back web
	assert_fails any '' in_ctr back -- sh -c "$(fetch db)"
	assert_eq "$(in_ctr front -- sh -c "$(fetch web)")" web
	assert_fails 125 "no network 'nowhere'" lam network connect nowhere web
	assert_eq "$(lam network prune)" back
}

t_networks_of_a_stopped_container() {
	start_host
	lam network create front > /dev/null
	lam network create back > /dev/null
	lam create --name web --network front "$FIX_IMAGE" sleep 1000 > /dev/null
	lam network connect --ip 10.89.1.50 back web
	assert_fails 125 'given twice' lam network connect back web
	assert_fails 125 "no network 'nowhere'" lam network connect nowhere web
	lam start web > /dev/null
	assert_eq "$(lam inspect --format '{{.NetworkSettings.Networks.back.IPAddress}}' web)" 10.89.1.50
	lam stop -t 0 web > /dev/null
	lam network disconnect front web
	assert_fails 125 "'back' is its only network" lam network disconnect back web
	assert_fails 125 "not in network 'front'" lam network disconnect front web
	lam start web > /dev/null
	assert_match "$(inside web ip route)" 'default via 10\.89\.1\.1'
	lam rm -f web > /dev/null
	lam create --name alone "$FIX_IMAGE" true > /dev/null
	assert_fails 125 "'slirp', which stands alone" lam network connect back alone
	assert_fails 125 "no network 'pasta'" lam run --network pasta "$FIX_IMAGE" true
	lam rm alone > /dev/null
}

t_a_network_survives_its_processes() {
	local keeper

	start_host
	lam network create n > /dev/null
	ctr a --network n
	# Its slirp process is started again.
	keeper=$(pgrep -u "$(id -u)" -n -x lamina-net)
	kill -9 "$(pgrep -P "$keeper" -x lamina-slirp)"
	wait_for "pgrep -P $keeper -x lamina-slirp > /dev/null"
	serve world 192.0.2.2 7000
	wait_for "[ \"\$(inside a sh -c 'echo peer | nc -w 2 192.0.2.2 7000')\" = 192.0.2.1 ]"
	# The keeper: the containers that it had are alone, the next ones have a network.
	kill -9 "$keeper"
	ctr b --network n
	assert_eq "$(in_ctr n -- sh -c "$(fetch b)")" b
	keeper=$(pgrep -u "$(id -u)" -n -x lamina-net)
	lam rm -f a b > /dev/null
	wait_for "is_gone $keeper"
}

t_wrong_networks_are_told() {
	start_host
	assert_fails 125 "is no name of a network" lam network create ../x
	assert_fails 125 "is a word of --network" lam network create host
	assert_fails 125 "prefix length" lam network create --subnet 10.0.0.0/30 n
	assert_fails 125 "is not in the network" lam network create --subnet 10.0.0.0/24 --gateway 10.1.0.1 n
	assert_fails 125 "not between" lam network create --mtu 10 n
	lam network create n > /dev/null
	assert_fails 125 "network 'n' already" lam network create n
	assert_fails 125 "overlaps network 'n'" lam network create --subnet 10.89.0.0/16 m
	assert_fails 125 "no network 'nowhere'" in_ctr nowhere -- true
	assert_fails 125 "no network 'nowhere'" lam network inspect nowhere
	assert_eq "$(lam network inspect n | python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["subnets"][0]["subnet"])')" 10.89.0.0/24
	assert_eq "$(lam network ls -q)" n
}

# As scripts for podman ask
t_networks_are_shown_by_format_and_filter() {
	start_host
	lam network create -d bridge --label a=b --label c front > /dev/null
	lam network create --internal --ipv6 --mtu 1400 back > /dev/null
	assert_eq "$(lam network inspect --format '{{(index .Subnets 0).Subnet}} {{.Driver}} {{.Labels.a}}' front)" \
		'10.89.0.0/24 bridge b'
	assert_match "$(lam network inspect -f '{{range .Subnets}}{{.Gateway}} {{end}}{{.IPv6Enabled}} {{.Options.mtu}}' back)" \
		'^10\.89\.1\.1 fd[0-9a-f:]+::2 true 1400$'
	assert_eq "$(lam network ls --format '{{.Name}}:{{.Internal}}' | sort | tr '\n' ' ')" 'back:true front:false '
	assert_eq "$(lam network ls -q --filter name=ron --filter driver=bridge)" front
	assert_eq "$(lam network ls -q --filter label=a=b --filter label=c --filter label=a)" front
	assert_eq "$(lam network ls -q --filter internal=true)" back
	assert_match "$(lam network ls)" '^NAME +DRIVER +'
	assert_fails 125 "filter 'x=y'" lam network ls --filter x=y
	lam network exists front
	assert_fails 1 '' lam network exists nowhere
	lam network create --ignore front > /dev/null
	assert_fails 125 "driver 'macvlan' needs root" lam network create -d macvlan x
	assert_fails 125 'disable-dns' lam network create --disable-dns x
	assert_fails 125 'ip-range' lam network create --ip-range 10.0.0.0/28 x
	ctr web --network front
	assert_eq "$(lam network inspect -f '{{range .Containers}}{{.Name}} {{.Ip}}{{end}}' front)" 'web 10.89.0.4'
}

t_addresses_in_networks_are_inspected() {
	start_host
	lam network create a > /dev/null
	lam network create --subnet 10.77.0.0/24 b > /dev/null
	ctr web --network a --network b:ip=10.77.0.9
	assert_eq "$(lam inspect --format '{{range $n, $v := .NetworkSettings.Networks}}{{$n}} {{$v.IPAddress}}/{{$v.IPPrefixLen}} {{end}}' web)" \
		"a 10.89.0.4/24 b 10.77.0.9/24 "
	assert_match "$(lam inspect --format '{{.NetworkSettings.Networks.b.MacAddress}}' web)" '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'
}

# --- other people's namespaces ----------------------------------------------------------------

# pid_of NAME: of a container's first process
pid_of() {
	lam ps --json | python3 -c 'import json, sys
print([c["pid"] for c in json.load(sys.stdin) if c["name"] == sys.argv[1]][0])' "$1"
}

# A wire between two containers, made by hand
t_do_it_yourself() {
	local a b

	start_host
	ctr web --network none
	ctr db --network none
	a=$(pid_of web) b=$(pid_of db)
	lam unshare unshare --net sh -c "
		ip link add name eth7 netns $a type veth peer name eth7 netns $b
		nsenter -t $a -n sh -c 'ip addr add 10.77.0.1/24 dev eth7; ip link set eth7 up'
		nsenter -t $b -n sh -c 'ip addr add 10.77.0.2/24 dev eth7; ip link set eth7 up'"
	assert_eq "$(inside db sh -c "$(fetch 10.77.0.1)")" web
}

# An interface of the host's, moved in before the command starts
t_an_interface_is_there_before_the_command() {
	local pid

	start_host
	lam create --name web --network none "$FIX_IMAGE" sh -c \
		'ip addr show dev lan && exec httpd -f -p 80 -h /etc' > /dev/null
	lam init web > /dev/null
	assert_eq "$(lam inspect --format '{{.State.Status}}' web)" initialized
	pid=$(lam inspect --format '{{.State.Pid}}' web)
	host ip link add far type veth peer name lan
	host ip addr add 10.78.0.1/24 dev far
	host ip link set far up
	host ip link set lan netns "$pid"
	lam unshare nsenter -t "$pid" -n sh -c 'ip addr add 10.78.0.2/24 dev lan; ip link set lan up'
	lam start web > /dev/null
	wait_for "lam logs web | grep -q 'inet 10\.78\.0\.2/24'"
	wait_for 'host python3 -c "import urllib.request
urllib.request.urlopen(\"http://10.78.0.2/hostname\", timeout=5)"'
	lam rm -f web > /dev/null
}

t_the_network_of_another_container() {
	start_host
	ctr web
	assert_eq "$(in_ctr container:web -- sh -c "$(fetch 127.0.0.1)")" web
	assert_eq "$(in_ctr container:web -- cat /etc/resolv.conf)" "$(inside web cat /etc/resolv.conf)"
	assert_fails 125 "no container 'nobody'" in_ctr container:nobody -- true
	assert_fails 125 'in a network of others' in_ctr container:web -p 8080:80 -- true
}

t_a_namespace_at_a_path() {
	start_host
	# shellcheck disable=SC2016
	lam unshare unshare --net sh -c 'ip link set lo up; echo $$ > theirs; exec sleep infinity' &
	wait_for '[ -s theirs ]'
	assert_match "$(in_ctr "ns:/proc/$(cat theirs)/ns/net" -- ip link show)" 'lo: .*UP'
	assert_fails 125 'No such file' in_ctr ns:/nowhere -- true
}

run_tests
