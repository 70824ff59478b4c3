#!/bin/bash
# run.sh - make bench: everything side by side in one go, in network namespaces of its own.
#   BENCH_RUNS   how often each case runs (default 5; medians are printed)
#   BENCH_ONLY   receive, send, rtt, macvlan, steady, memory or claims: only this part
set -eu
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../tests/netns/lib.sh"
[ "$(id -u)" = 0 ] || { echo "The benchmarks make network namespaces: run them as root." >&2; exit 1; }
begin
make_pair

ip -n "$ns_d" addr add 10.9.0.2/24 dev "$if_d"
ip -n "$ns_p" addr add 10.9.0.1/24 dev "$if_p"
ip -n "$ns_p" neigh add 10.9.0.3 lladdr 02:00:00:00:09:03 dev "$if_p" nud permanent
ip -n "$ns_p" neigh add 10.9.0.4 lladdr 02:00:00:00:09:04 dev "$if_p" nud permanent
peer_mac=$(mac_of "$ns_p" "$if_p")
only=${BENCH_ONLY:-}

echo "$(nproc) processors, kernel $(uname -r); 64-byte frames with one VLAN tag over a veth pair"
case $only in memory | claims) ;; *)
	in_d "$build/bench/bench_packets" "$if_d" "$if_p" "/run/netns/$ns_p" "$build/etherconnd" \
		"$work/bench.sock" "$work/packets.json" "$peer_mac"
	;;
esac
case $only in "" | memory) "$build/bench/bench_memory" "$work/memory.json" ;; esac
case $only in "" | claims)
	"$build/bench/bench_claims" "$build/etherconnd" "$work/claims.sock" "$work/claims.json"
	;;
esac

# one list out of one from each
cat "$work"/*.json | sed '/^\[$/d; /^\]$/d; s/}$/},/' | sed '1s/^/[\n/; $s/,$/\n]/' >"$build/bench.json"
echo
echo "The same as JSON: $build/bench.json"
