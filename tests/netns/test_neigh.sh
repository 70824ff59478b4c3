#!/bin/bash
# test_neigh.sh - UDP echo with a kernel peer, both sides finding each other by ARP and ND: no
# static entry on either side, IPv4 and IPv6, untagged, on VLAN 100 and on QinQ 200.100.
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

make_peers() {
	local path name l2 dev v4 v6
	make_pair 1504
	vlan_add "$ns_p" "$if_p" v100 100 0
	vlan_add "$ns_p" "$if_p" v200 200 100
	for path in "${paths[@]}"; do
		IFS='|' read -r name l2 dev v4 v6 <<<"$path"
		addr_add "$ns_p" "$dev" "$v4.1/24"
		addr_add "$ns_p" "$dev" "$v6:1/64"
	done
	start "${enter_p[@]}" "$build/tests/tool_udp_echo" 7 >"$work/echo.out"
	wait_for_line "$work/echo.out" ready "$started"
}

ping_path() { # PATH 4|6
	local name l2 dev v4 v6
	IFS='|' read -r name l2 dev v4 v6 <<<"$1"
	if [ "$2" = 4 ]; then
		set -- "$v4.2:1000" "$v4.1:7"
	else
		set -- "[$v6:2]:1000" "[$v6:1]:7"
	fi
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -a "${l2//;/|}" "$@"
}

# The kernel has found the endpoint by asking, and nobody told it.
kernel_knows() { # PATH 4|6
	local name l2 dev v4 v6 ip
	IFS='|' read -r name l2 dev v4 v6 <<<"$1"
	ip=$v4.2
	[ "$2" = 6 ] && ip=$v6:2
	ip -n "$ns_p" neigh show to "$ip" dev "$dev" | grep -q "lladdr $mac"
}

make_peers >/dev/null
for backend in af_packet pcap; do
	start_daemon -b $backend
	for path in "${paths[@]}"; do
		for family in 4 6; do
			ip -n "$ns_p" neigh flush all
			check "$backend: ${path%%|*}, IPv$family" ping_path "$path" $family
			check "$backend: ${path%%|*}, IPv$family: the kernel asked" \
				kernel_knows "$path" $family
		done
	done
	end_process "$daemon"
done
done_testing
