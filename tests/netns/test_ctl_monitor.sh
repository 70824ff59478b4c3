#!/bin/bash
# test_ctl_monitor.sh - `etherconnctl monitor`: every event once, and a monitor that does not read
# loses some, is told how many, and holds up nobody.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin

mac=02:00:00:00:00:01
policy=$work/policy
rules() { echo "{ \"rules\": [ { \"name\": \"lab\", \"groups\": [\"$socket_gid\"], $1 } ] }" >"$policy"; }
make_pair
cat >"$work/daemon.conf" <<CONF
{ "policy": "$policy", "relays": [ { "interface": "$if_d" } ] }
CONF
rules '"vlans": ["100"]'
start_daemon -c "$work/daemon.conf"

# monitor NAME OPTION...: as root, who is an operator; its lines go to $work/NAME
monitor() {
	local name=$1
	shift
	start "$build/etherconnctl" -s "$sock" monitor "$@" >"$work/$name" 2>"$work/$name.err"
	watching=$started
	wait_for_line "$work/$name.err" monitoring "$watching"
}

# A client as the protocol wants it.  Its requests, one a line, are read from stdin.
client() {
	"${as_client[@]}" /usr/bin/python3 -c '
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
for r in sys.stdin.read().splitlines():
    s.send(r.encode())
    json.loads(s.recv(65536))' "$sock"
}
attach='{"request":"attach","version":1}'
# many FROM N: a request for so many endpoints
many() {
	python3 -c '
import json, sys
a, n = int(sys.argv[1]), int(sys.argv[2])
l2 = lambda i: {"l2": "02:00:00:00:%02x:%02x" % (i >> 8, i & 255), "vlans": [{"id": 100}]}
print(json.dumps({"request": "open", "endpoints": [l2(i) for i in range(a, a + n)]}))' "$1" "$2"
}

monitor text
text=$watching
monitor json -j
json=$watching

{ echo "$attach"; many 0 200; many 100 200; echo '{"request":"close","ids":[0,1,2,999]}'
	echo '{"request":"open","endpoints":[{"l2":"02:00:00:00:00:01","vlans":[{"id":200}]},{"l2":"02:00:00:00:00:02"}]}'
} | client
rules '"vlans": ["100", "200"]'
kill -HUP "$daemon"
wait_for_line "$work/text" policy_reloaded "$text"
echo '{ "rules": [ { "vlan": 7 } ] }' >"$policy"
kill -HUP "$daemon"
wait_for_line "$work/text" policy_refused "$text"
"$build/etherconnctl" -s "$sock" log debug
"$build/etherconnctl" -s "$sock" log info
in_d ip link set "$if_d" down
wait_for_line "$work/text" "interface .* down" "$text"
in_d ip link set "$if_d" up
wait_for_line "$work/text" "interface .* up" "$text"
start "$build/etherconnctl" -s "$sock" capture -w "$work/file" 2>"$work/capture.err"
capturing=$started
wait_for_line "$work/capture.err" capturing "$capturing"
"$build/etherconnctl" -s "$sock" -j show clients >"$work/clients"
id=$(sed 's/{"id"/\n{"id"/g' "$work/clients" | sed -n "s/^{\"id\":\([0-9]*\),\"pid\":$capturing,.*/\1/p")
"$build/etherconnctl" -s "$sock" kill "$id"
wait "$capturing"
check "a capture that is killed fails" test $? = 1
wait_for_line "$work/text" "an operator" "$text"

who='[0-9]+ python3\[[0-9]+\]'
once() { # NAME PATTERN: the line is there exactly once
	local n
	n=$(grep -cE "^[0-9:.]{12}  $2\$" "$work/text")
	if [ "$n" = 1 ]; then ok "$1"; else not_ok "$1: $n times: $(tr '\n' '/' <"$work/text")"; fi
}
once "attached" "attached +$who $if_d uid $client_uid"
once "a request's endpoints, in one line" \
	"opened +$who $if_d 200 endpoints, first 02:00:00:00:00:00\|100"
once "and how many were refused" \
	"opened +$who $if_d 100 endpoints, first 02:00:00:00:00:c8\|100, 100 refused"
once "none at all" "opened +$who $if_d 0 endpoints, 2 refused"
once "what the policy denied, and its rule" \
	"denied +$who $if_d 2 times: EACCES: $mac\|200: rule \"lab\" does not allow these VLANs"
once "closed" "closed +$who $if_d 3 endpoints"
once "gone" "gone +$who $if_d 297 endpoints: it has closed the connection"
once "the policy is another" "policy_reloaded +1 rule from $policy"
once "... or is not, and why" "policy_refused +.*vlan.*"
once "a log level" "log_level +[0-9]+ etherconnctl\[[0-9]+\] debug"
once "and the one before" "log_level +[0-9]+ etherconnctl\[[0-9]+\] info"
once "an interface that goes" "interface +$if_d down"
once "and comes" "interface +$if_d up"
once "who captures" "capturing +$id etherconnctl\[$capturing\] $if_d uid 0"
once "who was ended, and why" "gone +$id etherconnctl\[$capturing\] $if_d 0 endpoints: an operator has ended it"
check "and that is all" test "$(wc -l <"$work/text")" = 15

names() { python3 -c '
import json, sys
for line in open(sys.argv[1]):
    print(json.loads(line)["event"])' "$work/json" | sort | uniq -c | tr -s ' \n' ' '; }
check "as JSON, an object a line" test "$(names)" = \
	" 1 attached 1 capturing 1 closed 1 denied 2 gone 2 interface 2 log_level 3 opened 1 policy_refused 1 policy_reloaded "

monitor counted -c 1
"$build/etherconnctl" -s "$sock" log info
wait "$watching"
check "-c ends it" test $? = 0
check "after so many" test "$(wc -l <"$work/counted")" = 1

# ---- who does not read ----

end_process "$json"
monitor slow -j
slow=$watching
kill -STOP "$slow"
rules '"vlans": ["100"]'
kill -HUP "$daemon"
wait_for_line "$work/text" "policy_reloaded.*" "$text"
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status"; }
{ echo "$attach"; } | client
before=$(memory)
{ many 0 1; echo '{"request":"close","ids":[0]}'; } >"$work/requests"
{ echo "$attach"; for ((i = 0; i < 3000; i++)); do cat "$work/requests"; done; } | client
check "a monitor that does not read holds up nobody" \
	wait_for_line "$work/text" "gone +$who $if_d 0 endpoints" "$text"
case $build in
*/address | */thread) echo "SKIP: does the daemon grow? the sanitizer keeps what was freed" ;;
*) check "and the daemon does not grow" test "$(memory)" -lt $((before + 1000)) ;;
esac
kill -CONT "$slow"
wait_for_line "$work/slow" '"event":"lost"' "$slow"
# policy_reloaded; attached and gone, twice; 3000 times opened and closed
told() { python3 -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
lost = sum(e["n"] for e in events if e["event"] == "lost")
told = sum(e["event"] != "lost" for e in events)
print(lost > 0, told + lost)' "$work/slow"; }
check "what it was told, and what it lost, is all there was" test "$(told)" = "True 6005"

# ---- who may ----

refused() { ! ctl monitor 2>"$work/refused" && grep -q "watching all clients is for root" "$work/refused"; }
check "others are refused" refused
"$build/etherconnctl" -s "$sock" monitor >"$work/end" 2>"$work/end.err" &
watching=$!
pids+=("$watching")
wait_for_line "$work/end.err" monitoring "$watching"
end_process "$daemon"
wait "$watching"
check "when the daemon ends, it fails" test $? = 1
done_testing
