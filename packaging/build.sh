#!/bin/bash
# build.sh - Debian packages from this tree, with dpkg-buildpackage, in a copy of it.
#
#   build.sh VERSION OUTPUT [REVISION]      OUTPUT: a directory, made anew
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
version=$1 out=$2 revision=${3:-}

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
tree=$out/etherconnd-$version
mkdir "$tree"
# what is built, and nothing that an earlier build left
for entry in "$top"/*; do
	[ "$(basename "$entry")" = build ] || cp -a "$entry" "$tree/"
done
cp -a "$top/packaging/debian" "$tree/debian"
sed -n '1s/^etherconnd (\([^-]*\)-.*/\1/p' "$tree/debian/changelog" | grep -qxF "$version" || {
	echo "packaging/debian/changelog is of another version than the Makefile's $version" >&2
	exit 1
}
# a later revision of the same: what an upgrade is tried with
[ -z "$revision" ] || sed -i "1s/-1)/-$revision)/" "$tree/debian/changelog"

# neither the makefile that called us nor its settings are the package's
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS SAN CC V WERROR PREFIX DESTDIR
cd "$tree"
if ! dpkg-buildpackage -b -us -uc -nc -j"$(nproc)" >"$out/build.log" 2>&1; then
	tail -40 "$out/build.log" >&2
	exit 1
fi
rm -rf "$tree"
