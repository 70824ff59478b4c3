#!/bin/bash
# test_send.sh - how a daemon with CAP_NET_RAW alone sends: by AF_XDP, by a packet socket, and
# which of them when AF_XDP cannot lock its memory; echoes go through in each way.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
make_pair
ip -n "$ns_p" addr add 10.1.0.1/24 dev "$if_p"
ip -n "$ns_p" neigh add 10.1.0.2 lladdr 02:00:00:00:00:01 dev "$if_p" nud permanent
peer_mac=$(mac_of "$ns_p" "$if_p")
start_echo

ping_peer() {
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -m "$peer_mac" \
		02:00:00:00:00:01 10.1.0.2:1000 10.1.0.1:7
}

all_was_sent() {
	[ "$(relay_counter tx)" -gt 0 ] && [ "$(relay_counter tx)" = "$(relay_counter tx_offered)" ]
}

has_no_capability() { grep -q "^CapEff:.0*$" "/proc/$daemon/status"; }

# serves NAME "HOW IT SAYS THAT IT SENDS" OPTION...
serves() {
	local name=$1 says=$2
	shift 2
	start_daemon "$@"
	check "$name: the log says so" grep -qE "$if_d sends by $says\$" "$work/daemon.log"
	check "$name: no capability is left" has_no_capability
	check "$name: an echo" ping_peer
	check "$name: all was sent" all_was_sent
	end_process "$daemon"
}

serves "socket" sendmmsg --send socket
if ! python3 -c 'import socket; socket.socket(44, socket.SOCK_RAW)' 2>"$work/xdp.err"; then
	echo "SKIP: AF_XDP: $(tail -1 "$work/xdp.err")"
	done_testing
fi

# 8 MiB, as systemd gives everybody
ulimit -l 8192
serves "auto" AF_XDP
serves "xdp" AF_XDP --send xdp

ulimit -l 64
serves "auto without memory" 'sendmmsg \(AF_XDP memory .*: No buffer space available\)'
start_daemon --send xdp >"$work/out" 2>&1
check "xdp without memory does not start" \
	grep -q "error: cannot open $if_d: AF_XDP memory .*LimitMEMLOCK" "$work/daemon.log"
done_testing
