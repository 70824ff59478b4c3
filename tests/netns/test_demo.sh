#!/bin/bash
# test_demo.sh - the demo, held to what it shows.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

# Are the namespaces that a demo's output names gone?
namespaces_gone() {
	local names
	names=$(grep -oE 'ec[0-9]+-[dp]' "$1" | sort -u)
	[ "$(wc -w <<<"$names")" = 2 ] && ! ip netns | grep -qwF "$names"
}

BUILD=$build bash "$top/tests/demo.sh" >"$work/demo.out" 2>&1
code=$?
out=$work/demo.out
check "it succeeds" [ "$code" = 0 ]
[ "$code" = 0 ] || cat "$out"

address=$(sed -n 's/.*leased \([0-9.]*\) on VLAN 100.*/\1/p' "$out")
in_range() { [[ $1 =~ ^10\.100\.([0-9]+)\.[0-9]+$ ]] && [ "${BASH_REMATCH[1]}" -ge 1 ] && [ "${BASH_REMATCH[1]}" -le 250 ]; }
check "the address is of the server's range" in_range "$address"
check "the server says the same" grep -qE "DHCPACK\(v100\) $address aa:bb:cc:11:22:33" "$out"
check "the endpoint took it" grep -qE "udp +aa:bb:cc:11:22:33\|100 +$address:68" "$out"
check "the daemon holds no capability" grep -qE 'CapPrm: 0+ CapEff: 0+ CapAmb: 0+ ' "$out"

counter() { sed -n "s/^  $1 *\([0-9]*\) .*/\1/p" "$out" | grep . || echo 0; }
sum() {
	local total=0 name
	for name in "$@"; do total=$((total + $(counter "$name"))); done
	echo $total
}
rx_drops="rx_runt rx_vlan_depth rx_bad_ip rx_bad_udp rx_oversize rx_miss rx_multicast_ignored rx_buffer_full"
tx_drops="tx_closed tx_invalid tx_oversize tx_spoofed tx_down tx_error"
check "offer and ack were received" [ "$(counter rx)" -ge 2 ]
check "discover and request were sent" [ "$(counter tx)" -ge 2 ]
# shellcheck disable=SC2086 # lists of words
check "what was received adds up" [ "$(counter rx_offered)" = "$(sum rx rx_multicast $rx_drops)" ]
# shellcheck disable=SC2086
check "what was sent adds up" [ "$(counter tx_offered)" = "$(sum tx $tx_drops)" ]
check "no namespace is left" namespaces_gone "$out"

# Interrupted as by Ctrl-C, it leaves nothing either.
BUILD=$build setsid bash "$top/tests/demo.sh" >"$work/interrupted.out" 2>&1 &
demo=$!
wait_for_line "$work/interrupted.out" "serving at" "$demo"
# a process started in the background ignores SIGINT; TERM takes the same way out
kill -TERM "$demo"
wait "$demo"
check "interrupted, it says so" [ $? = 143 ]
check "interrupted, it leaves no namespace" namespaces_gone "$work/interrupted.out"
socket=$(sed -n 's/.*serving at //p' "$work/interrupted.out")
nobody_uses() { [ -n "$1" ] && ! pgrep -f -- "-s $1" >/dev/null && [ ! -e "$1" ]; }
check "... and no process, no socket" nobody_uses "$socket"
done_testing
