# lib.sh - sourced: two network namespaces joined by a veth pair, programs in them, and a trap
# that removes all of it, also after Ctrl-C.
#
#   etherconnd side                      peer side
#   $ns_d: $if_d  <---- veth ---->  $ns_p: $if_p, sub-interfaces by vlan_add
#
# Everything lives in $work and under names with this shell's pid, so runs do not collide.
# shellcheck shell=bash

netns_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$netns_dir/../.." && pwd)
build=${BUILD:-$top/build}
tag=ec$$
ns_d=$tag-d ns_p=$tag-p
if_d=ecd0 if_p=ecp0
work=
pids=()

# Ids that no account has: an unprivileged daemon, an unprivileged client, and the socket's group.
# shellcheck disable=SC2034 # some are for the scripts that source this
daemon_uid=61301 client_uid=61302 other_uid=61303 socket_gid=61310

# shellcheck source=tests/say.sh
. "$top/tests/say.sh"
# shellcheck source=tests/netns/vlan.sh
. "$netns_dir/vlan.sh"

need_root() { [ "$(id -u)" = 0 ] || skip "network namespaces need root"; }

# Does this child of ours still run?  kill -0 would say so of a zombie too, and of a stranger who
# got the pid of a child that is gone.
is_running() {
	local state parent
	# a bare return in a trap would return what held before the trap
	read -r _ _ state parent _ 2>/dev/null <"/proc/$1/stat" || return 1
	[ "$state" != Z ] && [ "$parent" = $$ ]
}

# End the process and wait until it is gone; it gets five seconds to leave by itself.
end_process() {
	local pid=$1 end=$((SECONDS + 5))
	is_running "$pid" || return 0
	kill "$pid"
	while is_running "$pid" && [ $SECONDS -lt $end ]; do
		sleep 0.02
	done
	if is_running "$pid"; then
		echo "$(cat "/proc/$pid/comm") ($pid) had to be killed" >&2
		kill -KILL "$pid"
	fi
	wait "$pid" 2>/dev/null || true
}

clean_up() {
	local code=$? i
	trap '' INT TERM
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		end_process "${pids[i]}"
	done
	ip netns del "$ns_d" 2>/dev/null
	ip netns del "$ns_p" 2>/dev/null
	if [ -n "$work" ]; then
		mountpoint -q "$work/bpffs" && umount "$work/bpffs"
		rm -rf "$work"
	fi
	exit "$code"
}

# Make $work and set the trap.  Call first.  (No dot in the path: bpftool would rewrite it.)
begin() {
	work=$(mktemp -d /tmp/etherconnd-XXXXXX)
	chmod 755 "$work"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# Words to put before a program; with `start` they keep its pid, as functions would not.
enter_d=(nsenter "--net=/run/netns/$ns_d")
enter_p=(nsenter "--net=/run/netns/$ns_p")
as_client=(setpriv "--reuid=$client_uid" "--regid=$client_uid" "--groups=$socket_gid"
	--inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs)

in_d() { "${enter_d[@]}" "$@"; }
in_p() { "${enter_p[@]}" "$@"; }

# The two namespaces and the pair.  $1: MTU (default 1500).  Offloads are switched off, for
# kernel peers otherwise leave checksums and segmentation to hardware that is not there;
# OFFLOADS=on keeps them.
make_pair() {
	ip netns add "$ns_d"
	ip netns add "$ns_p"
	# no address by itself, no router solicitations: the counters shall be ours alone
	in_d sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	in_p sysctl -qw net.ipv6.conf.default.addr_gen_mode=1
	ip -n "$ns_d" link add "$if_d" mtu "${1:-1500}" type veth \
		peer name "$if_p" mtu "${1:-1500}" netns "$ns_p"
	if [ "${OFFLOADS:-off}" = off ]; then
		in_d ethtool -K "$if_d" tx off tso off gso off gro off >/dev/null 2>&1
		in_p ethtool -K "$if_p" tx off tso off gso off gro off >/dev/null 2>&1
	fi
	ip -n "$ns_d" link set "$if_d" up
	ip -n "$ns_p" link set "$if_p" up
	ip -n "$ns_p" link set lo up
}

# Run in the background, ended by the trap.  Its pid is in $started.
start() {
	"$@" &
	started=$!
	pids+=("$started")
}

# Wait until the file has a line that matches, or the process $3 is gone.  At most 20 s.
wait_for_line() {
	local file=$1 pattern=$2 pid=$3 end=$((SECONDS + 20))
	until grep -qE "$pattern" "$file" 2>/dev/null; do
		if ! is_running "$pid"; then
			grep -qE "$pattern" "$file" && return
			echo "process $pid ended without saying \"$pattern\":" >&2
			cat "$file" >&2
			return 1
		fi
		[ $SECONDS -lt $end ] || { echo "no \"$pattern\" in $file" >&2; return 1; }
		sleep 0.02
	done
}

# wait_for COMMAND...: until it succeeds, at most 20 s
wait_for() {
	local end=$((SECONDS + 20))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

mac_of() { # NETNS DEVICE
	ip -n "$1" -j link show "$2" | sed 's/.*"address":"\([^"]*\)".*/\1/'
}

# Start the daemon on $if_d as an unprivileged user with CAP_NET_RAW and CAP_BPF, and wait until it
# is ready.  Socket: $sock; log: $work/daemon.log; pid: $daemon.  Arguments go to it.
start_daemon() {
	local caps=+net_raw,+bpf
	sock=$work/run/etherconnd.sock
	mkdir -p "$work/run"
	chown $daemon_uid:$socket_gid "$work/run"
	start "${enter_d[@]}" setpriv --reuid=$daemon_uid --regid=$socket_gid --clear-groups \
		--inh-caps=-all,$caps --ambient-caps=-all,$caps --bounding-set=-all,$caps \
		"$build/etherconnd" -i "$if_d" -s "$sock" -g $socket_gid "$@" 2>"$work/daemon.log"
	daemon=$started
	wait_for_line "$work/daemon.log" "serving at" "$daemon"
}

# A kernel's UDP echo on the peer side, port 7, every address; its pid is in $started.
start_echo() {
	start "${enter_p[@]}" "$build/tests/tool_udp_echo" 7 >"$work/echo.out"
	wait_for_line "$work/echo.out" ready "$started"
}

# etherconnctl as an unprivileged user of the socket's group, without any capability.
ctl() { "${as_client[@]}" "$build/etherconnctl" -s "$sock" "$@"; }

# One counter of the only relay.
relay_counter() {
	ctl -j show relays | tr ',{' '\n\n' | sed -n "s/^\"$1\":\([0-9]*\).*/\1/p"
}
relay_counted() { [ "$(relay_counter "$1")" -ge "$2" ]; } # COUNTER AT-LEAST
