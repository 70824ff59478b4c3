#!/bin/bash
# test_hostile.sh - clients that do the daemon and each other all the harm they can, and clients
# killed at any moment, while an honest neighbour exchanges datagrams with a kernel peer and
# loses none.  Afterwards nothing of them is left in the daemon.
#
# The neighbour offers a fixed rate, and keeps nine tenths of what it had alone, or, where that is
# less, beside as many processes that only burn the processor: with those the daemon has nothing to
# do.  Where it does not, both are measured again, three times in all.
#
# SOAK=1: ten minutes and ten thousand deaths instead of seconds and two hundred.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

if [ "${SOAK:-0}" = 1 ]; then
	seconds=600 deaths=10000
else
	seconds=6 deaths=200
fi
mac=02:00:00:00:00:01
harms=(scribble indices records forged doorbells memory flood descriptors churn claims deaf torrent
	holes pipes crowd generations orphans counters)

make_pair 1504 >/dev/null
addr_add "$ns_p" "$if_p" 10.1.0.1/24
ip -n "$ns_p" neigh add 10.1.0.2 lladdr $mac dev "$if_p" nud permanent
ip -n "$ns_p" neigh add 10.1.0.3 lladdr 02:00:00:00:00:02 dev "$if_p" nud permanent
peer_mac=$(mac_of "$ns_p" "$if_p")
start_echo
start_daemon

fds() { find "/proc/$daemon/fd" -mindepth 1 | wc -l; }
rings() { grep -c 'memfd:etherconn-[cd] ' "/proc/$daemon/maps"; }
clients() { ctl -j status | sed 's/.*"clients":\([0-9]*\).*/\1/'; }

# Only the one that asks is connected.
alone() { [ "$(clients)" = 1 ]; }
all_gone() { wait_for alone; }

honest() {
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -m "$peer_mac" -n 25 \
		$mac 10.1.0.2:1000 10.1.0.1:7
}

# A neighbour that offers so many datagrams a second until it is told to stop.
rate=2000
neighbour() { # OUTPUT
	start "${as_client[@]}" "$build/tests/tool_neighbour" "$sock" 02:00:00:00:00:02 "$peer_mac" \
		10.1.0.3:1000 10.1.0.1:7 $rate 86400 >"$1" 2>&1
	neighbour=$started
}
# end_neighbour NAME OUTPUT: it has lost none.  Its rate is in $kept.
end_neighbour() {
	kill -TERM "$neighbour"
	if wait "$neighbour"; then
		ok "$1: the neighbour's $(cat "$2")"
	else
		not_ok "$1: the neighbour: $(tail -1 "$2")"
	fi
	kept=$(sed -n 's/ a second.*//p' "$2")
}

at_least() { [ "$1" -ge "$2" ] || { echo "$1, not $2"; return 1; }; }

# What everybody who asked for multicast receives, and the deaf do not.
start "${enter_p[@]}" python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
while True:
    s.sendto(bytes(200), ("10.1.0.255", 9))
    time.sleep(0.001)'

# while_honest NAME PID...: the neighbour goes on until all of these have ended.
while_honest() {
	local name=$1 pid rounds=0 failed=0 running=1
	shift
	while [ $running = 1 ]; do
		running=0
		for pid in "$@"; do
			is_running "$pid" && running=1
		done
		honest 2>>"$work/honest.err" || failed=$((failed + 1))
		rounds=$((rounds + 1))
	done
	if [ $failed = 0 ]; then
		ok "$name: $((rounds * 200)) datagrams of the honest neighbour, none lost"
	else
		not_ok "$name: $failed of $rounds rounds failed: $(tail -1 "$work/honest.err")"
	fi
}

# Every frame is counted once: delivered, sent, or dropped for a reason.
counters_add_up() {
	ctl -j show relays | python3 -c '
import json, re, sys
kinds = dict(re.findall(r"X\((\w+), (\w+),", open(sys.argv[1]).read()))
counters = json.load(sys.stdin)["relays"][0]["counters"]
for way in "rx", "tx":
    parts = sum(v for k, v in counters.items() if k.startswith(way) and kinds[k] in ("out", "drop"))
    if parts != counters[way + "_offered"] or not parts:
        sys.exit(way + "_offered %d is not %d" % (counters[way + "_offered"], parts))' \
		"$top/proto/stats.h"
}

nothing_left() { # NAME
	check "$1: all are gone" all_gone
	check "$1: the daemon is the same" is_running "$daemon"
	check "$1: it has as many descriptors as before" [ "$(fds)" = "$fds_before" ]
	check "$1: it maps no ring" [ "$(rings)" = 0 ]
	check "$1: no endpoint is left" [ "$(ctl -j status | sed 's/.*"endpoints":\([0-9]*\).*/\1/')" = 0 ]
	check "$1: every frame is counted" counters_add_up
	check "$1: the log tells of no error" bash -c "! grep -E 'error|ERROR|runtime' '$work/daemon.log'"
}

check "before: an honest neighbour is served" honest
check "before: all are gone" all_gone
fds_before=$(fds)

# ---- what the neighbour has alone, and beside as many that burn the processor ----

neighbour "$work/alone"
sleep 3 # a rate is measured over time
end_neighbour "alone" "$work/alone"
alone=$kept
check "alone: it gets a rate to compare with" at_least "$alone" $((rate / 2))

beside_burners() {
	local pid children=()
	for _ in "${harms[@]}"; do
		start "${as_client[@]}" sh -c 'while :; do :; done'
		children+=("$started")
	done
	neighbour "$work/burners"
	sleep 3
	end_neighbour "beside ${#harms[@]} burners" "$work/burners"
	fair=$((kept < alone ? kept : alone))
	for pid in "${children[@]}"; do
		end_process "$pid"
	done
	check "all are gone again" all_gone
}

# ---- the hostile ----

beside_hostile() {
	local i children=()
	neighbour "$work/beside"
	for i in "${!harms[@]}"; do
		start "${as_client[@]}" "$build/tests/tool_hostile" "$sock" "${harms[i]}" $seconds $((i + 1)) \
			>"$work/${harms[i]}.out" 2>&1
		children+=("$started")
	done
	while_honest "hostile" "${children[@]}"
	for i in "${!harms[@]}"; do
		if wait "${children[i]}"; then
			ok "$(cat "$work/${harms[i]}.out")"
		else
			not_ok "${harms[i]}: $(tail -1 "$work/${harms[i]}.out")"
		fi
	done
	end_neighbour "beside the hostile" "$work/beside"
}

# Where other work has begun between the two, they are no measure of each other: both once more.
for try in 1 2 3; do
	beside_burners
	beside_hostile
	at_least "${kept:-0}" $((fair * 9 / 10)) >/dev/null && break
	echo "# try $try: ${kept:-0} a second beside the hostile, $fair beside burners"
done
check "it keeps nine tenths of what it had" at_least "${kept:-0}" $((fair * 9 / 10))
check "scribbling was found out" grep -qv 'ended 0 times' "$work/scribble.out"
check "the deaf were counted, not waited for" [ "$(relay_counter rx_copies_full)" -gt 0 ]
nothing_left "hostile"

children=()
for i in 1 2; do
	start "${as_client[@]}" "$build/tests/tool_killed" "$sock" $((deaths / 2)) "$i" \
		>"$work/killed.$i" 2>&1
	children+=("$started")
done
while_honest "killed" "${children[@]}"
for i in 1 2; do
	if wait "${children[i - 1]}"; then
		ok "killed: $(cat "$work/killed.$i")"
	else
		not_ok "killed: $(tail -1 "$work/killed.$i")"
	fi
done
nothing_left "killed"
done_testing
