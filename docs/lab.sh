#!/bin/bash
# lab.sh - the laboratory of TUTORIAL.md: an interface to serve, and a DHCP server behind it.
#
#   lab.sh up            lab0 here <== veth ==> lab1 in the network namespace "lab"
#   lab.sh server VLAN   kea-dhcp4 behind that VLAN of lab1, until Ctrl-C or the next one
#   lab.sh ask           the server looks, by ARP, for a client that is not there
#   lab.sh down          everything gone
set -eu
netns_dir=$(cd "$(dirname "$0")/../tests/netns" && pwd)
work=/run/etherconnd-lab
# shellcheck source=tests/netns/vlan.sh
. "$netns_dir/vlan.sh"

up() {
	mkdir -p "$work"
	ip netns add lab
	ip link add lab0 type veth peer name lab1 netns lab
	# a veth pair leaves checksums to hardware that is not there
	ethtool -K lab0 tx off >/dev/null
	ip netns exec lab ethtool -K lab1 tx off >/dev/null
	# only what somebody sends on purpose shall be counted
	ip link set lab0 addrgenmode none up
	ip -n lab link set lab1 addrgenmode none up
	ip netns exec lab sysctl -qw net.ipv6.conf.default.addr_gen_mode=1 || true
	echo "lab0 is up"
}

config() {
	cat <<JSON
{"Dhcp4": {
  "interfaces-config": {"interfaces": ["srv0"], "dhcp-socket-type": "raw"},
  "lease-database": {"type": "memfile", "persist": false},
  "subnet4": [{"id": 1, "subnet": "10.0.0.0/12", "pools": [{"pool": "10.1.0.0-10.15.255.255"}]}],
  "loggers": [{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{"output": "stdout"}]}]}}
JSON
}

# A datagram to whoever: the kernel asks three times, a second apart.
ask() {
	echo "the server asks who has 10.1.0.7"
	ip netns exec lab bash -c 'echo >/dev/udp/10.1.0.7/9'
}

# The server before, by the pid it left; it may be gone, and the pid a stranger's.
stop_server() {
	local pid
	pid=$(cat "$work/server.pid" 2>/dev/null) || return 0
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = kea-dhcp4 ] || return 0
	kill "$pid"
	tail --pid="$pid" -f /dev/null
}

server() {
	stop_server
	ip -n lab link del srv0 2>/dev/null || true
	vlan_add lab lab1 srv0 "$1" 0 10.0.0.1/12
	config >"$work/kea.json"
	# a copy, for AppArmor lets the installed one read and write in its own places only
	cp "$(PATH=$PATH:/usr/sbin command -v kea-dhcp4)" "$work/kea-dhcp4"
	echo $$ >"$work/server.pid"
	echo "kea serves 10.0.0.0/12 behind VLAN $1"
	export KEA_PIDFILE_DIR=$work KEA_LOCKFILE_DIR=$work
	exec ip netns exec lab "$work/kea-dhcp4" -c "$work/kea.json"
}

down() {
	stop_server
	ip link del lab0 2>/dev/null || true # now; with the namespace it would go a little later
	ip netns del lab 2>/dev/null || true
	if mountpoint -q "$work/bpffs"; then umount "$work/bpffs"; fi
	rm -rf "$work"
	echo "nothing is left"
}

case ${1-}:${2-} in
up: | ask: | down:) "$1" ;;
server:[0-9]*) server "$2" ;;
*) sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2 ;;
esac
