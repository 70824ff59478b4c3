# paths.sh - sourced after lib.sh: an echo server in a kernel that is reached in three ways, behind
# no tag, behind VLAN 100 and behind QinQ 200.100, by IPv4 and by IPv6.
# shellcheck shell=bash disable=SC2154 # ns_p, if_p, ...: lib.sh

mac=02:00:00:00:00:01
# name, MAC|VLANS, peer's device, IPv4 and IPv6 network: .1 is the peer's, .2 the endpoint's
paths=(
	"untagged|$mac|$if_p|10.1.0|fd00:1:"
	"VLAN 100|$mac;100|v100|10.2.0|fd00:2:"
	"QinQ 200.100|$mac;200;100|v200|10.3.0|fd00:3:"
)

# make_peers [PATH-COMMAND]: and run it with DEVICE IPV4-NETWORK IPV6-NETWORK for each
make_peers() {
	local path dev v4 v6
	make_pair 1504 # full frames with two tags
	vlan_add "$ns_p" "$if_p" v100 100 0
	vlan_add "$ns_p" "$if_p" v200 200 100
	for path in "${paths[@]}"; do
		IFS='|' read -r _ _ dev v4 v6 <<<"$path"
		addr_add "$ns_p" "$dev" "$v4.1/24"
		addr_add "$ns_p" "$dev" "$v6:1/64"
		[ $# = 0 ] || "$@" "$dev" "$v4" "$v6"
	done
	start_echo
}

# ping_path PATH 4|6 OPTION...: datagrams to the echo server and back, or why not
ping_path() {
	local path=$1 family=$2 l2 v4 v6
	shift 2
	IFS='|' read -r _ l2 _ v4 v6 <<<"$path"
	if [ "$family" = 4 ]; then
		set -- "$@" "${l2//;/|}" "$v4.2:1000" "$v4.1:7"
	else
		set -- "$@" "${l2//;/|}" "[$v6:2]:1000" "[$v6:1]:7"
	fi
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" "$@"
}
