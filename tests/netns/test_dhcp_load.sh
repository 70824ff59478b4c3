#!/bin/bash
# test_dhcp_load.sh - examples/dhcp_load against real DHCP servers, which must agree with it.
#
#   dhcp_load -- etherconnd -- $if_d === $if_p -- tags off, MAC remembered -- srv0: the server
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/vlan_learn.sh
. "$(dirname "$0")/vlan_learn.sh"
need_root
begin
make_pair
vlan_learn_add "$ns_p" "$if_p" srv0 10.0.0.1/12
start_daemon

# load OUT OPTIONS...: run it as an unprivileged user; its exit code.
load() {
	local out=$1
	shift
	"${as_client[@]}" "$build/examples/dhcp_load" -s "$sock" "$@" >"$out" 2>&1
}
# retries OUT: per cent, in hundredths, of the first report
retries() { sed -n '/retries/{s/.*(\([0-9]*\)\.\([0-9]*\) %.*/\1\2/p;q}' "$1" | sed 's/^0*\(.\)/\1/'; }

# ---- dnsmasq: a few hundred, one tag, renewed and released ----

start "${enter_p[@]}" dnsmasq -k -p 0 --conf-file=/dev/null --interface=srv0 --bind-dynamic \
	--dhcp-range=10.1.0.0,10.1.255.255,255.240.0.0,1h --dhcp-leasefile="$work/leases" --no-ping \
	--dhcp-lease-max=10000 --user=root --pid-file= --log-facility=- 2>"$work/dnsmasq.log"
dnsmasq=$started
wait_for_line "$work/dnsmasq.log" "DHCP, IP range" "$dnsmasq"

n=300
load "$work/one" -n $n -V 100-199 -r 200 -R
check "$n clients on 100 VLANs: exit 0" [ $? = 0 ]
check "it says so" grep -q "^leases: $n of $n in " "$work/one"
check "all are renewed" grep -q "^renewals: $n of $n in " "$work/one"
check "it tells latencies" grep -qE "latency +p50 [0-9.]+ ms, p99 [0-9.]+ ms" "$work/one"
check "the server has leased as many addresses" [ "$(awk '{print $3}' "$work/leases" | sort -u | wc -l)" = $n ]
check "to the MAC addresses in order" grep -q " 02:dc:00:00:01:2b " "$work/leases" # 299
check "no frame found a full ring" [ "$(relay_counter rx_buffer_full)" = 0 ]
[ "$failures" = 0 ] || cat "$work/one"

load "$work/release" -n $n -V 100-199 -r 400 -x
check "released: exit 0" [ $? = 0 ]
nothing_leased() { # dnsmasq writes its file when it has read the releases
	local end=$((SECONDS + 10))
	while [ -s "$work/leases" ] && [ $SECONDS -lt $end ]; do sleep 0.05; done
	[ ! -s "$work/leases" ]
}
check "the server has nothing leased any more" nothing_leased

# Pacing
load "$work/pace" -n 200 -r 200
check "untagged, too" [ $? = 0 ]
took() { sed -n 's/^leases: .* in \([0-9]*\)\.\([0-9]*\) s.*/\1\2/p' "$1"; }
check "200 clients at 200 a second take a second" [ "$(took "$work/pace")" -ge 99 ]

# ---- what goes wrong is told ----

end_process "$dnsmasq"
# user, nice and system time, interrupts, steal; and all of it
cpu_time() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 + $9, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9 }' /proc/stat; }
before=$(cpu_time)
load "$work/none" -n 10 -r 100 -t 2
code=$?
# we have waited: what the machine did was for others
others=$(echo "$before $(cpu_time)" | awk '{ print int(100 * ($3 - $1) / ($4 - $2)) }')
check "no server: exit 1" [ $code = 1 ]
check "... out of time, all ten" grep -q "failed *10: out of time" "$work/none"
check "... after they asked again" grep -q "retries *10 (100.00 %" "$work/none"
load "$work/args" -V 200-100
check "VLANs that cannot be: exit 2" [ $? = 2 ]
load "$work/taken" -n 2 -m ff:ff:ff:ff:ff:fe
check "a group address as MAC: exit 1" [ $? = 1 ]

# ---- Kea: thousands, two tags ----

if ! command -v kea-dhcp4 >/dev/null; then
	echo "SKIP: no kea-dhcp4 here: thousands of clients on QinQ are not tried"
	done_testing
fi
cat >"$work/kea.json" <<JSON
{"Dhcp4": {"interfaces-config": {"interfaces": ["srv0"], "dhcp-socket-type": "raw"},
  "lease-database": {"type": "memfile", "persist": true, "name": "$work/kea-leases.csv", "lfc-interval": 0},
  "subnet4": [{"id": 1, "subnet": "10.0.0.0/12", "pools": [{"pool": "10.1.0.0-10.15.255.255"}]}],
  "valid-lifetime": 3600, "loggers": [{"name": "kea-dhcp4", "severity": "INFO",
  "output_options": [{"output": "stdout"}]}]}}
JSON
# a copy, for AppArmor lets the installed one read and write in its own places only
cp "$(command -v kea-dhcp4)" "$work/kea-dhcp4"
start "${enter_p[@]}" env KEA_PIDFILE_DIR="$work" KEA_LOCKFILE_DIR="$work" \
	"$work/kea-dhcp4" -c "$work/kea.json" >"$work/kea.log" 2>&1
wait_for_line "$work/kea.log" DHCP4_STARTED "$started"
# The rate is promised of a machine with two cores that does nothing else; there are three tries, for
# it may begin something meanwhile.  Sanitizers are never that fast.
n=11000 rate=5500
case $build in
*/address | */thread) n=3000 rate=500 ;;
*)
	if [ "$others" -gt 10 ]; then
		n=3000 rate=500
		echo "SKIP: the machine is $others % busy with others: 5500 leases a second are not tried"
	fi
	;;
esac
n=${CLIENTS:-$n} rate=${RATE:-$rate}
for _ in 1 2 3; do
	load "$work/qinq" -n "$n" -V 10-19.100-199 -r "$rate" ${WINDOW:+-w $WINDOW}
	code=$?
	cat "$work/qinq"
	[ $code != 0 ] || [ "$(retries "$work/qinq")" -gt 100 ] || break
done
check "kea, $n clients on 1000 QinQ VLANs at $rate a second: exit 0" [ $code = 0 ]
check "all have a lease" grep -q "^leases: $n of $n in " "$work/qinq"
check "the server agrees" [ "$(sed 1d "$work/kea-leases.csv" | cut -d, -f1 | sort -u | wc -l)" = "$n" ]
check "at most 1 in 100 had to ask again" [ "$(retries "$work/qinq")" -le 100 ]
done_testing
