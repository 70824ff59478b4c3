#!/bin/bash
# check_reproducible.sh - what is built in two places, at two times, by two kinds of users: the
# same bytes.  `make deb` says so of the packages.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/say.sh
. "$top/tests/say.sh"
files=(etherconnd etherconnctl libetherconn.so.0 libetherconn.a)

# neither the makefile that called us nor its settings
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS SAN CC V WERROR

# plant DIR TIME: the sources there, of that time
plant() {
	mkdir -p "$1"
	cp -r "$top"/{Makefile,proto,daemon,client-lib,ctl} "$1"
	find "$1" -exec touch -d "$2" {} +
}
# grow DIR JOBS: build the programs there
grow() { make -s -C "$1" -j"$2" "${files[@]/#/build/}" >"$1.log" 2>&1; }

plant "$work/here" "2001-01-01"
plant "$work/quite/another place" "2021-06-30 12:34"
if ! grow "$work/here" 2 ||
	! (umask 027 && TZ=Pacific/Auckland LC_ALL=C.UTF-8 HOME=/nonexistent USER=nobody SOURCE_DATE_EPOCH=1 \
		grow "$work/quite/another place" 1); then
	not_ok "they build: $(cat "$work"/here.log "$work"/quite/*.log | grep -i error)"
	done_testing
fi
for file in "${files[@]}"; do
	check "$file is the same" cmp "$work/here/build/$file" "$work/quite/another place/build/$file"
	verdict "$file does not say where it was built" \
		"$(! grep -qaF "$work" "$work/here/build/$file" || echo "$work")"
done
done_testing
