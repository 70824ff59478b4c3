#!/bin/bash
# check_security.sh - every test that docs/SECURITY.md leans on exists.
set -u
here=$(cd "$(dirname "$0")" && pwd)
text=$here/../docs/SECURITY.md
# shellcheck source=tests/say.sh
. "$here/say.sh"

# exists NAME[:TEST]
exists() {
	local file=${1%%:*} test=${1#"${1%%:*}"}
	test=${test#:}
	for f in "$here/$file.c" "$here/$file.sh"; do
		[ -f "$f" ] && { [ -z "$test" ] || grep -q "^START_TEST($test)" "$f"; } && return
	done
	return 1
}

names() { grep -oE '`((netns/)?(check|test|fuzz)_[a-z0-9_]+)(:[a-z0-9_]+)?`' "$text" | tr -d '`' | sort -u; }
for name in $(names); do
	verdict "$name" "$(exists "$name" || echo "there is no such test")"
done
for name in check_channel:test_nothing check_nothing; do
	! exists "$name" || not_ok "believes in $name"
done
done_testing
