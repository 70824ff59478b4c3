#!/bin/bash
# run.sh - run every test of a build and sum up.
#
#   run.sh BUILD [NAME...]      names: check_ring, netns/test_demo ... (default: all)
#
# A test is a Check program (TAP on stdout) or a script that prints "ok", "not ok" and "SKIP:"
# lines; exit 0, or 77 for a test that was skipped whole.  Each has LIMIT seconds.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export BUILD=$1
shift
# what borrow.sh has brought, where the machine has none of its own
export PATH=$PATH:/usr/sbin:$here/../build/borrowed/bin
LIMIT=${LIMIT:-150}
passed=0 failed=0 skips=()
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

list_tests() {
	local f
	for f in "$here"/check_*.c; do basename "$f" .c; done
	for f in "$here"/check_*.sh; do basename "$f" .sh; done
	for f in "$here"/netns/test_*.sh; do echo "netns/$(basename "$f" .sh)"; done
}

run_one() {
	local name=$1
	if [ -f "$here/$name.c" ]; then
		CK_TAP_LOG_FILE_NAME=- CK_VERBOSITY=silent CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-1} \
			timeout -k 10 "$LIMIT" "$BUILD/tests/$name"
	else
		timeout -k 10 "$LIMIT" bash "$here/$name.sh"
	fi
}

# Count the lines of $out, show what failed, and what a test had to leave out.
judge() {
	local name=$1 code=$2 seconds=$3 good bad word=ok
	good=$(grep -c '^ok ' "$out")
	bad=$(grep -c '^not ok ' "$out")
	while read -r reason; do
		skips+=("$name: $reason")
	done < <(sed -n 's/^SKIP: //p' "$out")
	if [ "$code" = 77 ]; then
		word=skipped
	elif [ "$code" != 0 ] && [ "$bad" = 0 ]; then
		bad=1
		echo "not ok - ended with $code (124: took over $LIMIT s)" >>"$out"
	elif [ "$code" = 0 ] && [ "$good" = 0 ]; then
		bad=1
		echo "not ok - said nothing" >>"$out"
	fi
	[ "$bad" = 0 ] || word=FAILED
	printf '%-8s %-28s %4s passed %3s failed %4s s\n' "$word" "$name" "$good" "$bad" "$seconds"
	if [ "$bad" != 0 ]; then
		grep '^not ok ' "$out" | head -20 | sed 's/^/    /'
		grep -vE '^(ok |not ok |1\.\.|# )' "$out" | tail -40 | sed 's/^/    /'
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
}

[ $# != 0 ] || mapfile -t tests < <(list_tests)
[ $# = 0 ] || tests=("$@")
for name in "${tests[@]}"; do
	before=$SECONDS
	run_one "$name" >"$out" 2>&1 </dev/null
	judge "$name" $? $((SECONDS - before))
done
for skip in "${skips[@]+"${skips[@]}"}"; do
	echo "skipped: $skip"
done
echo "$passed passed, $failed failed, ${#skips[@]} skipped"
[ "$failed" = 0 ]
