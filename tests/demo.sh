#!/bin/bash
# demo.sh - a real DHCP lease on VLAN 100 through etherconnd, told as it happens.
#
#   namespace A                                   namespace B
#   etherconnd on one end of a veth pair  <---->  the other end, and behind VLAN 100 on it
#      ^ socket                                   a real DHCP server (dnsmasq)
#   dhcp_client, without privileges, in a namespace with no interface at all
set -eu
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/netns/lib.sh"

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n==> %s\n' "$*"; }

[ "$(id -u)" = 0 ] || { echo "The demo makes network namespaces: run it as root." >&2; exit 1; }
begin

say "Making two network namespaces joined by a veth pair: A ($ns_d) and B ($ns_p)"
make_pair
vlan_add "$ns_p" "$if_p" v100 100 0 10.100.0.1/16

say "Starting a real DHCP server (dnsmasq) in B, behind a VLAN 100 sub-interface"
start "${enter_p[@]}" dnsmasq -k -p 0 --conf-file=/dev/null --interface=v100 --bind-dynamic \
	--dhcp-range=10.100.1.0,10.100.250.255,255.255.0.0,1h --leasefile-ro --no-ping \
	--user=root --pid-file= --log-facility=- 2>"$work/dnsmasq.log"
wait_for_line "$work/dnsmasq.log" "DHCP, IP range" "$started"

say "Starting etherconnd in A as uid $daemon_uid, with CAP_NET_RAW and nothing else"
start_daemon
cat "$work/daemon.log"
echo "its capabilities now: $(grep -E 'Cap(Eff|Prm|Amb)' "/proc/$daemon/status" | tr -s '\t\n' ' ')"

say "Running examples/dhcp_client as uid $client_uid, with no capability and no interface in sight"
echo "(it asks for MAC aa:bb:cc:11:22:33 on VLAN 100: neither exists in the operating system)"
start unshare --net "${as_client[@]}" \
	"$build/examples/dhcp_client" -s "$sock" -H 60 >"$work/client.out" 2>&1
client=$started
wait_for_line "$work/client.out" "^bound" "$client" || exit 1
cat "$work/client.out"

say "What the DHCP server saw"
grep -E 'DHCP(DISCOVER|OFFER|REQUEST|ACK)' "$work/dnsmasq.log" | sed 's/.*dnsmasq-dhcp[^:]*: //'

say "etherconnctl status"
ctl status
for list in relays clients endpoints; do
	say "etherconnctl show $list"
	ctl show $list
done
say "etherconnctl stats"
ctl stats

address=$(sed -n 's/^bound: the endpoint is \(.*\):68 now$/\1/p' "$work/client.out")
end_process "$client"
say "It worked: an unprivileged program leased $address on VLAN 100 through etherconnd."
