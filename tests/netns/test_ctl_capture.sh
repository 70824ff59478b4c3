#!/bin/bash
# test_ctl_capture.sh - `etherconnctl capture` over a real link: frames behind one tag and two, both
# ways, and those that were dropped with the reason, as tcpdump and tshark read them.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
make_pair
vlan_add "$ns_p" "$if_p" v100 100 0
vlan_add "$ns_p" "$if_p" v200 200 300
vlan_add "$ns_p" "$if_p" v400 400 0
addr_add "$ns_p" v100 10.2.0.1/24
addr_add "$ns_p" v200 10.3.0.1/24
addr_add "$ns_p" v400 10.4.0.1/24
start_echo

cat >"$work/daemon.conf" <<CONF
{ "capture_group": "$socket_gid", "relays": [ { "interface": "$if_d" } ] }
CONF
start_daemon -c "$work/daemon.conf"
mkdir "$work/out"
chown "$client_uid" "$work/out"

# capture NAME ARGUMENT...: started, and capturing; its file is $work/out/NAME, its talk $work/NAME.err
capture() {
	local name=$1
	shift
	start "${as_client[@]}" "$build/etherconnctl" -s "$sock" capture -w "$work/out/$name" "$@" \
		2>"$work/$name.err"
	capturing=$started
	wait_for_line "$work/$name.err" "capturing" "$capturing"
}

# Interrupted, as by Ctrl-C, it ends the file properly.
interrupt() {
	kill -INT "$1"
	wait "$1"
}

# A line for each frame; of whose it is without the client's number.
fields() { # NAME
	tshark -n -r "$work/out/$1" -T fields -E separator=';' -e frame.interface_name \
		-e vlan.id -e frame.packet_flags_direction -e frame.comment -e udp.dstport \
		2>"$work/tshark.err" | sed 's|^[0-9]*/||; s|;0x0000000\([12]\);|;\1;|'
}
has() { fields "$1" | grep -qxF -- "$2"; } # NAME LINE
frames() { tshark -n -r "$work/out/$1" 2>/dev/null | wc -l; }

ping_100() {
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -a -n 1 -S "${1:-100}" "$mac|100" \
		10.2.0.2:1000 10.2.0.1:7
}
ping_200() {
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -a -n 1 -S 100 "$mac|200|300" \
		10.3.0.2:1000 10.3.0.1:7
}
# A datagram to somebody whom nobody claims, behind an interface of the peer's: DEVICE ADDRESS
unclaimed() {
	in_p ip neigh replace "$2" lladdr 02:00:00:00:00:77 dev "$1"
	in_p bash -c "echo x >/dev/udp/$2/9"
}

capture all
all=$capturing
capture vlan200 vlan 200.300
second=$capturing
check "frames go their way while somebody captures" ping_100
check "behind two tags, too" ping_200
unclaimed v400 10.4.0.77
unclaimed v100 10.2.0.77
check "the kernel keeps back nothing" wait_for relay_counted rx_miss 2
interrupt "$all"
check "interrupted, it ends well" test $? = 0
check "and says how much that was" grep -qE "[1-9][0-9]* frames captured, 0 missed" "$work/all.err"
interrupt "$second"
check "so does the second" test $? = 0

udp_of() { fields "$1" | awk -F';' '$5' | sort; }
check "sent, behind its tag" has all "1 $mac|100 10.2.0.2:1000;100;2;;7"
check "received" has all "1 $mac|100 10.2.0.2:1000;100;1;;1000"
check "sent behind two tags" has all "1 $mac|200|300 10.3.0.2:1000;200,300;2;;7"
check "received behind two tags" has all "1 $mac|200|300 10.3.0.2:1000;200,300;1;;1000"
check "another VLAN than anybody's, and why it went" \
	has all "$if_d;400;1;dropped: rx_miss;9"
check "another address, and why it went" has all "$if_d;100;1;dropped: rx_miss;9"
udp_of all >"$work/udp"
check "each once" test "$(wc -l <"$work/udp")" = 6
content() { ! grep -v "Running as user" "$work/tshark.err"; }
check "tshark has no complaint" content
check "tcpdump reads it" bash -c \
	"tcpdump -n -e -r '$work/out/all' 2>&1 | grep -q 'vlan 200.*vlan 300.*10.3.0.1.7'"
whole() { ! tshark -n -r "$work/out/all" -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE \
	-Y 'udp.checksum.status == 0 || ip.checksum.status == 0' 2>/dev/null | grep -q .; }
check "with the checksums that the client sees" whole
check "by whose it is: one endpoint's alone" \
	test "$(fields vlan200 | cut -d';' -f2 | sort -u)" = 200,300

# time stamps in nanoseconds, by this host's clock
fresh() {
	local first now
	first=$(tshark -n -r "$work/out/all" -c 1 -T fields -e frame.time_epoch)
	now=$(date +%s)
	[ $((now - ${first%.*})) -lt 300 ] && [[ $first =~ \.[0-9]{9}$ ]]
}
check "time stamps are in nanoseconds" fresh

# ---- docs/LOST_FRAME.md: client and server are on different VLANs ----

capture lost
start "${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -a -n 1 -S 100 "$mac|100" \
	10.4.0.2:1000 10.4.0.1:7 2>"$work/lost.out"
lost=$started
sent=$(relay_counter tx)
wait_for relay_counted tx $((sent + 1))
in_p bash -c 'echo x >/dev/udp/10.4.0.2/9'
check "the server's own frames are dropped" wait_for relay_counted rx_multicast_ignored 1
interrupt "$capturing"
end_process "$lost"
check "the client asks on its VLAN" has lost "0 $mac|100;100;2;;"
check "the server is on another" has lost "$if_d;400;1;dropped: rx_multicast_ignored;"

# ---- what it writes ----

capture counted -c 3
for _ in 1 2 3; do unclaimed v400 10.4.0.77; done
wait "$capturing"
check "-c ends it" test $? = 0
check "after so many" test "$(frames counted)" = 3

capture filtered -s 60 'vlan 400 and udp port 9'
ping_100 900 >/dev/null
unclaimed v400 10.4.0.77
wait_for relay_counted rx_miss 6
interrupt "$capturing"
check "a filter in libpcap's words" test "$(fields filtered)" = "$if_d;400;1;dropped: rx_miss;9"

capture short -s 60
ping_100 900 >/dev/null
interrupt "$capturing"
lengths() { tshark -n -r "$work/out/short" -T fields -e frame.cap_len -Y 'frame.len > 900' 2>/dev/null | sort -u; }
check "-s cuts" test "$(lengths)" = 60

refused() { # CODE WORDS ARGUMENT...
	local code=$1 words=$2
	shift 2
	ctl capture -w "$work/out/none" "$@" 2>"$work/refused"
	[ $? = "$code" ] && grep -qF -- "$words" "$work/refused" && [ ! -e "$work/out/none" ]
}
check "a bad filter: the compiler's words" refused 2 "syntax error" 'vlan vlan'
check "a filter in several words" refused 2 "syntax error" udp port port
check "keys and several words" refused 2 "an expression is one word" vlan 100 and udp
check "no such interface" refused 1 "no relay on nowhere" -i nowhere
check "no place to write" bash -c \
	"! '$build/etherconnctl' -s '$sock' capture -w '$work/no/where' 2>'$work/refused' &&
	grep -q 'No such file' '$work/refused'"

# ---- a pipe, without a file ----

start bash -c "'$build/etherconnctl' -s '$sock' capture -w - -c 2 'vlan and udp port 9' 2>'$work/pipe.err' |
	tcpdump -n -e -r - >'$work/pipe.out' 2>&1"
pipe=$started
wait_for_line "$work/pipe.err" capturing "$pipe"
unclaimed v400 10.4.0.77
unclaimed v100 10.2.0.77
wait "$pipe"
check "as a pipe to tcpdump" grep -q "vlan 400.*10.4.0.77.9" "$work/pipe.out"

# ---- rings that are full ----

# flood N SIZE: frames to the endpoint, from the peer
flood() {
	in_p python3 - "$if_p" "$mac" "$1" "$2" <<'PY'
import socket, sys
name, mac, n, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((name, 0))
frame = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("0200000000aa810000640800")
frame += bytes.fromhex("4500002000000000401100000a0200010a0200020007000a000c0000") + bytes(size - 46)
sent = 0
while sent < n:
    try:
        sent += s.send(frame) == len(frame)
    except OSError:
        pass
PY
}
start "${as_client[@]}" "$build/examples/l2_sniff" -s "$sock" "$mac|100" >"$work/sniff.out" 2>"$work/sniff.err"
sniffer=$started
wait_for_line "$work/sniff.err" listening "$sniffer"
kill -STOP "$sniffer"
capture full -B 16384 -s 64
offered=$(relay_counter rx_offered)
flood 6000 1000
check "all of the flood has come" wait_for relay_counted rx_offered $((offered + 6000))
check "more than the client's ring holds" test "$(relay_counter rx_buffer_full)" -gt 0
interrupt "$capturing"
kill -CONT "$sniffer"
end_process "$sniffer"
dropped() { fields full | grep -c "|100;100;1;dropped: rx_buffer_full;"; }
check "what found a full ring says so" test "$(dropped)" = "$(relay_counter rx_buffer_full)"
check "nothing was missed" grep -q ", 0 missed" "$work/full.err"

# A capture that does not read misses frames, nobody else does, and it is told.
capture slow -B 64
kill -STOP "$capturing"
offered=$(relay_counter rx_offered)
flood 2000 1000
wait_for relay_counted rx_offered $((offered + 2000))
check "a capture that does not read holds up nobody" ping_100
kill -CONT "$capturing"
interrupt "$capturing"
check "it says what it missed" grep -qE "[1-9][0-9]* missed" "$work/slow.err"
missed=$(sed -n 's/.* \([0-9]*\) missed.*/\1/p' "$work/slow.err")
statistics() { # the blocks one by one, by another's hand; isb_ifdrop of the only statistics
	python3 - "$work/out/slow" <<'PY'
import struct, sys
data = open(sys.argv[1], "rb").read()
at, found = 0, []
while at < len(data):
    kind, length = struct.unpack_from("=II", data, at)
    assert length % 4 == 0 and struct.unpack_from("=I", data, at + length - 4)[0] == length
    if kind == 5:
        option = at + 20
        while True:
            code, size = struct.unpack_from("=HH", data, option)
            if code == 5:
                found.append(struct.unpack_from("=Q", data, option + 4)[0])
            if code == 0:
                break
            option += 4 + (size + 3) // 4 * 4
    at += length
assert at == len(data) and len(found) == 1
print(found[0])
PY
}
check "and so does the file" test "$(statistics)" = "$missed"

# ---- and its end ----

capture killed
kill -KILL "$capturing"
wait "$capturing" 2>/dev/null
check "one that is killed harms nobody" ping_100
# without a capture the kernel drops again what nobody claims
one_filtered() {
	local before
	before=$(relay_counter rx_filtered)
	unclaimed v400 10.4.0.77
	wait_for relay_counted rx_filtered $((before + 1))
}
check "and the kernel drops again what nobody claims" one_filtered

capture orphan
end_process "$daemon"
wait "$capturing"
check "when the daemon ends, it fails" test $? = 1
check "with a sentence" grep -q "the daemon has closed the connection" "$work/orphan.err"
check "and a whole file" fields orphan

start_daemon
check "who is not in the capture group is refused" \
	refused 1 "is for root and the capture_group"
done_testing
