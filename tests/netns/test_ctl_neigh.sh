#!/bin/bash
# test_ctl_neigh.sh - etherconnctl show neigh: hosts behind tags are heard, those who have endpoints
# here are not.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
make_pair 1504
vlan_add "$ns_p" "$if_p" v100 100 0
vlan_add "$ns_p" "$if_p" v200 200 100
addr_add "$ns_p" v100 10.2.0.1/24
addr_add "$ns_p" v200 fd00::1/64
addr_add "$ns_p" "$if_p" 10.1.0.1/24
start_daemon
root_ctl() { "$build/etherconnctl" -s "$sock" "$@"; }

# hear OUT WORD...: listen, while everybody in the other namespace looks for somebody
hear() {
	local out=$1 pid
	shift
	start root_ctl "$@" >"$work/$out" 2>"$work/$out.err"
	pid=$started
	wait_for_line "$work/$out.err" listening "$pid"
	ip -n "$ns_p" neigh flush all # it shall ask anew
	in_p bash -c 'for a in 10.2.0.77 fd00::77 10.1.0.77; do echo >"/dev/udp/$a/9"; done' 2>/dev/null
	# an endpoint here asks as well, and is answered
	"${as_client[@]}" "$build/etherconnctl" -s "$sock" arping -c 1 -w 1 mac 02:00:00:00:00:09 vlan 100 \
		ip 10.2.0.9 10.2.0.1 >/dev/null
	wait "$pid"
}
has() { grep -qE -- "$2" "$work/$1"; }

hear all show neigh
check "exit 0" [ $? = 0 ]
check "who asks behind a tag" has all "^10\.2\.0\.1 +$(mac_of "$ns_p" v100)\|100 +$if_d +[1-9]"
check "... behind two, by Neighbour Discovery" has all "^fd00::1 +$(mac_of "$ns_p" v200)\|200\|100 +$if_d +[1-9]"
check "... untagged" has all "^10\.1\.0\.1 +$(mac_of "$ns_p" "$if_p") +$if_d +[1-9]"
check "who is an endpoint here is not on it" [ "$(grep -c 10.2.0.9 "$work/all")" = 0 ]

hear some -br show neigh -w 2 vlan 100
check "by its tag alone" [ "$(cat "$work/some")" = "10.2.0.1  $(mac_of "$ns_p" v100)|100" ]
hear json -j show neigh -w 2 ip 10.1.0.1
check "as JSON" [ "$(python3 -c '
import json, sys
(n,) = json.load(sys.stdin)["neigh"]
print(n["ip"], n["mac"], n["vlans"], n["interface"], n["heard"] > 0)' <"$work/json")" = \
	"10.1.0.1 $(mac_of "$ns_p" "$if_p") [] $if_d True" ]

check "nobody is heard: exit 0, and a title" root_ctl show neigh -w 0.1 mac 02:00:00:00:00:77
refused() { ! "$@" >"$work/refused" 2>&1; }
check "a client's is refused" refused root_ctl show neigh pid 7
check "... with a sentence" has refused "neighbours are no client's"
check "a port is refused" refused root_ctl show neigh port 67
check "... with a sentence" has refused "found by mac, vlan, ip and interface"
check "who may not capture is refused" refused ctl show neigh
check "... with a sentence" has refused capture_group
done_testing
