#!/bin/bash
# check_units.sh - what systemd thinks of our units.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/say.sh
. "$top/tests/say.sh"
command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# systemd-analyze's exposure: 0 best, 10 worst
WORST=1.2

for unit in etherconnd.service etherconnd@.service; do
	sed "s|@SBINDIR@|$top/build|" "$top/systemd/$unit.in" >"$dir/$unit"
done
cp "$dir/etherconnd@.service" "$dir/etherconnd@eth1.service"
for unit in etherconnd.service etherconnd@eth1.service; do
	verdict "$unit is well formed" \
		"$(systemd-analyze verify --man=no "$dir/$unit" 2>&1 | grep -F etherconnd)"
	score=$(systemd-analyze security --offline=true --no-pager "$dir/$unit" 2>/dev/null |
		sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p')
	if awk "BEGIN {exit !(\"$score\" != \"\" && $score + 0 <= $WORST)}"; then
		verdict "$unit is exposed by $score" ""
	else
		verdict "$unit is exposed by $score" "at most $WORST"
	fi
done
done_testing
