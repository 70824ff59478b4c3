#!/bin/bash
# test_echo.sh - UDP echo with a kernel peer: IPv4 and IPv6, untagged, on VLAN 100 and on QinQ
# 200.100, over both back-ends; and once with the kernel's offloads left on, so that it sends
# unfinished checksums.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/paths.sh
. "$(dirname "$0")/paths.sh"
need_root
begin

# Kernel peers cannot ask an endpoint that does not speak ARP: they are told its address.
tell() { # DEVICE IPV4-NETWORK IPV6-NETWORK
	ip -n "$ns_p" neigh add "$2.2" lladdr "$mac" dev "$1" nud permanent
	ip -n "$ns_p" neigh add "$3:2" lladdr "$mac" dev "$1" nud permanent
}

drop_peers() {
	end_process "$echo_server"
	ip netns del "$ns_d"
	ip netns del "$ns_p"
	vlan_forget "$ns_p"
}

ping_told() { # PATH 4|6
	local dev
	IFS='|' read -r _ _ dev _ <<<"$1"
	ping_path "$@" -m "$(mac_of "$ns_p" "$dev")"
}

run_all() { # WHAT
	local path name
	for path in "${paths[@]}"; do
		name=${path%%|*}
		check "$1: $name, IPv4" ping_told "$path" 4
		check "$1: $name, IPv6" ping_told "$path" 6
	done
}

nothing_dropped() {
	[ "$(relay_counter rx)" -gt 0 ] && [ "$(relay_counter rx_bad_ip)" = 0 ] &&
		[ "$(relay_counter rx_bad_udp)" = 0 ] && [ "$(relay_counter rx_buffer_full)" = 0 ] &&
		[ "$(relay_counter tx)" = "$(relay_counter tx_offered)" ]
}

for offloads in off on; do
	OFFLOADS=$offloads make_peers tell >/dev/null
	echo_server=$started
	for backend in af_packet pcap; do
		start_daemon -b $backend
		run_all "$backend, offloads $offloads"
		check "$backend, offloads $offloads: nothing was dropped" nothing_dropped
		end_process "$daemon"
	done
	drop_peers
done
done_testing
