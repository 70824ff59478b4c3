#!/bin/bash
# test_metrics.sh - `etherconnctl metrics` of a daemon with clients, as Prometheus' own tool reads
# it: the older format by its linter, OpenMetrics by the reader that its server has.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
command -v promtool >/dev/null || skip "no promtool here (package prometheus)"
begin
make_pair
start_daemon
for i in 1 2 3; do
	ETHERCONN_SOCKET=$sock start "${as_client[@]}" "$build/examples/udp_echo" \
		"02:00:00:00:00:0$i|$i" 10.0.0.$i:7
done
all_there() { [ "$(ctl -br show endpoints | wc -l)" = 6 ]; }
wait_for all_there

ctl metrics -t >"$work/older"
check "of three clients" [ "$(grep -c '^etherconnd_client_tx_total{' "$work/older")" -ge 3 ]
check "the linter finds nothing in the older format" promtool check metrics <"$work/older"
lint_is_silent() { [ -z "$(promtool check metrics <"$work/older" 2>&1)" ]; }
check "... and says nothing" lint_is_silent
sees_a_fault() { ! sed 's/^# HELP.*//' "$work/older" | promtool check metrics; }
check "... as it would" sees_a_fault

# it stores only what has a time, which a scrape would give it
timed() { awk -v t="$(date +%s)" '/^#/ { print; next } { print $0, t }'; }
ctl metrics >"$work/open"
timed <"$work/open" >"$work/timed"
stores() { promtool tsdb create-blocks-from openmetrics "$1" "$2"; }
check "OpenMetrics is read, and stored" stores "$work/timed" "$work/tsdb"
mkdir -p "$work/tsdb/wal"
check "... all of it" [ "$(promtool tsdb dump "$work/tsdb" | wc -l)" = "$(grep -vc '^#' "$work/open")" ]
grep -v '^# EOF' "$work/timed" >"$work/cut"
not_stored() { ! stores "$@"; }
check "... but not without its end" not_stored "$work/cut" "$work/tsdb2"
done_testing
