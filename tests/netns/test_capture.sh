#!/bin/bash
# test_capture.sh - default and mirroring receivers over a real link: who may, and what they see.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
make_pair
vlan_add "$ns_p" "$if_p" v100 100 0
addr_add "$ns_p" v100 10.2.0.1/24
start_echo

cat >"$work/daemon.conf" <<CONF
{ "capture_group": "$socket_gid", "relays": [ { "interface": "$if_d" } ] }
CONF
start_daemon -c "$work/daemon.conf"

sniff() { # NAME ARGUMENT...: started, and listening; its lines go to $work/NAME.out
	local name=$1
	shift
	start "${as_client[@]}" "$build/examples/l2_sniff" -s "$sock" "$@" \
		>"$work/$name.out" 2>"$work/$name.err"
	sniffer=$started
	wait_for_line "$work/$name.err" listening "$sniffer"
}

sniff mirror -m 02:00:00:00:00:99
mirror=$sniffer
sniff default -d 02:00:00:00:00:98

check "the claimed frames go their way" "${as_client[@]}" "$build/tests/tool_ec_ping" \
	-s "$sock" -a -n 1 "$mac|100" 10.2.0.2:1000 10.2.0.1:7
check "the mirror sees them, with their tag" \
	wait_for_line "$work/mirror.out" "> $mac \|100 0x0800" "$mirror"
check "and the ARP that went before" \
	wait_for_line "$work/mirror.out" "> $mac \|100 0x0806" "$mirror"

# somebody whom nobody claims
in_p ip neigh add 10.2.0.77 lladdr 02:00:00:00:00:77 dev v100
in_p bash -c 'echo x >/dev/udp/10.2.0.77/9'
check "the mirror sees what nobody claims" \
	wait_for_line "$work/mirror.out" "> 02:00:00:00:00:77 \|100 0x0800" "$mirror"
check "so does the default receiver" \
	wait_for_line "$work/default.out" "> 02:00:00:00:00:77 \|100 0x0800" "$sniffer"
only_unclaimed() { ! grep -q "> $mac" "$work/default.out"; }
check "which saw nothing of what is claimed" only_unclaimed
check "it is counted so" test "$(relay_counter rx_default)" -ge 1

end_process "$daemon"
start_daemon
refused() {
	! "${as_client[@]}" "$build/examples/l2_sniff" -s "$sock" -d $mac 2>"$work/refused" &&
		grep -q "capture_group" "$work/refused"
}
in_p bash -c 'echo x >/dev/udp/10.2.0.77/9'
filtered() { [ "$(relay_counter rx_filtered)" -ge 1 ] && [ "$(relay_counter rx_miss)" = 0 ]; }
check "without them the kernel drops what nobody claims" filtered
check "who is not in the group is refused, and told why" refused
done_testing
