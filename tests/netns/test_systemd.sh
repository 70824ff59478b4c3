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

# Type=notify: READY=1 when it serves, STOPPING=1 when it leaves
notified=$work/notified
start python3 -u -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound")
while True: print(s.recv(4096).decode())' "$work/notify.sock" >"$notified"
wait_for_line "$notified" bound "$started"
listener=$started
start "${enter_d[@]}" env "NOTIFY_SOCKET=$work/notify.sock" \
	"$build/etherconnd" -i "$if_d" -s "$work/n.sock" 2>"$work/daemon.log"
daemon=$started
check "READY=1" wait_for_line "$notified" READY=1 "$listener"
check "and is ready then" "$build/etherconnctl" -s "$work/n.sock" status
end_process "$daemon"
check "STOPPING=1" wait_for_line "$notified" STOPPING=1 "$listener"
check "its socket is gone" [ ! -e "$work/n.sock" ]
done_testing
