#!/bin/bash
# check_deb.sh - the Debian packages: built, and looked at.  `make deb` tries them as well.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=packaging/lib.sh
. "$top/packaging/lib.sh"

if ! command -v dh >/dev/null || ! command -v dpkg-buildpackage >/dev/null; then
	echo "SKIP: no debhelper here (make deb installs it)"
	exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
version=$(sed -n 's/^VERSION := //p' "$top/Makefile")
check "they build" "$top/packaging/build.sh" "$version" "$out/deb"
[ $bad = 0 ] || exit 1
check_packages "$version" "$out/deb"
exit $bad
