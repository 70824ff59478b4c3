#!/bin/bash
# test_ctl_udp.sh - etherconnctl udp and arping with a kernel peer, which is found by asking.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
me4="mac $mac vlan 100 ip 10.2.0.2/24" me6="mac $mac vlan 100 ip fd00:2::2/64"

make_peers() {
	make_pair 1504
	vlan_add "$ns_p" "$if_p" v100 100 0
	vlan_add "$ns_p" "$if_p" v200 200 100
	addr_add "$ns_p" v100 10.2.0.1/24
	addr_add "$ns_p" v100 fd00:2::1/64
	addr_add "$ns_p" v200 10.3.0.1/24
	ip -n "$ns_p" addr add 10.77.0.1/32 dev lo
	start_echo
	peer_mac=$(ip -n "$ns_p" -br link show dev v100 | grep -oE '([0-9a-f]{2}:){5}[0-9a-f]{2}')
}

# run NAME CODE ARGUMENT...: input from $work/in; what it says goes to $work/out and $work/err.
run() {
	local name=$1 code=$2 got
	shift 2
	ctl "$@" <"$work/in" >"$work/out" 2>"$work/err"
	got=$?
	if [ $got = "$code" ]; then
		ok "$name: exit $code"
	else
		not_ok "$name: exit $got, not $code: $(cat "$work/err")"
	fi
}
says() { check "$1" grep -qE -- "$2" "$work/err"; }
prints() { check "$1" grep -qE -- "$2" "$work/out"; }
same() { check "$1" cmp "$work/out" "$work/in"; }

# A python program of the kernel peer.
peer() { "${enter_p[@]}" python3 -c "$@"; }

make_peers >/dev/null
start_daemon

# ---- udp ----

# shellcheck disable=SC2086 # words
{
	printf 'hello\nworld, longer\n' >"$work/in"
	run "lines come back" 0 udp -w 5 -c 2 $me4 10.2.0.1 7
	same "each as it was"
	run "by IPv6, too" 0 udp -w 5 -c 2 $me6 fd00:2::1 7
	same "and whole"
	printf 'no end of line' >"$work/in"
	run "what no end of line ends is sent at the end" 0 udp -w 5 -c 1 $me4 10.2.0.1 7
	same "as it was"
	run "the tags may stand with the MAC address" 0 \
		udp -w 5 -c 1 mac "$mac|100" ip 10.2.0.2 10.2.0.1 7
	run "one JSON object for each" 0 -j udp -w 5 -c 1 $me4 port 4711 10.2.0.1 7
	check "that parses, and has all bytes" python3 -c '
import json, sys
o = json.loads(sys.stdin.read())
assert o["from"] == "10.2.0.1:7" and bytes.fromhex(o["hex"]) == b"no end of line", o
assert o["len"] == 14' <"$work/out"
	# no more than the kernel peer's socket holds
	seq 100 | sed 's/$/ of many lines, none of which may be lost or come twice/' >"$work/in"
	run "a hundred lines at once" 0 udp -w 5 -c 100 $me4 10.2.0.1 7
	same "come back in order"

	echo x >"$work/in"
	run "off the link without a gateway" 1 udp -w 1 $me4 10.77.0.1 7
	says "is said" "unreachable|gateway"
	peer '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.77.0.1", 9))
print("ready", flush=True)
data, who = s.recvfrom(100)
s.sendto(b"far " + data, who)' >"$work/far" &
	pids+=($!)
	wait_for_line "$work/far" ready $!
	run "by a gateway" 0 udp -w 5 -c 1 $me4 gateway 10.2.0.1 10.77.0.1 9
	prints "there and back" "^far x$"

	run "one of two" 1 udp -w 0.3 -c 2 $me4 10.2.0.1 7
	says "is not enough" "1 of 2 came"
	run "nobody at that port" 1 udp -w 0.3 $me4 10.2.0.1 9
	says "is said" "nothing came"
	run "nobody at that address" 1 udp -w 4 $me4 10.2.0.99 7
	says "is said, with the reason" "nobody answered ARP"
	head -c 70000 /dev/zero >"$work/in"
	run "a line of 70,000 bytes" 1 udp -w 5 $me4 10.2.0.1 7
	says "is too long" "longer than any datagram"
	{ head -c 1600 /dev/zero | tr '\0' x; echo; } >"$work/in"
	run "a line above the MTU" 1 udp -w 5 $me4 10.2.0.1 7
	says "is said" "etherconnctl: "
	echo x >"$work/in"
	ctl udp -w 5 $me4 10.2.0.1 7 <"$work/in" >/dev/full 2>"$work/err"
	check "a full output is exit 1" test $? = 1
	says "and said" "No space left"

	# who waits, and is written to by two; its answers go to whoever came last
	mkfifo "$work/answers"
	# (bash gives what it starts in the background no input but by its own redirection)
	# shellcheck disable=SC2016
	start bash -c 'exec "$@" <>"$0"' "$work/answers" "${as_client[@]}" "$build/etherconnctl" \
		-s "$sock" udp -l -w 20 -c 2 $me4 port 5000 >"$work/listen.out" 2>"$work/listen.err"
	listener=$started
	peer_asks() {
		peer '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
for i in range(100):
    s.sendto(b"ask\n", ("10.2.0.2", 5000))
    try:
        assert s.recv(100) == b"the answer\n"
        sys.exit(0)
    except TimeoutError:
        pass
sys.exit(1)'
	}
	claimed() { ctl show endpoints port "$1" | grep -q "10.2.0.2:$1"; }
	wait_claimed() { # PORT: its own messages tell when it is there
		local end=$((SECONDS + 20))
		until claimed "$1"; do
			is_running "$2" && [ $SECONDS -lt $end ] || return 1
		done
	}
	check "one that listens has claimed its port" wait_claimed 5000 "$listener"
	echo "the answer" >"$work/answers"
	run "another one on the same MAC address and tags" 0 udp -w 5 -c 1 $me4 port 5001 10.2.0.1 7
	run "but not on the same port" 1 udp -w 5 -c 1 $me4 port 5000 10.2.0.1 7
	says "is told who has it" "taken by pid $listener"
	check "the kernel finds it, and gets an answer" peer_asks
	check "which was asked" wait_for_line "$work/listen.out" "^ask$" "$listener"
	in_p bash -c 'echo again >/dev/udp/10.2.0.2/5000'
	wait "$listener"
	check "two are enough" test $? = 0
	check "and came out" grep -qx again "$work/listen.out"
	run "who listens to nobody" 1 udp -l -w 0.2 $me4 port 5002
}

# ---- arping ----

: >"$work/in"
run "arping" 0 arping -c 2 mac $mac vlan 100 10.2.0.1
check "two answers" test "$(grep -cE "^10\.2\.0\.1 is at $peer_mac  [0-9]+\.[0-9]{3} ms$" "$work/out")" = 2
prints "a sum" "^2 asked, 2 answered$"
run "with an address of its own" 0 arping -c 1 mac $mac vlan 100 ip 10.2.0.2 10.2.0.1
run "by Neighbour Discovery" 0 arping -c 1 mac $mac vlan 100 fd00:2::1
prints "answers too" "^fd00:2::1 is at $peer_mac "
run "with an IPv6 address of its own" 0 arping -c 1 mac $mac vlan 100 ip fd00:2::2 fd00:2::1
run "behind two tags" 0 arping -c 1 mac $mac vlan 200.100 10.3.0.1
run "as JSON" 0 -jp arping -c 1 mac $mac vlan 100 10.2.0.1
check "that parses" python3 -c '
import json, sys
o = json.load(open(sys.argv[1]))
assert o["asked"] == o["answered"] == 1 and len(o["answers"]) == 1, o
a = o["answers"][0]
assert a["address"] == "10.2.0.1" and a["mac"] == sys.argv[2] and a["time_us"] < 10**6, a' \
	"$work/out" "$peer_mac"
run "nobody, as JSON" 1 -j arping -c 1 -w 0.2 mac $mac vlan 100 10.2.0.99
check "parses too" python3 -c '
import json, sys
assert json.load(sys.stdin) == {"answers": [], "asked": 1, "answered": 0}' <"$work/out"
run "nobody in another VLAN" 1 arping -c 1 -w 0.2 mac $mac vlan 101 10.2.0.1
prints "is counted" "^1 asked, 0 answered$"
run "nobody has an IPv6 address" 1 arping -c 1 -w 0.2 mac $mac vlan 100 fd00:2::99
before=$(date +%s%N)
run "a limit of time" 1 arping -c 100 -w 0.5 mac $mac vlan 100 10.2.0.99
took=$((($(date +%s%N) - before) / 1000000))
check "is kept ($took ms)" test $took -ge 500 -a $took -lt 3000
run "an address nobody can have" 1 arping mac 01:00:5e:00:00:01 10.2.0.1
says "is refused in words" "multicast"

end_process "$daemon"
run "no daemon: udp" 1 udp -w 1 mac $mac ip 10.2.0.2 10.2.0.1 7
says "is said" "etherconnctl: ..."
run "no daemon: arping" 1 arping mac $mac 10.2.0.1
says "is said" "etherconnctl: ..."
done_testing
