#!/bin/bash
# test_restart.sh - a client without privileges outlives its daemon: killed, aborted, ended and
# started again it serves on, and a kernel peer at the other end sees no more than a pause.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
make_pair
addr_add "$ns_p" "$if_p" 10.1.0.1/24
ip -n "$ns_p" neigh add 10.1.0.2 lladdr $mac dev "$if_p" nud permanent

# Datagrams to the echo server until one comes back, for ten seconds at most.  Of one byte: bash
# reads so many at a time, and the rest of a datagram would be lost.
echoes() {
	in_p bash -c '
		end=$((SECONDS + 10))
		exec 3<>/dev/udp/10.1.0.2/7
		until echo >&3 2>/dev/null && read -r -t 0.05 -u 3; do
			[ $SECONDS -lt $end ] || exit 1
		done'
}

# What a restart by the service manager looks like to the client.
restart_by() {
	kill "-$1" "$daemon"
	wait "$daemon" 2>/dev/null
	start_daemon
}

start_daemon
start "${as_client[@]}" env "ETHERCONN_SOCKET=$sock" "$build/examples/udp_echo" \
	$mac 10.1.0.2:7 "$if_d" >"$work/echo.out" 2>&1
client=$started
check "the echo server answers" echoes

for signal in KILL ABRT TERM KILL; do
	restart_by $signal
	check "and again after SIG$signal" echoes
	check "it is the same process" is_running "$client"
done
check "the new daemon knows it" grep -q udp_echo <(ctl show clients)

ctl_as_operator() { "$build/etherconnctl" -s "$sock" "$@"; }
id=$(ctl_as_operator -j show clients | tr '{' '\n' | sed -n 's/.*"id":\([0-9]*\).*"comm":"udp_echo".*/\1/p')
check "an operator ends it" ctl_as_operator kill "$id"
ended() {
	local end=$((SECONDS + 10))
	while is_running "$client" && [ $SECONDS -lt $end ]; do
		sleep 0.02
	done
	! is_running "$client"
}
check "and it does not come back" ended
check "for it was told so" grep -q "ended the connection" "$work/echo.out"
done_testing
