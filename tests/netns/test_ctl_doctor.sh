#!/bin/bash
# test_ctl_doctor.sh - etherconnctl doctor finds each thing that is broken here, and the command
# that it names mends it.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
make_pair 1508
in_d ethtool -K "$if_d" rxvlan off >/dev/null 2>&1
start_daemon || exit 1

doctor() { "${enter_d[@]}" "${as_client[@]}" "$build/etherconnctl" -s "$sock" "$@" doctor; }

# mend CHECK: the command that doctor names for it.
mend() {
	doctor -j | python3 -c '
import json, sys
for f in json.load(sys.stdin)["findings"]:
    if f["check"] == sys.argv[1]:
        print(f.get("mend", ""))' "$1"
}

# The kernel tells of a carrier a little later.
link_is() { ip -n "$ns_d" link show dev "$if_d" | grep -q "$1"; }
wait_for_link() { wait_for link_is "$1"; }

says_all_is_well() { [ "$(doctor)" = "all is well" ]; }

# breaks NAME CHECK COMMAND...: after COMMAND doctor exits 1 and names CHECK; what it says, run,
# makes all well again.
breaks() {
	local name=$1 check=$2 command
	shift 2
	if ! "$@" >/dev/null 2>&1; then
		echo "SKIP: $name: $* does not work here"
		return
	fi
	check "$name is found" not_well
	command=$(mend "$check")
	if [ -z "$command" ]; then
		not_ok "$name: no command mends $check: $(doctor | tr '\n' ' ')"
		return
	fi
	# shellcheck disable=SC2086 # it is words
	in_d $command >/dev/null 2>&1
	wait_for_link " state UP "
	check "$name is mended by: $command" says_all_is_well
}

not_well() {
	doctor
	[ $? = 1 ]
}

# notes NAME CHECK COMMAND...: the same for what is only worth knowing.
notes() {
	local name=$1 check=$2 command
	shift 2
	"$@" >/dev/null 2>&1
	check "$name is no fault" doctor
	command=$(mend "$check")
	# shellcheck disable=SC2086
	in_d $command >/dev/null 2>&1
	check "$name is mended by: ${command:-nothing}" says_all_is_well
}

check "all is well at first" says_all_is_well
check "-a says what was looked at" grep -q "carries full packets" <(doctor -a)
check "an empty list in JSON" [ "$(doctor -j | tr -d '\n')" = '{"findings":[]}' ]

breaks "GRO" gro in_d ethtool -K "$if_d" gro on
breaks "GSO" gso in_d ethtool -K "$if_d" gso on
breaks "an IPv4 address" addresses ip -n "$ns_d" addr add 10.9.9.9/24 dev "$if_d"
breaks "a link that is down" link ip -n "$ns_d" link set "$if_d" down
breaks "a socket for everybody" socket chmod o+rw "$sock"
notes "VLAN offload" rxvlan in_d ethtool -K "$if_d" rxvlan on
notes "an MTU of 1500" mtu ip -n "$ns_d" link set "$if_d" mtu 1500

# TSO needs checksums left to hardware
in_d ethtool -K "$if_d" tx on gso off >/dev/null 2>&1
breaks "TSO" tso in_d ethtool -K "$if_d" tso on

start "${as_client[@]}" env ETHERCONN_SOCKET="$sock" \
	"$build/examples/udp_echo" '02:00:00:00:00:01|200|100' 10.0.0.1:7 2>"$work/echo.log"
claimed() { [ -n "$(ctl -br show ep vlan 200.100)" ]; }
wait_for claimed
breaks "an MTU of 1500 under two tags" mtu ip -n "$ns_d" link set "$if_d" mtu 1500

ip -n "$ns_p" link set "$if_p" down
wait_for_link NO-CARRIER
check "a lost carrier is found" grep -q "no carrier" <(doctor)
ip -n "$ns_p" link set "$if_p" up

check "an interface that is not served" grep -q "does not serve it" <(doctor -i lo)
check "an interface that is not here" grep -q "no such interface" <(ctl doctor)
chmod 600 "$sock"
check "a socket we may not use" grep -q "usermod -aG $socket_gid $client_uid" <(doctor)
end_process "$daemon"
check "no daemon" grep -q "systemctl start etherconnd@$if_d" <(doctor -i "$if_d")

# two instances: which one, only where the socket was not named
with_instances() {
	unshare --mount python3 -c '
import os, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
os.mkdir("/run/etherconnd")
instances = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
for i, s in enumerate(instances):
    s.bind("/run/etherconnd/eth%d.sock" % i)
    s.listen()
sys.exit(subprocess.run(sys.argv[1:]).returncode)' "$@"
}
doctor_there() { with_instances env -u ETHERCONN_SOCKET "$build/etherconnctl" "$@" doctor; }
check "no daemon, and two instances" grep -qE "doctor -i INTERFACE, one of: eth[01], eth[01]" <(doctor_there)
check "... not for another socket" grep -q "systemctl start etherconnd" <(doctor_there -s "$work/none")
check "the interface is looked at without one" grep -q "$if_d: it is up" <(doctor -a -i "$if_d")
done_testing
