#!/bin/bash
# run.sh - make bench: everything side by side in one go, in network namespaces of its own.
#   BENCH_RUNS   how often each case runs (default 5; medians are printed)
#   BENCH_ONLY   receive, send or rtt: only this part
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
peer_mac=$(ip -n "$ns_p" -j link show "$if_p" | sed 's/.*"address":"\([^"]*\)".*/\1/p;d')

echo "$(nproc) processors, kernel $(uname -r); 64-byte frames with one VLAN tag over a veth pair"
in_d "$build/bench/bench_packets" "$if_d" "$if_p" "/run/netns/$ns_p" "$build/etherconnd" \
	"$work/bench.sock" "$build/bench.json" "$peer_mac"
echo
echo "The same as JSON: $build/bench.json"
