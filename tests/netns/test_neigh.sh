#!/bin/bash
# test_neigh.sh - UDP echo with a kernel peer, both sides finding each other by ARP and ND: no
# static entry on either side, IPv4 and IPv6, untagged, on VLAN 100 and on QinQ 200.100.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/paths.sh
. "$(dirname "$0")/paths.sh"
need_root
begin

# The kernel has found the endpoint by asking, and nobody told it.
kernel_knows() { # PATH 4|6
	local dev v4 v6 ip
	IFS='|' read -r _ _ dev v4 v6 <<<"$1"
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
			check "$backend: ${path%%|*}, IPv$family" ping_path "$path" $family -a
			check "$backend: ${path%%|*}, IPv$family: the kernel asked" \
				kernel_knows "$path" $family
		done
	done
	end_process "$daemon"
done
done_testing
