#!/bin/bash
# test_examples.sh - the examples that no other test runs: udp_echo behind a daemon on one end of
# the pair, ev_ping and l2_sniff behind one on the other.  No host has any of their addresses.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
make_pair 1504
start_daemon
far=$work/run/far.sock
start "${enter_p[@]}" "$build/etherconnd" -i "$if_p" -s "$far" -g $socket_gid 2>"$work/far.log"
wait_for_line "$work/far.log" "serving at" "$started"

as_near() { ETHERCONN_SOCKET=$sock "${as_client[@]}" "$@"; }
# until_shown LIST SOCKET PATTERN N: so many lines of the list match
shown() { [ "$("$build/etherconnctl" -s "$2" -br show "$1" | grep -c "$3")" = "$4" ]; }
until_shown() { wait_for shown "$@" || { echo "$1 of $2 are others" >&2; return 1; }; }
# a new link has its carrier a little later
until_shown relays "$sock" ' up ' 1
until_shown relays "$far" ' up ' 1

# a sniffer of everything here, which must see what passes, tags and all
ETHERCONN_SOCKET=$sock start "${as_client[@]}" "$build/examples/l2_sniff" -s "$sock" 02:00:00:00:00:99 >"$work/sniff.idle" 2>&1
idle=$started
start "$build/examples/l2_sniff" -s "$sock" -m 02:00:00:00:00:98 >"$work/sniff" 2>&1
sniffer=$started
wait_for_line "$work/sniff" "listening on $if_d" "$sniffer"
wait_for_line "$work/sniff.idle" "listening on $if_d" "$idle"

n=0 claimed=0
for path in "02:00:00:00:01:01|02:00:00:00:02:01|10.1.0.1:7|10.1.0.2:1000|10.1.0.1" \
	"02:00:00:00:01:01;100|02:00:00:00:02:01;100|10.1.0.1:7|10.1.0.2:1000|10.1.0.1" \
	"02:00:00:00:01:01;200;100|02:00:00:00:02:01;200;100|[fd00::1]:7|[fd00::2]:1000|fd00::1"; do
	IFS='|' read -r their ours echo_at from to <<<"$path"
	n=$((n + 1))
	ETHERCONN_SOCKET=$far start "${as_client[@]}" "$build/examples/udp_echo" "${their//;/|}" "$echo_at"
	claimed=$((claimed + 2))
	until_shown endpoints "$far" . $claimed
	as_near "$build/examples/ev_ping" -c 1 "${ours//;/|}" "$from" "$to" 7 >"$work/$n" 2>&1
	check "ev_ping ${ours//;/|} to $to: exit 0" [ $? = 0 ]
	check "... and it tells how long it took" grep -qE '^1: [0-9]+ us$' "$work/$n"
done
check "l2_sniff saw an answer, untagged" \
	wait_for_line "$work/sniff" '01:01 > 02:00:00:00:02:01 0x0800' "$sniffer"
check "l2_sniff saw an answer, behind a tag" \
	wait_for_line "$work/sniff" '01:01 > 02:00:00:00:02:01 [|]100 0x0800' "$sniffer"
check "l2_sniff saw an answer, behind two" \
	wait_for_line "$work/sniff" '01:01 > 02:00:00:00:02:01 [|]200[|]100 0x86dd' "$sniffer"
check "a sniffer of its own address saw none of them" \
	[ "$(grep -c '> 02:00:00:00:02:01' "$work/sniff.idle")" = 0 ]

as_near "$build/examples/ev_ping" -c 1 02:00:00:00:02:01 10.1.0.2:1000 10.1.0.77 7 >"$work/none" 2>&1
check "ev_ping to nobody: exit 1" [ $? = 1 ]
as_near "$build/examples/ev_ping" 02:00:00:00:02:01 10.1.0.2:1000 nonsense 7 >"$work/none" 2>&1
check "ev_ping with nonsense: exit 2" [ $? = 2 ]
done_testing
