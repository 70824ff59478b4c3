#!/bin/bash
# test_pcapfile.sh - a daemon without an interface: what a client sends is written to a capture, which
# another daemon replays to another client, whose answers are written to a third.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
sock=$work/sock

serve() { # ARGUMENT...
	start "$build/etherconnd" -i replay -b pcapfile -s "$sock" -g $socket_gid "$@" \
		2>"$work/daemon.log"
	daemon=$started
	wait_for_line "$work/daemon.log" "serving at" "$daemon"
}

dump() { tcpdump -enr "$1" 2>/dev/null; }

serve -w "$work/asked.pcap"
ask() { # N: what goes out is the N-th; nobody answers
	start "${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -i replay -n 1 -S 100 \
		-m 02:00:00:00:00:02 '02:00:00:00:00:01|100|200' 10.0.0.1:1000 10.0.0.2:7 2>/dev/null
	check "what a client sends is written: $1" wait_for relay_counted tx "$1"
	end_process "$started"
}
# the first is replayed with the first claim: that of the L2 endpoint, not yet that of the UDP one
ask 1
ask 2
end_process "$daemon"
asked() {
	dump "$work/asked.pcap" | grep -qE "02:00:00:00:00:01 > 02:00:00:00:00:02.*vlan 100,.*vlan 200,.*10\.0\.0\.1\.1000 > 10\.0\.0\.2\.7: UDP, length 100"
}
check "tcpdump reads it" asked

serve -r "$work/asked.pcap" -w "$work/answered.pcap"
start env ETHERCONN_SOCKET="$sock" "${as_client[@]}" "$build/examples/udp_echo" \
	'02:00:00:00:00:02|100|200' 10.0.0.2:7 replay
check "what was captured is replayed, and answered" wait_for relay_counted tx 1
check "every frame of it is counted" test "$(relay_counter rx_offered)" = 2
check "and was delivered" test "$(relay_counter rx)" = 2
end_process "$started"
end_process "$daemon"
answered() {
	dump "$work/answered.pcap" | grep -qE "02:00:00:00:00:02 > 02:00:00:00:00:01.*vlan 100,.*vlan 200,.*10\.0\.0\.2\.7 > 10\.0\.0\.1\.1000: UDP, length 100"
}
check "the answer is written" answered
done_testing
