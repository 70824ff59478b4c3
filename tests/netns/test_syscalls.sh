#!/bin/bash
# test_syscalls.sh - each back-end under the daemon's filter of system calls, through what is rare:
# an interface that goes down, comes back, disappears; a policy read again; an orderly end.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

filtered() { grep -q '^Seccomp:[[:space:]]*2' "/proc/$daemon/status"; }
log_says() { wait_for_line "$work/daemon.log" "$1" "$daemon"; }

# A datagram, whether or not it gets anywhere: who sends notices that a link is down.
send_one() {
	timeout 0.2 "${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -n 1 \
		'02:00:00:00:00:07|7' 10.0.0.7:7 10.0.0.8:7 >/dev/null 2>&1
	ctl show clients >/dev/null # it is still there
}

# Its exit status, in $status; by a function that runs in no subshell.
end_daemon() {
	kill -TERM "$daemon"
	wait "$daemon"
	status=$?
}

# Until show says so, for it takes the kernel a while.
becomes() {
	local end=$((SECONDS + 10))
	until ctl -j show relays | grep -q "\"up\":$1"; do
		[ $SECONDS -lt $end ] && is_running "$daemon" || return 1
	done
}

walk() {
	local name=$1
	shift
	make_pair
	start_daemon -c "$work/conf" "$@"
	if ! filtered; then
		echo "SKIP: the daemon has no filter: built with a sanitizer"
		exit 77
	fi
	ok "$name: the kernel says that it is filtered"
	check "$name: up" becomes true
	check "$name: sends" send_one
	kill -HUP "$daemon"
	check "$name: the policy is read again" log_says "policy of 1 rules"
	ip -n "$ns_d" link set "$if_d" down
	check "$name: down" becomes false
	check "$name: sends in vain" send_one
	ip -n "$ns_d" link set "$if_d" up
	check "$name: up again" becomes true
	ip -n "$ns_d" link del "$if_d"
	check "$name: gone" becomes false
	check "$name: sends nowhere" send_one
	end_daemon
	check "$name: ends well" test $status = 0
	ip netns del "$ns_d"
	ip netns del "$ns_p"
}

begin
cat >"$work/conf" <<END
{ "policy": "$work/policy", "relays": [] }
END
echo '{ "rules": [ { "users": ["root"], "groups": ["root", "nogroup"] } ] }' >"$work/policy"
chmod 644 "$work/conf" "$work/policy"
walk "af_packet by AF_XDP"
walk "af_packet by sendmmsg" -S socket
walk "af_packet_v3" -b af_packet_v3
walk "pcap" -b pcap
done_testing
