#!/bin/bash
# check_security.sh - every test that docs/SECURITY.md leans on exists.
set -u
here=$(cd "$(dirname "$0")" && pwd)
text=$here/../docs/SECURITY.md

# exists NAME[:TEST]
exists() {
	local file=${1%%:*} test=${1#"${1%%:*}"}
	test=${test#:}
	for f in "$here/$file.c" "$here/$file.sh"; do
		[ -f "$f" ] && { [ -z "$test" ] || grep -q "^START_TEST($test)" "$f"; } && return
	done
	return 1
}

bad=0
names() { grep -oE '`((netns/)?(check|test|fuzz)_[a-z0-9_]+)(:[a-z0-9_]+)?`' "$text" | tr -d '`' | sort -u; }
for name in $(names); do
	if exists "$name"; then
		echo "ok - $name"
	else
		echo "not ok - $name: there is no such test"
		bad=1
	fi
done
for name in check_channel:test_nothing check_nothing; do
	if exists "$name"; then
		echo "not ok - believes in $name"
		bad=1
	fi
done
exit $bad
