#!/bin/bash
# fuzz.sh - every parser of foreign bytes under libFuzzer: first its seeds, then what grows from
# them for some seconds; and how much of the parsers the seeds alone reach.
#
#   fuzz.sh SECONDS [NAME...]      names: frame, ring ... (default: all)
#
# As many targets at once as there are processors.  What the fuzzer finds worth keeping, and inputs that broke something, stay in build/.  Exit 77
# if clang has no libFuzzer.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-60}
shift
out=build/clangfuzzer
# shellcheck source=tests/say.sh
. tests/say.sh

build() {
	echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
		clang -x c -fsanitize=fuzzer,address -o /dev/null - 2>/dev/null ||
		skip "clang is missing, or has no libFuzzer"
	# whatever variant the caller is making is not ours
	env -u MAKEFLAGS -u MAKELEVEL make -j"$(nproc)" CC=clang SAN=fuzzer fuzzers >"$log" 2>&1 || {
		cat "$log"
		not_ok "fuzz targets build"
		exit 1
	}
}

# run NAME WHAT ARGUMENTS...: one run of a target; its last words if it fails.
run() {
	local name=$1 what=$2 log=$out/$1.log
	shift 2
	if LLVM_PROFILE_FILE=$out/$name-$what.profraw "$out/tests/fuzz_$name" -print_final_stats=1 \
		-rss_limit_mb=4096 -timeout=10 -artifact_prefix="$out/found/$name-" "$@" >"$log" 2>&1; then
		return 0
	fi
	grep -E 'not so:|ERROR|SUMMARY|Test unit written|^ *#[0-9] ' "$log" | head -20
	return 1
}

executions() { sed -n 's/^stat::number_of_executed_units: *//p' "$out/$1.log"; }

fuzz_one() {
	local name=$1 seeds=tests/corpus/$1 grown=$out/corpus/$1
	mkdir -p "$grown" "$out/found"
	if run "$name" seeds -runs=0 "$seeds"; then
		ok "$name: $(find "$seeds" -type f | wc -l) seeds"
	else
		not_ok "$name: its seeds"
	fi
	if run "$name" grown -max_len=4096 -max_total_time="$seconds" "$grown" "$seeds"; then
		ok "$name: $(executions "$name") executions in $seconds s"
	else
		not_ok "$name: the input is in $out/found"
	fi
}

# covered FILE [PATTERN]: lines of FILE that the seeds execute, in percent, up to PATTERN.
covered() {
	local end
	end=$(grep -nm1 -- "${2:-no such line}" "$1" | cut -d: -f1)
	llvm-cov export -format=lcov -instr-profile="$out/seeds.profdata" "${objects[@]}" \
		"$1" 2>/dev/null | awk -F'[:,]' -v end="${end:-1000000}" '
		/^DA:/ && $2 < end { n++; hit += $3 > 0 }
		END { if (n) printf "%d\n", 100 * hit / n; else print 0 }'
}

# A parser that the seeds do not reach is one the fuzzer would have to find by luck.
check_coverage() {
	local name percent file pattern
	command -v llvm-cov >/dev/null || {
		echo "SKIP: coverage of the parsers: llvm-cov is missing"
		return
	}
	objects=()
	for name in "${names[@]}"; do
		objects+=("${objects[@]:+-object}" "$out/tests/fuzz_$name")
	done
	llvm-profdata merge -o "$out/seeds.profdata" "$out"/*-seeds.profraw || return
	while read -r file pattern; do
		percent=$(covered "$file" "$pattern")
		if [ "$percent" -ge 95 ]; then
			ok "$file: the seeds reach $percent % of its lines"
		else
			not_ok "$file: the seeds reach $percent % of its lines"
		fi
	done <<-'FILES'
		proto/frame.c
		proto/endpoint.c
		proto/json.c
		proto/msg_fields.c
		proto/msg_request.c
		proto/msg_reply.c
		proto/msg_event.c
		proto/channel.h
		daemon/datapath_rx.c
		daemon/datapath_tx.c
		daemon/config.c ^int config_load
		daemon/policy_parse.c ^int policy_load
		proto/json_line.c
	FILES
}

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
names=("$@")
[ $# != 0 ] || mapfile -t names < <(sed -n 's/^.*fuzz_\(.*\)\.c$/\1/p' <(ls tests/fuzz_*.c))
build
mkdir -p "$out/said"
for name in "${names[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do wait -n; done
	fuzz_one "$name" >"$out/said/$name" 2>&1 &
done
wait
for name in "${names[@]}"; do
	cat "$out/said/$name"
	failures=$((failures + $(grep -c '^not ok' "$out/said/$name")))
done
[ $# != 0 ] || check_coverage
done_testing
