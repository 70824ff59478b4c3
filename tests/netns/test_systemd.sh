#!/bin/bash
# test_systemd.sh - readiness and socket activation, with systemd's own tools.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
command -v systemd-socket-activate >/dev/null || skip "no systemd-socket-activate"
begin
make_pair

sock=$work/activated.sock
start "${enter_d[@]}" systemd-socket-activate --seqpacket -l "$sock" \
	"$build/etherconnd" -i "$if_d" -s "$work/never.sock" 2>"$work/daemon.log"
daemon=$started
wait_for_line "$work/daemon.log" "Listening on" "$daemon"
check "no daemon before the first client" sh -c "! grep -q relay $work/daemon.log"
check "the first client starts it" "$build/etherconnctl" -s "$sock" status
check "it serves at systemd's socket" grep -q "serving at systemd's socket" "$work/daemon.log"
check "and made none of its own" [ ! -e "$work/never.sock" ]
end_process "$daemon"
check "the socket file is systemd's to remove" [ -S "$sock" ]

start "${enter_d[@]}" systemd-socket-activate -l "$work/stream.sock" \
	"$build/etherconnd" -i "$if_d" 2>"$work/daemon.log"
wait_for_line "$work/daemon.log" "Listening on" "$started"
python3 -c "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])" "$work/stream.sock"
check "a stream socket is refused with a sentence" \
	wait_for_line "$work/daemon.log" "not one listening sequential-packet socket" "$started"

# Type=notify: READY=1 when it serves, STOPPING=1 when it leaves; each line with its time
notified=$work/notified
start python3 -u -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound")
while True:
	for line in s.recv(4096).decode().split("\n"):
		print(time.monotonic(), line)' "$work/notify.sock" >>"$notified"
wait_for_line "$notified" bound "$started"
listener=$started
# notifying [VARIABLE=VALUE...]: a daemon that tells the listener
notifying() {
	start "${enter_d[@]}" env "NOTIFY_SOCKET=$work/notify.sock" "$@" \
		"$build/etherconnd" -i "$if_d" -s "$work/n.sock" 2>"$work/daemon.log"
	daemon=$started
}
# wait_until COMMAND...: at most 20 s, and while the daemon runs
wait_until() {
	local end=$((SECONDS + 20))
	until "$@" || [ $SECONDS -ge $end ] || ! is_running "$daemon"; do sleep 0.05; done
}
# those of its lines that match, and the least seconds between two of them
lines() { grep -c " $1" "$notified"; }
least_gap() {
	awk -v what="$1" '$2 ~ what { if (last && (!n++ || $1 - last < gap)) gap = $1 - last; last = $1 }
		END { print n ? gap : "none" }' "$notified"
}
more_than() { awk "BEGIN { exit !($1 > $2) }" || { echo "$1"; return 1; }; }

notifying WATCHDOG_USEC=200000 WATCHDOG_PID=1
check "READY=1" wait_for_line "$notified" READY=1 "$listener"
check "and is ready then" "$build/etherconnctl" -s "$work/n.sock" status
check "the status comes with it" [ "$(lines "STATUS=$if_d: 0 clients, 0 endpoints")" = 1 ]
# each client leaves as soon as the status has it, so the next line is due at once
mkfifo "$work/hold"
told() { [ "$(lines "STATUS=$if_d: $1")" -ge "$2" ]; }
for round in 1 2; do
	# shellcheck disable=SC2016 # what runs in the background has no stdin but by itself
	start bash -c 'exec "$@" <>"$0"' "$work/hold" "$build/tests/tool_ec_ping" -o -i "$if_d" \
		-s "$work/n.sock" 02:00:00:00:00:01 10.0.0.1:1 10.0.0.2:2 >/dev/null
	wait_until told "1 client, 2 endpoints" $round
	end_process "$started"
	wait_until told "0 clients, 0 endpoints" $((round + 1))
done
check "the status follows" told "0 clients, 0 endpoints" 3
check "once a second at most" more_than "$(least_gap STATUS=)" 0.7
check "another's watchdog is not ours" [ "$(lines WATCHDOG=1)" = 0 ]
end_process "$daemon"
check "STOPPING=1" wait_for_line "$notified" STOPPING=1 "$listener"
check "its socket is gone" [ ! -e "$work/n.sock" ]

notifying WATCHDOG_USEC=1000000
beats() { [ "$(lines WATCHDOG=1)" -ge 4 ]; }
wait_until beats
check "it says that it lives" beats
check "twice in the time" more_than 0.75 "$(least_gap WATCHDOG=1)"
end_process "$daemon"

check "a start that fails" sh -c "! NOTIFY_SOCKET=$work/notify.sock $build/etherconnd -i nowhere0 -s $work/n.sock 2>/dev/null"
check "says why" wait_for_line "$notified" 'STATUS=.*nowhere0' "$listener"
done_testing
