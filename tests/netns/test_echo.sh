#!/bin/bash
# test_echo.sh - UDP echo with a kernel peer: IPv4 and IPv6, untagged, on VLAN 100 and on QinQ
# 200.100, over both back-ends; and once with the kernel's offloads left on, so that it sends
# unfinished checksums.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
# name, MAC|VLANS, peer's device, IPv4 and IPv6 network
paths=(
	"untagged|$mac|$if_p|10.1.0|fd00:1:"
	"VLAN 100|$mac;100|v100|10.2.0|fd00:2:"
	"QinQ 200.100|$mac;200;100|v200|10.3.0|fd00:3:"
)

# Kernel peers cannot ask an endpoint that does not speak ARP: they are told its address.
make_peers() {
	local path name l2 dev v4 v6
	make_pair 1504 # full frames with two tags
	vlan_add "$ns_p" "$if_p" v100 100 0
	vlan_add "$ns_p" "$if_p" v200 200 100
	for path in "${paths[@]}"; do
		IFS='|' read -r name l2 dev v4 v6 <<<"$path"
		addr_add "$ns_p" "$dev" "$v4.1/24"
		addr_add "$ns_p" "$dev" "$v6:1/64"
		ip -n "$ns_p" neigh add "$v4.2" lladdr $mac dev "$dev" nud permanent
		ip -n "$ns_p" neigh add "$v6:2" lladdr $mac dev "$dev" nud permanent
	done
	start "${enter_p[@]}" "$build/tests/tool_udp_echo" 7 >"$work/echo.out"
	echo_server=$started
	wait_for_line "$work/echo.out" ready "$echo_server"
}

drop_peers() {
	end_process "$echo_server"
	ip netns del "$ns_d"
	ip netns del "$ns_p"
	vlan_forget "$ns_p"
}

peer_mac() { ip -n "$ns_p" -j link show "$1" | sed 's/.*"address":"\([^"]*\)".*/\1/'; }

ping_path() { # PATH 4|6
	local name l2 dev v4 v6
	IFS='|' read -r name l2 dev v4 v6 <<<"$1"
	if [ "$2" = 4 ]; then
		set -- "$v4.2:1000" "$v4.1:7"
	else
		set -- "[$v6:2]:1000" "[$v6:1]:7"
	fi
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -m "$(peer_mac "$dev")" \
		"${l2//;/|}" "$@"
}

run_all() { # WHAT
	local path name
	for path in "${paths[@]}"; do
		name=${path%%|*}
		check "$1: $name, IPv4" ping_path "$path" 4
		check "$1: $name, IPv6" ping_path "$path" 6
	done
}

nothing_dropped() {
	[ "$(relay_counter rx)" -gt 0 ] && [ "$(relay_counter rx_bad_ip)" = 0 ] &&
		[ "$(relay_counter rx_bad_udp)" = 0 ] && [ "$(relay_counter rx_buffer_full)" = 0 ] &&
		[ "$(relay_counter tx)" = "$(relay_counter tx_offered)" ]
}

for offloads in off on; do
	OFFLOADS=$offloads make_peers >/dev/null
	for backend in af_packet pcap; do
		start_daemon -b $backend
		run_all "$backend, offloads $offloads"
		check "$backend, offloads $offloads: nothing was dropped" nothing_dropped
		end_process "$daemon"
	done
	drop_peers
done
done_testing
