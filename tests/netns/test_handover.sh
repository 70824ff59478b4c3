#!/bin/bash
# test_handover.sh - what needs privileges is opened by one process and handed to another, which
# never has any: as the units do it, with a stand-in for systemd.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
begin
# AF_XDP's memory is counted for all of a user's processes: one of its own, with what the units get
daemon_uid=61304
ulimit -l 8192
make_pair
mac=02:00:00:00:00:01
addr_add "$ns_p" "$if_p" 10.1.0.1/24
ip -n "$ns_p" neigh add 10.1.0.2 lladdr $mac dev "$if_p" nud permanent
peer_mac=$(ip -n "$ns_p" -j link show "$if_p" | sed 's/.*"address":"\([^"]*\)".*/\1/')
start "${enter_p[@]}" "$build/tests/tool_udp_echo" 7 >"$work/echo.out"
wait_for_line "$work/echo.out" ready "$started"

# stand_in PRIVILEGED... -- DAEMON...: runs the first with $NOTIFY_SOCKET, keeps what it is
# given, and becomes the second with $LISTEN_FDS.  What it is told goes to $work/told.
cat >"$work/stand_in.py" <<'PY'
import array, os, socket, subprocess, sys
path, told = sys.argv[1:3]
split = sys.argv.index("--")
opener, daemon = sys.argv[3:split], sys.argv[split + 1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
os.chmod(path, 0o666)
child = subprocess.Popen(opener, env=dict(os.environ, NOTIFY_SOCKET=path))
store = []
notify.settimeout(0.05)
while True:
    try:
        data, ancillary, _, _ = notify.recvmsg(4096, 4096)
    except TimeoutError:
        if child.poll() is not None:
            break
        continue
    fds = array.array("i")
    for level, kind, bytes_ in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(bytes_)
    states = data.decode().split("\n")
    with open(told, "a") as log:
        print(*states, len(fds), file=log)
    name = "".join(s[7:] for s in states if s.startswith("FDNAME="))
    if "FDSTORE=1" in states:
        store += [(fd, name) for fd in fds]
    elif "FDSTOREREMOVE=1" in states:
        for fd in [fd for fd, other in store if other == name]:
            os.close(fd)
        store = [kept for kept in store if kept[1] != name]
    else:
        for fd in fds:
            os.close(fd)
if child.returncode:
    sys.exit(child.returncode)
high = [os.dup2(fd, 100 + i) for i, (fd, _) in enumerate(store)]
os.set_blocking(notify.fileno(), True)
if os.fork() == 0:
    with open(told, "a") as log:
        while True:
            print(*notify.recv(4096).decode().split("\n"), file=log, flush=True)
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(high), 200)
os.environ.update(NOTIFY_SOCKET=path, LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)),
                  LISTEN_FDNAMES=":".join(name for _, name in store))
os.execvp(daemon[0], daemon)
PY

caps=+net_raw,+bpf
# shellcheck disable=SC2054 # setpriv's
opener=("${enter_d[@]}" setpriv "--reuid=$daemon_uid" "--regid=$socket_gid" --clear-groups
	--no-new-privs "--inh-caps=-all,$caps" "--ambient-caps=-all,$caps" "--bounding-set=-all,$caps")
plain=("${enter_d[@]}" setpriv "--reuid=$daemon_uid" "--regid=$socket_gid" --clear-groups
	--no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all)
program=("$build/etherconnd") # as the opener
sock=$work/run/etherconnd.sock
mkdir -p "$work/run"
chown $daemon_uid:$socket_gid "$work/run"

# handed_over NAME ARGUMENTS...: a daemon without privileges, after an opener with the same arguments
handed_over() {
	local name=$1
	shift
	rm -f "$work/notify" "$work/told"
	start python3 "$work/stand_in.py" "$work/notify" "$work/told" \
		"${opener[@]}" "${program[@]}" --handover -i "$if_d" "$@" -- \
		"${plain[@]}" "$build/etherconnd" -i "$if_d" -s "$sock" -g $socket_gid "$@" \
		2>"$work/daemon.log"
	daemon=$started
	if wait_for_line "$work/daemon.log" "serving at" "$daemon"; then
		ok "$name"
	else
		not_ok "$name"
	fi
}
honest() {
	"${as_client[@]}" "$build/tests/tool_ec_ping" -s "$sock" -m "$peer_mac" -n 3 \
		$mac 10.1.0.2:1000 10.1.0.1:7
}
caps_of() { sed -n "s/^Cap$1:[[:space:]]*//p" "/proc/$daemon/status"; }

handed_over "a daemon without privileges starts"
for set in Inh Prm Eff Bnd Amb; do
	check "Cap$set is empty" [ "$(caps_of $set)" = 0000000000000000 ]
done
check "frames go both ways" honest
check "the kernel filters" sh -c "! grep 'not dropped by the kernel' '$work/daemon.log'"
# for nobody
ip -n "$ns_p" neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev "$if_p" nud permanent
# datagrams ADDRESS PORT: three of them from the peer
datagrams() {
	in_p python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(3): s.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))' "$@"
}
datagrams 10.1.0.9 7
counted() { [ "$(relay_counter "$1")" -ge "$2" ] || { relay_counter "$1"; return 1; }; }
check "and counts what it drops" counted rx_filtered 3
if grep -q "store-xdp-" "$work/told"; then
	check "it sends by AF_XDP" grep -q "sends by AF_XDP" "$work/daemon.log"
else
	echo "SKIP: this kernel has no AF_XDP"
fi
check "the store is emptied" wait_for_line "$work/told" "FDSTOREREMOVE=1 FDNAME=store-rx-$if_d" "$daemon"
end_process "$daemon"

# of six datagrams the three that match are seen
filtered() {
	local before end=$((SECONDS + 5))
	before=$(relay_counter rx_offered)
	datagrams 10.1.0.2 9
	datagrams 10.1.0.2 7
	until counted rx_offered $((before + 3)) >/dev/null || [ $SECONDS -ge $end ]; do sleep 0.05; done
	[ "$(relay_counter rx_offered)" = $((before + 3)) ]
}
handed_over "with a filter in libpcap's words" -f "udp port 7"
check "frames go both ways" honest
check "what does not match is not seen" filtered
end_process "$daemon"

# what the first has stored before it failed is not the daemon's
# shellcheck disable=SC2016 # for the shell that runs it
program=(sh -c '"$0" --handover -i "$1" -f nonsense; shift; exec "$0" "$@"' "$build/etherconnd" "$if_d")
handed_over "after an opener that failed half way" -f "udp port 7"
check "what does not match is not seen" filtered
stored() { tr '\0' '\n' <"/proc/$daemon/environ" | sed -n 's/^LISTEN_FDNAMES=//p' | tr : '\n' | sort; }
check "nothing is stored twice" [ -z "$(stored | uniq -d)" ]
end_process "$daemon"
program=("$build/etherconnd")

# other_options NAME OPENER'S DAEMON'S: each a filter or "none"
other_options() {
	local with=() of_daemon=()
	[ "$2" = none ] || with=(-f "$2")
	[ "$3" = none ] || of_daemon=(-f "$3")
	rm -f "$work/notify"
	if timeout 20 python3 "$work/stand_in.py" "$work/notify" "$work/told" \
		"${opener[@]}" "$build/etherconnd" --handover -i "$if_d" "${with[@]}" -- \
		"${plain[@]}" "$build/etherconnd" -i "$if_d" -s "$sock" "${of_daemon[@]}" 2>"$work/refused"; then
		not_ok "$1"
	else
		check "$1" grep -q "$if_d was handed over with another filter" "$work/refused"
	fi
}
other_options "of the daemon only: a filter" none "udp port 7"
other_options "of the daemon only: no filter" none ""
other_options "of the opener only: a filter" "udp port 7" none
other_options "a filter, and all frames" "udp port 7" ""

# refused NAME WORDS ARGUMENTS...: the opener fails, and says why
refused() {
	local name=$1 words=$2
	shift 2
	rm -f "$work/notify"
	if python3 "$work/stand_in.py" "$work/notify" "$work/told" \
		"${opener[@]}" "$build/etherconnd" --handover "$@" -- false 2>"$work/refused"; then
		not_ok "$name"
	else
		check "$name" grep -q "$words" "$work/refused"
	fi
}
refused "a filter that is none" 'filter "nonsense' -i "$if_d" -f nonsense
check "without systemd it says so" sh -c \
	"! $build/etherconnd --handover -i $if_d 2>'$work/refused' && grep -q 'to systemd' '$work/refused'"
check "without privileges, and nothing handed over" sh -c \
	"! ${plain[*]} $build/etherconnd -i $if_d -s $work/run/x 2>'$work/refused' && grep -q CAP_NET_RAW '$work/refused'"
done_testing
