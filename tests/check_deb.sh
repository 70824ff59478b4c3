#!/bin/bash
# check_deb.sh - the Debian packages: built, and looked at.  `make deb` tries them as well.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=packaging/lib.sh
. "$top/packaging/lib.sh"

if ! command -v dh >/dev/null || ! command -v dpkg-buildpackage >/dev/null; then
	skip "no debhelper here (make deb installs it)"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
version=$(sed -n 's/^VERSION := //p' "$top/Makefile")
check "they build" "$top/packaging/build.sh" "$version" "$out/deb"
[ "$failures" = 0 ] || done_testing
check_packages "$version" "$out/deb"
done_testing
