# say.sh - sourced: how tests of shell speak to run.sh, line by line and in the end.
# shellcheck shell=bash

failures=0
ok() { echo "ok - $*"; }
not_ok() {
	echo "not ok - $*"
	failures=$((failures + 1))
}

# check NAME COMMAND...: ok if the command succeeds.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$name"
	else
		not_ok "$name: $(tail -5 <<<"$out" | tr '\n' ' ')"
	fi
}

# verdict NAME FAULTS: ok if there are none.
verdict() {
	if [ -z "$2" ]; then
		ok "$1"
	else
		not_ok "$1: $2"
	fi
}

# None of it, for this reason.
skip() {
	echo "SKIP: $*"
	exit 77
}

done_testing() {
	[ "$failures" = 0 ]
	exit
}
