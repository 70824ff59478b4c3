#!/bin/bash
# test_bad_input.sh - what goes wrong at the command line gets one clear sentence and the right
# exit code: 1 it could not be done, 2 it was asked wrongly.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
make_pair

mac=02:00:00:00:00:01
ping_tool=("${as_client[@]}" "$build/tests/tool_ec_ping")

# refused NAME CODE PATTERN COMMAND...: exits so, says just one line on stderr, and that matches.
refused() {
	local name=$1 code=$2 pattern=$3 got lines
	shift 3
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	lines=$(wc -l <"$work/err")
	if [ "$got" = "$code" ] && [ "$lines" = 1 ] && grep -qE -- "$pattern" "$work/err"; then
		ok "$name: $(cat "$work/err")"
	else
		not_ok "$name: exit $got, said: $(tr '\n' ' ' <"$work/err")"
	fi
}

daemon_here() { in_d "$build/etherconnd" -s "$work/other.sock" "$@"; }

# ---- the daemon ----
refused "no interface named" 2 "which interface" in_d "$build/etherconnd"
refused "no such interface" 1 "no interface called eth9" daemon_here -i eth9
refused "not an interface name" 2 "not an interface name" daemon_here -i a/b
refused "not Ethernet" 1 "not an Ethernet interface" daemon_here -i lo
refused "unknown back-end" 2 "none of af_packet, af_packet_v3" daemon_here -i "$if_d" -b dpdk
refused "no such user" 2 "user: there is no" daemon_here -i "$if_d" -u nobody-such
refused "unknown argument" 2 "what is" daemon_here -i "$if_d" please
ip -n "$ns_d" link set "$if_d" down
refused "interface down" 1 "$if_d is down" daemon_here -i "$if_d"
ip -n "$ns_d" link set "$if_d" up
refused "no privilege" 1 "CAP_NET_RAW" \
	in_d "${as_client[@]}" "$build/etherconnd" -i "$if_d" -s "$work/other.sock"
refused "socket in no folder" 1 "cannot listen" \
	in_d "$build/etherconnd" -i "$if_d" -s "$work/none/x.sock"
echo "not a socket" >"$work/file"
refused "a file where the socket should be" 1 "is no socket" \
	in_d "$build/etherconnd" -i "$if_d" -s "$work/file"

cat >"$work/bad.conf" <<'CONF'
{
  // comments are fine
  "relays": [ { "interface": "eth1", "colour": "red" } ]
}
CONF
refused "unknown key in the file" 2 'bad.conf: .*unknown key "colour"' daemon_here -c "$work/bad.conf"
printf '{\n"relays": [\n}\n' >"$work/bad.conf"
refused "broken file" 2 "bad.conf: line 3" daemon_here -c "$work/bad.conf"
refused "no such file" 2 "none.conf: No such file" daemon_here -c "$work/none.conf"

# ---- no daemon yet ----
refused "ctl without a daemon" 1 "is etherconnd running" \
	"$build/etherconnctl" -s "$work/none.sock" status
refused "client without a daemon" 1 "is etherconnd running" \
	"${ping_tool[@]}" -s "$work/none.sock" $mac 10.0.0.1:1 10.0.0.2:7

# ---- a live daemon, a dead one ----
start_daemon
refused "socket of a live daemon" 1 "another daemon answers" \
	in_d "$build/etherconnd" -i "$if_d" -s "$sock"
check "the live one serves on" ctl status
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
check "a killed daemon leaves its socket file" [ -S "$sock" ]
refused "nobody behind the socket" 1 "is etherconnd running" "$build/etherconnctl" -s "$sock" status
start_daemon
check "the next daemon takes it over" ctl status

# ---- claims ----
ping_at() { "${ping_tool[@]}" -s "$sock" "$@"; }
refused "another interface" 1 "no relay on eth9" ping_at -i eth9 $mac 10.0.0.1:1 10.0.0.2:7
refused "VLAN 5000" 1 "ids up to 4095" ping_at "$mac|5000" 10.0.0.1:1 10.0.0.2:7
refused "three VLANs" 1 "at most two VLANs" ping_at "$mac|1|2|3" 10.0.0.1:1 10.0.0.2:7
refused "multicast source" 1 "multicast address cannot be a source" \
	ping_at 01:00:5e:00:00:01 10.0.0.1:1 10.0.0.2:7
own=$(mac_of "$ns_d" "$if_d")
refused "the interface's own address" 1 "the own address of $if_d" \
	ping_at "$own" 10.0.0.1:1 10.0.0.2:7
refused "not an IP address" 1 "no address like 10.0.0.1:67" ping_at $mac 10.0.0:1 10.0.0.2:7
refused "over the MTU" 1 "MTU of $if_d \(1500\) lets 1496 pass" \
	ping_at -S 1469 "$mac|200|100" 10.0.0.1:1 10.0.0.2:7

mkfifo "$work/hold"
# the fifo is opened by the process itself: either end waits for the other
start bash -c 'in=$1; shift; exec "$@" <"$in"' holder "$work/hold" \
	"${ping_tool[@]}" -s "$sock" -o "$mac|100" 10.0.0.1:1 10.0.0.2:7 >"$work/open.out"
exec 3>"$work/hold"
holder=$started
wait_for_line "$work/open.out" open "$holder"
refused "taken, and by whom" 1 "$mac\|100 is taken by pid $holder \(tool_ec_ping\)" \
	ping_at "$mac|100" 10.0.0.1:1 10.0.0.2:7
refused "taken, by somebody else" 1 "is taken by another user's client" \
	setpriv --reuid=$other_uid --regid=$other_uid --groups=$socket_gid \
	"$build/tests/tool_ec_ping" -s "$sock" "$mac|100" 10.0.0.1:1 10.0.0.2:7
exec 3>&-
wait "$holder"

refused "not in the group" 1 "permission denied" \
	setpriv --reuid=$other_uid --regid=$other_uid --clear-groups \
	"$build/etherconnctl" -s "$sock" status

# ---- etherconnctl ----
refused "unknown command" 2 "no command" "$build/etherconnctl" -s "$sock" frobnicate
refused "ambiguous command" 2 "may be" "$build/etherconnctl" -s "$sock" s
refused "unknown list" 2 "none of relays" "$build/etherconnctl" -s "$sock" show people
check "every command's JSON parses" bash -c "
	for c in status stats 'show relays' 'show clients' 'show endpoints'; do
		$build/etherconnctl -s $sock -j \$c | python3 -m json.tool >/dev/null || exit 1
	done"
done_testing
