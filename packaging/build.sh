#!/bin/bash
# build.sh - Debian packages from this tree, with dpkg-buildpackage, in a copy of it.
#
#   build.sh VERSION OUTPUT [AS]      OUTPUT: a directory, made anew; AS: call it this version
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
version=$1 out=$2 as=${3:-$1}

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
# what an upgrade is tried with
sed -i "1s/($version-/($as-/" "$tree/debian/changelog"
sed -i "s/^VERSION := .*/VERSION := $as/" "$tree/Makefile"

# neither the makefile that called us nor its settings are the package's
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS SAN CC V WERROR PREFIX DESTDIR
cd "$tree"
if ! dpkg-buildpackage -b -us -uc -nc -j"$(nproc)" >"$out/build.log" 2>&1; then
	tail -40 "$out/build.log" >&2
	exit 1
fi
rm -rf "$tree"
