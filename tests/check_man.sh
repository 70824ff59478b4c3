#!/bin/bash
# check_man.sh - the manual pages are well formed, leave nothing out, and their example compiles.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
cd "$top" || exit 1
# shellcheck source=tests/say.sh
. tests/say.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# missing PAGE PATTERN...: the words, read from stdin, that have no line PATTERN in the page; in
# it WORD stands for the word.
missing() {
	local page=$1 pattern=$2 word
	while read -r word; do
		grep -qE -- "${pattern//WORD/$word}" "$page" || echo "$page: nothing about $word"
	done
}

for page in daemon/*.[58] ctl/*.8 client-lib/*.3 proto/*.7; do
	# whether other pages are installed here is no matter
	verdict "$page is well formed" \
		"$(mandoc -T lint -W all "$page" 2>&1 | grep -v 'manual not found\|mandoc.db')"
done

long_options() { "$build/$1" --help | grep -oE -- '--[a-z]+' | cut -c3- | sort -u; }
for page in daemon/etherconnd.8 ctl/etherconnctl.8; do
	verdict "$page has every option" \
		"$(long_options "$(basename "$page" .8)" | missing $page '^\.It Fl [a-zA-Z] , -WORD( |$)')"
done
verdict "etherconnctl.8 has every command" \
	"$("$build/etherconnctl" --help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | missing ctl/etherconnctl.8 '^\.It Cm WORD')"

# X(rx_miss, drop, "...") in stats.h
verdict "etherconnctl.8 has every counter" \
	"$(sed -n 's/^\tX(\([a-z_]*\),.*/\1/p' proto/stats.h | missing ctl/etherconnctl.8 '^\.It Va WORD$|^\.Va (.* )?WORD( |$)')"

# the keys that config.c allows stand in tables named keys
verdict "etherconnd.conf.5 has every key" \
	"$(awk '/keys\[\] = /,/;/' daemon/config.c | grep -oE '"[a-z_]+"' | tr -d '"' | missing daemon/etherconnd.conf.5 '^\.It Ic WORD$')"

verdict "etherconnd.policy.5 has every key" \
	"$(awk '/keys\[\] = /,/;/' daemon/policy_parse.c | grep -oE '"[a-z_]+"' | tr -d '"' | grep -vx rules | missing daemon/etherconnd.policy.5 '^\.It Ic WORD$')"

verdict "the library's pages have every function" \
	"$(cat client-lib/ec_*.3 >"$work/pages"
	sed -n 's/^\t\(ec_[a-z0-9_]*\);/\1/p' client-lib/libetherconn.map | missing "$work/pages" '^\.Fn WORD ')"
verdict "the library's pages have every flag" \
	"$(grep -oE '^\s+EC_[A-Z0-9_]+ = 1 <<|^\s+EC_[A-Z0-9_]+ =$' client-lib/etherconn.h | grep -oE 'EC_[A-Z0-9_]+' | missing "$work/pages" 'Dv (EC_[A-Z_]+ , )?WORD')"
verdict "the library's pages have every counter" \
	"$(sed -n '/^struct ec_relay_stats {/,/^}/s/^\tuint64_t \([a-z_]*\);.*/\1/p' client-lib/etherconn.h | missing "$work/pages" '^\.It Va WORD$')"

# [ECP_REQ_OPEN] = {"open", ...
messages() { sed -n "s/^ *\[ECP_$1_[A-Z_]*\] = {\"\([a-z_]*\)\".*/\1/p" proto/msg_*.c; }
protocol=proto/etherconn-protocol.7
verdict "etherconn-protocol.7 has every request" \
	"$(messages REQ | grep -q . || echo "no request was found"
	messages REQ | missing $protocol '^\.It Cm WORD$')"
verdict "etherconn-protocol.7 has every reply" \
	"$(messages REP | grep -q . || echo "no reply was found"
	messages REP | missing $protocol '^\.Cm WORD( \.)?$|\{"WORD"')"

# Comments gone, one blank for many: {struct ec_vlan { uint16_t id; ... };}, a line each.
structures() {
	sed 's,/\*[^*]*\*/,,g' "$1" | sed '/\/\*/,/\*\//d' | tr -s ' \t\n' ' ' | sed 's/\* /*/g' |
		grep -oE 'struct ec_[a-z0-9_]+ \{[^}]*\};'
}
missing_structures() { # the page's text in $work/pages
	structures client-lib/etherconn.h >"$work/structures"
	[ "$(wc -l <"$work/structures")" -gt 8 ] || echo "they were not found"
	structures "$work/pages" | grep -vxFf - "$work/structures"
}
verdict "the library's pages have every structure as it is" "$(missing_structures)"

for page in client-lib/*.3; do
	awk '/^\.Sh EXAMPLES/ { on = 1 } on && /^\.Ed/ { exit } on && code; on && /^\.Bd/ { code = 1 }' \
		"$page" | sed 's/\\e/\\/g; s/\\-/-/g' >"$work/example.c"
	verdict "the example of $page compiles" \
		"$(grep -q '^#include' "$work/example.c" || echo "it was not found"
		${CC:-cc} -Wall -Wextra -Werror -Iclient-lib -c -o "$work/example.o" "$work/example.c" 2>&1)"
done
done_testing
