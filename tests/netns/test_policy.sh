#!/bin/bash
# test_policy.sh - unprivileged clients under a policy, over a real link: what they need for UDP
# passes, nothing else does, and a reload reaches a daemon that has given up its privileges.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
make_pair
vlan_add "$ns_p" "$if_p" v100 100 0
addr_add "$ns_p" v100 10.2.0.1/24
addr_add "$ns_p" v100 fd00:2::1/64
start_echo

policy=$work/policy
cat >"$work/daemon.conf" <<CONF
{ "policy": "$policy", "relays": [ { "interface": "$if_d" } ] }
CONF

# rules FOR-THE-GROUP: write them, readable by whoever the daemon is
rules() { echo "{ \"rules\": [ { \"name\": \"lab\", \"groups\": [\"$socket_gid\"], $1 } ] }" >"$policy"; }

said() { grep -cE "$1" "$work/daemon.log"; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }
# reload LINE: and wait until the log has one more such line
reload() {
	local before
	before=$(said "$1")
	kill -HUP "$daemon"
	wait_for said_more "$1" "$before"
}

ping_as() { "${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -a -n 1 "$@"; }
denied() { # WORDS COMMAND...
	local words=$1
	shift
	! "$@" >"$work/denied" 2>&1 && grep -qF -- "$words" "$work/denied"
}

rules '"vlans": ["100"], "ips": ["10.2.0.0/24", "fd00:2::/64"], "ports": ["1000"]'
start_daemon -c "$work/daemon.conf"

check "UDP with its ARP passes" ping_as "$mac|100" 10.2.0.2:1000 10.2.0.1:7
check "UDP with its Neighbour Discovery passes" \
	ping_as "$mac|100" '[fd00:2::2]:1000' '[fd00:2::1]:7'
check "and nothing was denied on the way" test "$(relay_counter tx_denied)" = 0
check "another VLAN is refused" denied 'rule "lab" does not allow these VLANs' \
	ping_as "$mac|200" 10.2.0.2:1000 10.2.0.1:7
check "another port is refused" denied 'rule "lab" does not allow this port' \
	ping_as "$mac|100" 10.2.0.2:1001 10.2.0.1:7
check "another address is refused" denied 'rule "lab" does not allow this IP address' \
	ping_as "$mac|100" 10.3.0.2:1000 10.2.0.1:7
check "a MAC address of a vendor is refused" denied 'does not allow this MAC address' \
	ping_as "00:11:22:33:44:55|100" 10.2.0.2:1000 10.2.0.1:7
check "the log says to whom" wait_for_line "$work/daemon.log" \
	"denied to uid $client_uid, pid [0-9]+ \(tool_ec_ping\): .*rule \"lab\"" "$daemon"
status_counts() { ctl status | grep -q '^  denied     4$'; }
check "status counts them" status_counts

root_ctl() { "$build/etherconnctl" -s "$sock" "$@"; }
check "a client may not ask what the policy would say" denied "for root" \
	ctl policy test "$client_uid:$socket_gid" "$mac|100"
check "root may: allowed" root_ctl policy test "$client_uid:$socket_gid" "$mac|100" 10.2.0.9:1000
check "root may: denied" denied "denied: $mac|200: rule" \
	root_ctl policy test "$client_uid:$socket_gid" "$mac|200"
check "root may: by group" denied "no rule of the policy is for uid $client_uid" \
	root_ctl policy test "$client_uid:1" "$mac|100"

rules '"vlans": ["100"], "limits": { "endpoints": 1 }'
check "a new policy is read" reload "policy of 1 rules"
check "and holds" denied 'the limit "endpoints" is 1' \
	ping_as "$mac|100" 10.2.0.2:1000 10.2.0.1:7
rules '"vlans": ["100"], "ports": ["1000-"]'
check "a bad policy is not" reload "stays as it was: .*: line 1: rule 1: ports: \"1000-\""
check "the old one holds" denied 'the limit "endpoints" is 1' \
	ping_as "$mac|100" 10.2.0.2:1000 10.2.0.1:7
rules '"vlans": ["100"]'
check "a mended one is read" reload "policy of 1 rules"
check "and holds again" ping_as "$mac|100" 10.2.0.2:1001 10.2.0.1:7
done_testing
