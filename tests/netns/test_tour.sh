#!/bin/bash
# test_tour.sh - the example that rewrites the documentation of the Go package etherconn in C, over a
# real link to a kernel that answers echo and ping, on VLAN 100.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
make_pair
vlan_add "$ns_p" "$if_p" v100 100 0
addr_add "$ns_p" v100 10.2.0.1/24
peer_mac=$(mac_of "$ns_p" v100)
start_echo

tour() { ETHERCONN_SOCKET=$sock "${as_client[@]}" "$build/examples/tour" "$@" >"$work/tour.out"; }
says() { grep -qE "$1" "$work/tour.out"; }
for backend in af_packet pcap; do
	start_daemon -b $backend
	check "$backend: it goes all the way" \
		tour "$if_d" "$mac|100" 10.2.0.2:1000 "$peer_mac" 10.2.0.1:7
	check "$backend: the relay" says "^relay: $if_d, MTU 1500$"
	check "$backend: the L2 endpoint" says "^L2 endpoint: $mac\|100, payloads to 1500 bytes$"
	check "$backend: the UDP endpoint" says '^UDP endpoint: 10\.2\.0\.2:1000$'
	check "$backend: a datagram and its answer" says '^answer: from 10\.2\.0\.1:7, "hello"$'
	check "$backend: an IP packet and its answer" says "^ping: answered by $peer_mac\|100, "
	check "$backend: a deadline" says '^deadline: '
	check "$backend: the daemon's counters" says '^rx_offered: [1-9]'
	check "$backend: the library's" says '^here: [1-9][0-9]* received, [1-9]'
	end_process "$daemon"
done
refused() { ! tour "$if_d" "$mac|5000" 10.2.0.2:1000 "$peer_mac" 10.2.0.1:7 2>"$work/err" &&
	grep -q "no address like" "$work/err"; }
start_daemon
check "what is wrong is said" refused
done_testing
