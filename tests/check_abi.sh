#!/bin/bash
# check_abi.sh - programs built against the library as it was (client-lib/libetherconn.abi and
# .constants) run with the library as it is.  `make abi` renews both: after additions, or with a
# new SONAME.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
# shellcheck source=tests/abi.sh
. "$top/tests/abi.sh"
# shellcheck source=tests/say.sh
. "$top/tests/say.sh"
library=$build/libetherconn.so.0 dump=$top/client-lib/libetherconn.abi

command -v abidiff >/dev/null || skip "no abidiff (package abigail-tools)"
[ "$(uname -m)" = x86_64 ] || skip "the dump is of x86_64"
readelf -p .comment "$library" | grep -q GCC || skip "another compiler describes types otherwise"
nm -D "$library" | grep -qE ' __(asan|tsan)_init' && skip "sanitizers add symbols of their own"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check "old programs run with the library as it is" \
	abi_same "$dump" "$library" "$top/client-lib/etherconn.h"

# The test must see what breaks programs, and let pass what does not.
# variant NAME [FILE SED]...: the library with these files of client-lib edited
variant() {
	local dir=$work/$1
	mkdir "$dir"
	cp -r "$top/proto" "$top/client-lib" "$dir"
	shift
	while [ $# != 0 ]; do
		sed -i "$2" "$dir/client-lib/$1"
		shift 2
	done
	(cd "$dir" && cc -g -std=gnu11 -D_GNU_SOURCE -DEC_VERSION='""' -I. -fPIC -fvisibility=hidden \
		-shared -Wl,-soname,libetherconn.so.0 \
		-Wl,--version-script,client-lib/libetherconn.map \
		-o libetherconn.so.0 client-lib/*.c proto/*.c -lcjson)
}
judged() { abi_same "$dump" "$work/$1/libetherconn.so.0" "$work/$1/client-lib/etherconn.h"; }
refused() { ! judged "$1"; }

variant longer etherconn.h '/^struct ec_relay_opts {/,/^};/s/^};/	uint32_t more;\n};/'
check "options may get longer" judged longer
# constants_gone HEADER: enumerators that no longer are what they were
constants_gone() { LC_ALL=C comm -23 "$top/client-lib/libetherconn.constants" <(abi_constants "$1"); }
constants_stay() { ! constants_gone "$1" | grep .; }
constants_change() { ! constants_stay "$1"; }
check "constants are what they were" constants_stay "$top/client-lib/etherconn.h"
sed '/^enum ec_l2_flags {/a\	EC_L2_MORE = 1 << 30,' "$top/client-lib/etherconn.h" >"$work/flag.h"
check "flags may come" constants_stay "$work/flag.h"
sed 's/EC_L2_SHARE = 1 << 2/EC_L2_SHARE = 1 << 29/' "$top/client-lib/etherconn.h" >"$work/other.h"
check "but keep their values" constants_change "$work/other.h"
variant wider etherconn.h '/^struct ec_frame {/a\	uint64_t first;'
check "a frame may not change" refused wider
variant fewer libetherconn.map '/^\tec_now;/d'
check "no function may go" refused fewer
cat >"$work/more.c" <<'C'
__attribute__((visibility("default"))) int ec_nothing(void);
int ec_nothing(void)
{
	return 0;
}
C
variant more error.c "\$r $work/more.c" libetherconn.map 's/^\tec_now;/&\n\tec_nothing;/'
check "functions may come" judged more
done_testing
