#!/bin/bash
# running.sh - the packages under a real systemd: an upgrade leaves what runs alone, a removal
# stops it.
#
#   running.sh OLDER OLD-LIST VERSION NEW-LIST      lists: files with the names of packages
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/netns/lib.sh
. "$here/../tests/netns/lib.sh"
# shellcheck source=tests/netns/box.sh
. "$here/../tests/netns/box.sh"
older=$1 version=$3
need_root
begin
mkdir -p "$work"/cover/packages/{old,new}
xargs cp -t "$work/cover/packages/old" <"$2"
xargs cp -t "$work/cover/packages/new" <"$4"
box_boot "$work/cover"
# containers forbid maintainer scripts to start and stop anything
in_box rm -f /usr/sbin/policy-rc.d

property() { in_box systemctl show --value -p "$2" "$1"; }
put() { in_box sh -c "DEBIAN_FRONTEND=noninteractive dpkg -i /packages/$1/*.deb"; }
# serves UNIT VERSION: the daemon that runs there is of that version
serves() {
	[ "$(in_box sh -c "/proc/$(property "$1" MainPID)/exe --version")" = "etherconnd $2" ]
}
listening() { in_box ss -xl | grep -F /run/etherconnd/; }
nothing_listens() { ! listening; }

in_box ip link add eth1 type veth peer name eth2
in_box ip link set eth1 up
in_box ip link set eth2 up
check "an older version installs" put old
in_box sh -c 'sed "s/eth1/eth2/" /usr/share/doc/etherconnd/examples/etherconnd.conf >/etc/etherconnd.conf'
check "by configuration" in_box systemctl start etherconnd
check "by name" in_box systemctl start etherconnd@eth1.socket etherconnd@eth1
check "they run" serves etherconnd@eth1 "$older"
one=$(property etherconnd MainPID) other=$(property etherconnd@eth1 MainPID)
in_box sh -c 'exec etherconnctl show relays' >"$work/before"

# the tool is a client like any other
claimed() { in_box etherconnctl -br -i eth1 show endpoints | grep -c 02:00:00:00:00:07; }
claims() {
	local end=$((SECONDS + 20))
	until [ "$(claimed)" = 2 ]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
in_box systemd-run -q --collect --unit=client etherconnctl -i eth1 udp -l \
	mac 02:00:00:00:00:07 vlan 100 port 7
check "a client of it" claims
client=$(property client MainPID)
doctor() { in_box etherconnctl -i eth1 doctor | grep -A1 "$older.*$version" | grep -F "$1"; }
check "doctor sees no two versions" [ -z "$(doctor etherconnd)" ]

check "upgrade" put new
check "the client goes on" [ "$(claimed):$(property client MainPID)" = "2:$client" ]
check "doctor tells of the old daemon, and what to do" doctor "systemctl restart etherconnd@eth1"
check "what ran by configuration runs" [ "$(property etherconnd MainPID)" = "$one" ]
check "what ran by name, too" [ "$(property etherconnd@eth1 MainPID)" = "$other" ]
check "and is the old one" serves etherconnd@eth1 "$older"
check "the new tool speaks with the old daemon" in_box etherconnctl status
check "restart" in_box systemctl restart etherconnd etherconnd@eth1
check "then it is the new one" serves etherconnd@eth1 "$version"
check "the client has its endpoints from that" claims
check "it is the same" [ "$(property client MainPID)" = "$client" ]
check "doctor has nothing to tell of that any more" [ -z "$(doctor etherconnd)" ]
check "with the same configuration" diff "$work/before" <(in_box etherconnctl show relays)

check "removal" in_box dpkg -r etherconnd
check "stops what runs by configuration" [ "$(property etherconnd ActiveState)" != active ]
check "and by name" [ "$(property etherconnd@eth1 ActiveState)" != active ]
check "and the sockets" nothing_listens
check "purge" in_box dpkg -P etherconnd libetherconn0 libetherconn-dev
check "its folder is gone" in_box test ! -e /run/etherconnd
done_testing
