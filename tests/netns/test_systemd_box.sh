#!/bin/bash
# test_systemd_box.sh - the units as installed, under a real systemd.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/box.sh
. "$(dirname "$0")/box.sh"
need_root
begin

cover=$work/cover
mkdir "$cover"
make -s -C "$top" install SAN= B="$build" DESTDIR="$cover" PREFIX=/usr \
	unitdir=/usr/lib/systemd/system >"$work/install.log" 2>&1 ||
	{ not_ok "make install: $(tail -3 "$work/install.log")"; done_testing; }
install -D -t "$cover/usr/bin" "$build"/tests/tool_{ec_ping,gap} "$build/examples/udp_echo"
slower=1
nm "$build/etherconnd" 2>/dev/null | grep -qE '__(a|t)san' && slower=10
# a sanitizer cannot look for leaks as a process without privileges
for service in etherconnd etherconnd@; do
	mkdir -p "$cover/etc/systemd/system/$service.service.d"
	printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
		>"$cover/etc/systemd/system/$service.service.d/test.conf"
done
box_boot "$cover"
in_box systemd-sysusers /usr/lib/sysusers.d/etherconnd.conf
in_box systemd-tmpfiles --create /usr/lib/tmpfiles.d/etherconnd.conf

sctl() { in_box systemctl --no-pager "$@"; }
property() { sctl show --value -p "$2" "$1"; }
is() { [ "$(property "$1" "$2")" = "$3" ] || { property "$1" "$2"; return 1; }; }
# like UNIT PROPERTY REGEX: the property is so within 20 s
like() {
	local end=$((SECONDS + 20)) value
	until value=$(property "$1" "$2") && [[ $value =~ $3 ]]; do
		[ $SECONDS -lt $end ] || { echo "$2 is $value"; return 1; }
		sleep 0.05
	done
}
# differs UNIT PROPERTY VALUE: it is no longer so within 20 s
differs() {
	local end=$((SECONDS + 20))
	until [ "$(property "$1" "$2")" != "$3" ]; do
		[ $SECONDS -lt $end ] || { echo "$2 is still $3"; return 1; }
		sleep 0.05
	done
}
write() { in_box sh -c 'cat >"$1"' sh "$1"; }
# of the daemon's processes in the box
proc_line() { in_box sed -n "s/^$2:[[:space:]]*//p" "/proc/$(property "$1" MainPID)/status"; }
add_link() { in_box ip link add "$1" type veth peer name "$1-peer"; in_box ip link set "$1-peer" up; in_box ip link set "$1" up; }
# One that opens an endpoint and holds it until client.service is stopped.
in_box_client='mkfifo /run/hold 2>/dev/null
exec tool_ec_ping -o -i eth1 -s /run/etherconnd/etherconnd.sock \
	02:00:00:00:00:01 10.0.0.1:1 10.0.0.2:2 <>/run/hold'
client() {
	in_box systemd-run -q --collect --unit=client sh -c "$in_box_client" &&
		box_wait 20 sh -c 'etherconnctl show clients | grep -q ec_ping'
}
status() { in_box etherconnctl status; }

# ---- the interfaces of a configuration; one comes late ----

fails() { ! "$@"; }
check "no start without a configuration" fails sctl start etherconnd
check "which is not tried again" like etherconnd ActiveState '^failed$'
check "for the daemon says so, not its opener" is etherconnd ExecMainStatus 2
check "the journal says why" in_box sh -c \
	'journalctl --sync; journalctl -u etherconnd -o cat | grep "/etc/etherconnd.conf: No such file"'
add_link eth1
write /etc/etherconnd.policy <<<'{"rules": [{"name": "all"}]}'
# the relays that the configuration names from now on
serve() { write /etc/etherconnd.conf <<<"{\"policy\": \"/etc/etherconnd.policy\", \"relays\": [$1]}"; }
serve '{"interface": "eth1"}, {"interface": "eth2"}'
check "no start without the interface" fails sctl start etherconnd
check "the status says which" like etherconnd StatusText 'eth2'
check "it is tried again" like etherconnd NRestarts '^[1-9]'
add_link eth2
check "with the interface it starts by itself" like etherconnd ActiveState '^active$'
check "it answers" status
check "its status says for whom it serves" is etherconnd StatusText "eth1, eth2: 0 clients, 0 endpoints"
check "as its own user" [ "$(proc_line etherconnd Uid)" = "$(in_box id -u etherconnd | sed 's/.*/&\t&\t&\t&/')" ]
check "without any capability" [ "$(proc_line etherconnd CapPrm)" = 0000000000000000 ]
for set in Inh Bnd Amb; do
	check "nor may it ever: Cap$set" [ "$(proc_line etherconnd Cap$set)" = 0000000000000000 ]
done
journal() { in_box journalctl -b -o cat -u "$1" "${@:2}"; }
# started_well UNIT: with all that was handed over to it.  Of its last start.
started_well() {
	local last end=$((SECONDS + 20))
	until last=$(journal "$1" _PID="$(property "$1" MainPID)") && grep -q "serving at" <<<"$last"; do
		[ $SECONDS -lt $end ] || break
		sleep 0.05
	done
	# memory that may be locked is shared by all of its user's processes, also outside
	grep -qE "sends by (AF_XDP|.*LimitMEMLOCK)" <<<"$last" && ! grep -q "not dropped by the kernel" <<<"$last" ||
		{ tail -5 <<<"$last"; return 1; }
}
check "it sends by AF_XDP, and the kernel filters" started_well etherconnd
# what closes slowly: two packet sockets an interface
packet_sockets() { in_box sh -c 'tail -n +2 /proc/net/packet | wc -l'; }
# has_sockets COUNT: so many packet sockets are left within 20 s
has_sockets() {
	local end=$((SECONDS + 20))
	until [ "$(packet_sockets)" = "$1" ]; do
		[ $SECONDS -lt $end ] || { packet_sockets; return 1; }
		sleep 0.05
	done
}
check "systemd keeps the packet sockets alone" like etherconnd NFileDescriptorStore '^4$'
before=$(property etherconnd MainPID)
in_box kill -KILL "$before"
check "after a crash there is another" differs etherconnd MainPID "$before"
check "it answers" box_wait 20 etherconnctl status
check "as well as before" started_well etherconnd
check "the sockets of the one before go when it has run for a while" has_sockets 4
check "and its own are kept" like etherconnd NFileDescriptorStore '^4$'
check "stop" sctl stop etherconnd
check "nothing is kept over that" is etherconnd NFileDescriptorStore 0
check "nor a socket" [ "$(packet_sockets)" = 0 ]
check "stopped clean" is etherconnd Result success
check "start" sctl start etherconnd
check "is ready when start returns" status

# ---- the status line follows clients; reload ----

check "a client" client
check "the status counts clients" like etherconnd StatusText '1 client, 2 endpoints'
write /etc/etherconnd.policy <<<'{"rules": [{"name": "nobody", "users": ["nonesuch"'
check "reload with a policy that is wrong" sctl reload etherconnd
check "the status says so" like etherconnd StatusText '/etc/etherconnd.policy'
check "and the daemon serves on" status
write /etc/etherconnd.policy <<<'{"rules": []}'
check "reload with one that is right" sctl reload etherconnd
check "the status is as it was" like etherconnd StatusText 'endpoints?$'
check "the client is still there" is client ActiveState active
check "nothing was restarted" is etherconnd NRestarts 0
sctl stop client

# ---- a client with many endpoints, half of each kind, over restarts ----

serve '{"interface": "eth1"}'
sctl restart etherconnd
check "of an interface that is not served any more nothing is kept" has_sockets 2

write /run/restarts.sh <<'END'
# restarts.sh COUNT COMMAND: in ms, the least of some, how long COMMAND, given the name of a service,
# interrupts the traffic of a client with so many endpoints of each kind; how long it takes from the
# command until all of them answer again; and how long until another service is there again that has
# the same sandbox and does nothing.
set -eu
endpoints() { etherconnctl status -j 2>/dev/null | sed 's/.*"endpoints":\([0-9]*\).*/\1/'; }
gaps() { grep -c gap /run/gaps || true; }
tenths() { echo $(($(date +%s%N) / 100000)); }
least() { sort -n | head -1 | sed 's/^.$/0&/; s/\(.\)$/.\1/'; }
pid() { systemctl show --value -p MainPID "$1"; }
# the daemon has been there for a while: its sockets are kept, its predecessor's gone; one is the peer's
settled() { [ "$(systemctl show --value -p NFileDescriptorStore etherconnd)" = 2 ] &&
	[ "$(tail -n +2 /proc/net/packet | wc -l)" = 3 ]; }
rm -f /run/gaps /run/took /run/bare
systemd-run -q --collect --unit=many -p StandardOutput=file:/run/gaps \
	tool_gap /run/etherconnd/etherconnd.sock eth1 eth1-peer "$1"
until [ -s /run/gaps ]; do sleep 0.05; done
for _ in 1 2 3; do
	until settled; do sleep 0.05; done
	n=$(gaps)
	begin=$(tenths)
	sh -c "$2" sh etherconnd
	until [ "$(gaps)" -gt "$n" ]; do sleep 0.005; done
	echo $(($(tenths) - begin)) >>/run/took
	[ "$(endpoints)" = $((2 * $1)) ] || { echo "of $((2 * $1)) endpoints $(endpoints)"; exit 1; }
	before=$(pid bare)
	begin=$(tenths)
	sh -c "$2" sh bare
	until [ "$(pid bare)" != "$before" ] && systemctl -q is-active bare; do :; done
	echo $(($(tenths) - begin)) >>/run/bare
done
systemctl stop many
until [ "$(endpoints)" = 0 ]; do sleep 0.05; done
echo "$(sed -n 's/^gap //p' /run/gaps | sort -n | head -1) $(least </run/took) $(least </run/bare)"
END
# what systemd itself takes for the sandbox and two processes
{
	sed '/^ExecStartPre=/,/[^\\]$/d; /^Exec/d; /^NotifyAccess=/d; /^WatchdogSec=/d' "$cover/usr/lib/systemd/system/etherconnd.service"
	printf '[Service]\nNotifyAccess=all\nExecStartPre=+/bin/true\nExecStart=/bin/sh -c "systemd-notify --ready; exec sleep infinity"\n'
} | write /run/systemd/system/bare.service
sctl daemon-reload
sctl start bare
is_less() { awk "BEGIN { exit !(\"$1\" != \"\" && $1 + 0 < $2) }"; }
# restarts NAME COUNT COMMAND GAP MS: traffic flows within GAP, and all is back within MS of the
# command.  The goal is 200 ms for 1,000 endpoints: the rest is for a machine that has other work.
restarts() {
	local gap took bare
	read -r gap took bare < <(timeout 100 nsenter -t "$box" -m -p -C -u -i -n env -i \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin bash /run/restarts.sh "$2" "$3" 2>&1 | tail -1)
	if is_less "$gap" "$4" && is_less "$took" "$5"; then
		ok "$1: $((2 * $2)) endpoints: no traffic for $gap ms; $took ms from the command, $bare for a bare unit"
	else
		not_ok "$1: $((2 * $2)) endpoints: no traffic for $gap ms, not $4; $took from the command, not $5; $bare for a bare unit"
	fi
}
# shellcheck disable=SC2016 # for the shell in the box
kill_it='kill -KILL $(systemctl show --value -p MainPID $1)'
# shellcheck disable=SC2016
restart_it='systemctl restart $1'
restarts "systemctl restart" 500 "$restart_it" $((300 * slower)) $((400 * slower))
restarts "SIGKILL" 500 "$kill_it" $((300 * slower)) $((400 * slower))
restarts "systemctl restart" 25000 "$restart_it" $((1000 * slower)) $((1500 * slower))
restarts "SIGKILL" 25000 "$kill_it" $((1000 * slower)) $((1500 * slower))
sctl stop bare
check "the status sees it go" like etherconnd StatusText '0 clients, 0 endpoints'
sctl stop etherconnd
serve '{"interface": "eth1"}, {"interface": "eth2"}'

# ---- an opener that may load no filter: the daemon does not ask for what would end it ----

dropin=/run/systemd/system/etherconnd.service.d
in_box mkdir -p $dropin
{
	printf '[Service]\nExecStartPre=\n'
	sed -n '/^ExecStartPre=/,/[^\\]$/p' "$cover/usr/lib/systemd/system/etherconnd.service" | sed 's/,+bpf//g'
} | write $dropin/nobpf.conf
sctl daemon-reload
check "without CAP_BPF it starts" sctl start etherconnd
check "it serves" status
filters_itself() { journal etherconnd | grep -q "not dropped by the kernel"; }
check "and says that it filters by itself" filters_itself
sctl stop etherconnd
in_box rm $dropin/nobpf.conf

# ---- what no time mends, and is over at once ----

write $dropin/nothing.conf <<<$'[Service]\nExecStartPre=\nExecStartPre=/nonexistent'
sctl daemon-reload
check "what cannot be executed does not start" fails sctl start etherconnd
# given up after 50 times within a second; where the machine is too slow for that, not so often
begin=$SECONDS
until is etherconnd ActiveState failed >/dev/null || [ $SECONDS -ge $((begin + 5)) ]; do sleep 0.05; done
check "and is tried 50 times a second at most" \
	[ "$(property etherconnd NRestarts)" -le $((50 * (SECONDS - begin + 1))) ]
in_box rm $dropin/nothing.conf
sctl daemon-reload
sctl stop etherconnd

# ---- libpcap, which cannot be handed an open interface ----

in_box cp /etc/etherconnd.conf /etc/etherconnd.conf.kept
write /etc/etherconnd.conf <<<'{"relays": [{"interface": "eth1", "backend": "pcap"}]}'
check "libpcap has no privilege by itself" fails sctl start etherconnd
check "the status says so" like etherconnd StatusText "cannot open eth1"
sctl stop etherconnd
# as etherconnd(8) has it
sed -n '/^\[Service\]/,/^\.Ed/p' "$top/daemon/etherconnd.8" | sed '$d' |
	write $dropin/pcap.conf
sctl daemon-reload
check "with the drop-in of the manual page it starts" sctl start etherconnd
check "and has dropped it" [ "$(proc_line etherconnd CapPrm)" = 0000000000000000 ]
check "it serves" status
sctl stop etherconnd
in_box rm $dropin/pcap.conf
in_box mv /etc/etherconnd.conf.kept /etc/etherconnd.conf
sctl daemon-reload

# ---- systemd's socket: never refused ----

check "socket" sctl start etherconnd.socket
check "which starts nothing" is etherconnd ActiveState inactive
check "for the group" [ "$(in_box stat -c '%U:%G %a %F' /run/etherconnd/etherconnd.sock)" = "etherconnd:etherconn 660 socket" ]
check "the first client starts the daemon" status
check "at that socket" is etherconnd ActiveState active
check "a client" client
in_box systemd-run -q --collect --unit=echo udp_echo 02:00:00:00:00:07 10.0.0.7:7 eth1
check "one that sleeps in a receiving call" like etherconnd StatusText '4 endpoints'
echo=$(property echo MainPID)
before=$(property etherconnd MainPID)
# shellcheck disable=SC2016 # for the shell in the box
check "clients that come while it restarts are all served" in_box bash -c '
	systemctl restart etherconnd & restart=$!
	n=0
	while :; do
		etherconnctl status >/dev/null || exit 1
		n=$((n + 1))
		kill -0 $restart 2>/dev/null || break
	done
	wait $restart && [ $n -gt 0 ]'
check "it did restart" differs etherconnd MainPID "$before"
check "a client that was there has its endpoints again" like etherconnd StatusText '2 endpoints'
check "and is the same process" is echo MainPID "$echo"
sctl stop echo
check "new clients are served" status
sctl stop client
before=$(property etherconnd MainPID)
in_box kill -KILL "$before"
check "a client that comes after a crash is served" status
check "by another daemon" differs etherconnd MainPID "$before"
check "which says that it was restarted" is etherconnd NRestarts 1

# ---- watchdog ----

check "the watchdog is on" is etherconnd WatchdogUSec 30s
sctl stop etherconnd.socket etherconnd
in_box mkdir -p /run/systemd/system/etherconnd.service.d
write /run/systemd/system/etherconnd.service.d/quick.conf <<<$'[Service]\nWatchdogSec=1s\nRestartSec=100ms'
sctl daemon-reload
sctl start etherconnd
before=$(property etherconnd MainPID)
for beat in first second third; do
	last=$(property etherconnd WatchdogTimestampMonotonic)
	check "an idle daemon beats: $beat" differs etherconnd WatchdogTimestampMonotonic "$last"
done
check "and lives" is etherconnd MainPID "$before"
in_box kill -STOP "$before"
check "a daemon that hangs is ended" differs etherconnd MainPID "$before"
check "and started again" like etherconnd ActiveState '^active$'
check "because of the watchdog" in_box sh -c 'journalctl -u etherconnd -o cat | grep -q "Watchdog timeout"'
check "it serves" status
sctl stop etherconnd

# ---- an instance for each interface ----

check "instances" sctl start etherconnd@eth1 etherconnd@eth2
check "eth1's" in_box etherconnctl -s /run/etherconnd/eth1.sock status
check "eth2's" in_box etherconnctl -s /run/etherconnd/eth2.sock status
check "eth2's, with all that it needs" started_well etherconnd@eth2
check "its status" is etherconnd@eth2 StatusText "eth2: 0 clients, 0 endpoints"
which_one() { ! in_box etherconnctl status 2>&1 | grep -vE '^etherconnctl: which daemon\? .*: (eth1, eth2|eth2, eth1)$'; }
check "of two, it must be said which one" which_one
check "one stops" sctl stop etherconnd@eth1
another() { ! in_box etherconnctl -i eth1 status 2>&1 | grep -vE '^etherconnctl: which daemon\? .*: eth2$'; }
check "who asks for that one is told of the other" another
check "the other serves on" in_box etherconnctl -s /run/etherconnd/eth2.sock status
check "its socket is gone" in_box test ! -e /run/etherconnd/eth1.sock
check "the only one there is needs no name" status
# the socket of one that ended without a right to remove it
in_box python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("/run/etherconnd/etherconnd.sock")'
check "also beside what a dead one has left" status
in_box rm /run/etherconnd/etherconnd.sock
check "and comes back as systemd's" sctl start etherconnd@eth1.socket
check "where a client starts it" in_box etherconnctl -s /run/etherconnd/eth1.sock status
check "it is that one" is etherconnd@eth1 ActiveState active
check "no start for an interface that is not there" fails sctl start etherconnd@eth9
check "its status says so" like etherconnd@eth9 StatusText 'eth9'
sctl stop etherconnd@eth9
# failed, if it was just opening sockets: systemd takes that signal for no clean end there
check "stop ends the trying" like etherconnd@eth9 ActiveState '^(inactive|failed)$'
[ "$failures" = 0 ] || in_box journalctl -b -o cat -u "etherconnd*" | tail -40
done_testing
