#!/bin/bash
# check_model.sh - the wake-up protocol as a model, every state of it; and the same with one
# thing left out at a time, which must fail, or the model would not see what it is for.
set -u
here=$(cd "$(dirname "$0")" && pwd)
model=$here/model/wake.pml
# shellcheck source=tests/say.sh
. "$here/say.sh"
command -v spin >/dev/null || skip "spin is missing"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# search [-DWHAT...]: Spin's summary of the whole search in $work/out.
search() {
	spin -a "$@" "$model" >"$work/out" 2>&1 &&
		gcc -O2 -DSAFETY -o pan pan.c >>"$work/out" 2>&1 &&
		./pan -m1000000 >"$work/out" 2>&1 &&
		grep -q '^State-vector' "$work/out"
}

states() { sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$work/out"; }

# holds NAME [-DWHAT...]: nothing is found, and the search was a whole one.
holds() {
	local name=$1
	shift
	if search "$@" && grep -q 'errors: 0' "$work/out" &&
		! grep -qE 'not completed|max search depth|unreached.*error' "$work/out"; then
		ok "$name: $(states) states"
	else
		not_ok "$name"
		tail -30 "$work/out"
	fi
}

# fails WHAT COMPLAINT: without this the search finds just that.
fails() {
	if search "-D$1" && grep -qE "^pan:1: $2" "$work/out"; then
		ok "$1 is seen: $(sed -n 's/^pan:1: //p' "$work/out")"
	else
		not_ok "$1 is not seen"
		tail -30 "$work/out"
	fi
}

holds "the producer waits for room"
holds "the producer drops what finds no room" -DDROPS
for fence in PUBLISH ARM RELEASE ROOM; do
	fails NO_FENCE_$fence "invalid end state"
done
fails NO_SECOND_LOOK "invalid end state"
fails NO_SECOND_LOOK_ROOM "invalid end state"
fails LATE_DRAIN "invalid end state"
fails NO_HANGUP "invalid end state"
fails EARLY_INDEX "assertion violated"
done_testing
