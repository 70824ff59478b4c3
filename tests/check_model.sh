#!/bin/bash
# check_model.sh - the wake-up protocol as a model, every state of it; and the same with one
# thing left out at a time, which must fail, or the model would not see what it is for.
set -u
model=$(cd "$(dirname "$0")" && pwd)/model/wake.pml
command -v spin >/dev/null || {
	echo "SKIP: spin is missing"
	exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0

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
		echo "ok - $name: $(states) states"
	else
		echo "not ok - $name"
		tail -30 "$work/out"
		bad=1
	fi
}

# fails WHAT COMPLAINT: without this the search finds just that.
fails() {
	if search "-D$1" && grep -qE "^pan:1: $2" "$work/out"; then
		echo "ok - $1 is seen: $(sed -n 's/^pan:1: //p' "$work/out")"
	else
		echo "not ok - $1 is not seen"
		tail -30 "$work/out"
		bad=1
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
exit $bad
