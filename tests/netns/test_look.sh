#!/bin/bash
# test_look.sh - looking at 50,000 endpoints: every one is listed, in little memory on either side, and
# who is served meanwhile loses nothing.
#
#   a host that asks 500 times a second -- daemon -- udp_echo; dhcp_load, which holds the many
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
make_pair 1504
start_daemon
addr_add "$ns_p" "$if_p" 10.1.0.1/24
mac=02:00:00:00:00:01
ip -n "$ns_p" neigh add 10.1.0.7 lladdr $mac dev "$if_p" nud permanent

n_claimed() { ctl -j status | sed 's/.*"endpoints":\([0-9]*\).*/\1/'; }
until_claimed() {
	local end=$((SECONDS + 60))
	until [ "$(n_claimed)" = "$1" ]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
ETHERCONN_SOCKET=$sock start "${as_client[@]}" "$build/examples/udp_echo" $mac 10.1.0.7:7
# nobody answers them, and most do not even ask before this is over
start "${as_client[@]}" "$build/examples/dhcp_load" -s "$sock" -n 24999 -V 10-19.100-199 -r 20 -t 120 \
	>"$work/load" 2>&1
check "50,000 endpoints" until_claimed 50000

# ask SECONDS: prints "ASKED ANSWERED WORST-MS"
cat >"$work/ask.py" <<'PY'
import select, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.1.0.7", 7))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE: answers may come all at once
end, due, asked, sent, worst = time.monotonic() + float(sys.argv[1]), 0, 0, {}, 0
while True:
    now = time.monotonic()
    if now < end and now >= due:
        sent[asked] = now
        s.send(b"%d" % asked)
        asked, due = asked + 1, max(due + 0.002, now)
    if now >= end and (not sent or now > end + 5):
        break
    if select.select([s], [], [], 0.001)[0]:
        worst = max(worst, time.monotonic() - sent.pop(int(s.recv(100))))
print(asked, asked - len(sent), "%.1f" % (1000 * worst))
PY
# look SECONDS: again and again, whole lists; prints the lists, the shortest, and the most memory
# that one had in KiB, near its end
cat >"$work/look.py" <<'PY'
import re, subprocess, sys, time
end, n, least, most = time.monotonic() + float(sys.argv[1]), 0, 1 << 30, 0
while time.monotonic() < end:
    for what in "endpoints", "clients":
        p = subprocess.Popen(sys.argv[2:] + ["show", what], stdout=subprocess.PIPE)
        lines = 0
        for _ in p.stdout:
            lines += 1
            if lines == 45000:
                status = open("/proc/%d/status" % p.pid).read()
                most = max(most, int(re.search(r"VmHWM:\s*(\d+)", status).group(1)))
        p.wait()
        if what == "endpoints":
            n, least = n + 1, min(least, lines)
print(n, least, most)
PY
resident() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status"; }

read -r asked answered worst < <(in_p python3 "$work/ask.py" 2)
check "without anybody who looks, all of $asked are answered (worst $worst ms)" [ "$answered" = "$asked" ]
before=$(resident)
start "${enter_p[@]}" python3 "$work/ask.py" 4 >"$work/asked"
asking=$started
{ python3 "$work/look.py" 4 "${as_client[@]}" "$build/etherconnctl" -s "$sock"; } >"$work/looked"
wait "$asking"
read -r lists least memory <"$work/looked"
after=$(resident)
read -r asked answered worst <"$work/asked"
check "while somebody looks, all of $asked are, too (worst $worst ms)" [ "$answered" = "$asked" ]
for counter in rx_kernel_drops rx_buffer_full tx_error; do
	check "$counter is 0" [ "$(relay_counter $counter)" = 0 ]
done
echo "$lists lists of 50,000 in 4 s; etherconnctl had $memory KiB, the daemon $before and then $after"
check "each list has all" [ "$least" = 50001 ]
# ---- again and again, without asking: the daemon may even stand still ----

# round FILE N: the rates of the client of udp_echo in its round N, "RX DROPS"
round() {
	python3 - "$1" "$2" <<'PY'
import json, sys
rows = json.loads(open(sys.argv[1]).read().splitlines()[int(sys.argv[2]) - 1])["clients"]
print(*[[r["rx"], r["drops"]] for r in rows if r["comm"] == "udp_echo"][0])
PY
}
# rounds FILE N: it has printed so many
rounds() { [ "$(wc -l <"$1")" -ge "$2" ]; }
start "${enter_p[@]}" python3 "$work/ask.py" 4 >"$work/asked"
asking=$started
start "${as_client[@]}" "$build/etherconnctl" -s "$sock" stats -j -i 0.2 >"$work/rates"
rates=$started
check "rates" wait_for rounds "$work/rates" 10
read -r rx drops < <(round "$work/rates" 10)
check "of udp_echo, which is asked 500 times a second: $rx" [ "$rx" -gt 250 ]
check "and loses $drops" [ "$drops" = 0 ]
kill -STOP "$daemon"
n=$(wc -l <"$work/rates")
check "a daemon that stands still is looked at all the same" wait_for rounds "$work/rates" $((n + 5))
read -r rx drops < <(round "$work/rates" $((n + 5)))
check "and does nothing: $rx" [ "$rx" = 0 ]
kill -CONT "$daemon"
wait "$asking"
read -r asked answered worst <"$work/asked"
check "all of $asked are answered in the end" [ "$answered" = "$asked" ]
ETHERCONN_SOCKET=$sock start "${as_client[@]}" "$build/examples/udp_echo" 02:00:00:00:00:77 10.1.0.8:7
both_seen() { [ "$(tail -n 1 "$work/rates" | grep -o udp_echo | wc -l)" = 2 ]; }
check "and another one that comes is seen" wait_for both_seen
end_process "$rates"

case $build in
*/address | */thread) ;;
*)
	check "etherconnctl needs less than 10 MB" test "$memory" -gt 0 -a "$memory" -lt 10000
	check "the daemon less than that more" [ $((after - before)) -lt 10000 ]
	;;
esac
done_testing
