#!/bin/bash
# check_hardening.sh - what compiler and linker left in our programs against those who would
# misuse them: told from the files, not from the flags.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
# shellcheck source=packaging/lib.sh
. "$top/packaging/lib.sh"
if nm -D "$build/etherconnd" | grep -qE ' __(asan|tsan)_init'; then
	skip "sanitizers and hardening do not mix"
fi

for file in etherconnd etherconnctl libetherconn.so.0; do
	check_hardening "$file" "$build/$file"
done

# touches FILE: some function with much on the stack touches every page of it
touches() { objdump -d --no-show-raw-insn "$1" | grep -qE '\sor[lq] +\$0x0,(0x[0-9a-f]+)?\(%rsp\)'; }

# The test must see what is missing.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/bare.c" <<'C'
#include <string.h>

void ec_probe(char *out, const char *in);
void ec_probe(char *out, const char *in)
{
	char text[65536];
	strcpy(text, in);
	memcpy(out, text, sizeof(text));
}
C
bare=(cc -O2 -shared -fPIC -U_FORTIFY_SOURCE -fno-stack-protector -fno-stack-clash-protection '-Wl,-z,lazy,-z,norelro')
[ "$(uname -m)" != x86_64 ] || bare+=(-fcf-protection=none)
"${bare[@]}" -o "$dir/bare.so" "$dir/bare.c"
faults=$(check_hardening bare "$dir/bare.so" | grep -c '^not ok')
check "a file without any of it is seen" [ "$faults" -ge 5 ]
if readelf -p .comment "$build/etherconnd" | grep -q clang; then
	echo "SKIP: how clang touches the pages of a large frame looks like any other store"
elif [ "$(uname -m)" = x86_64 ]; then
	check "large frames touch every page" touches "$build/etherconnd"
	not_touching() { ! touches "$dir/bare.so"; }
	check "a file whose do not is seen" not_touching
fi
done_testing
