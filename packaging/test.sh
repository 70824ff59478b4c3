#!/bin/bash
# test.sh - what `make deb` tries: lintian, a second build that must be the same, and in a
# throw-away root: an older version installed, upgraded, removed, purged; and all of that while the
# daemon runs.
#
#   test.sh VERSION DIR      DIR: what build.sh made
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=packaging/lib.sh
. "$here/lib.sh"
version=$1
dir=$(cd "$2" && pwd)
arch=$(dpkg-architecture -qDEB_HOST_ARCH)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# only what is left of it
skip() {
	echo "SKIP: $*"
	done_testing
}

check_packages "$version" "$dir"
check "lintian finds no error" lintian --allow-root --fail-on error "$dir/etherconnd_$version-1_$arch.changes"

# Another place, another clock, another mask, another language: the same bytes.
again() (
	umask 027
	TZ=Pacific/Auckland LC_ALL=C.UTF-8 HOME=/nonexistent "$here/build.sh" "$version" "$work/elsewhere"
)
check "built again" again
for deb in "$dir"/*.deb; do
	check "$(basename "$deb") is the same" cmp "$deb" "$work/elsewhere/$(basename "$deb")"
done

# ---- in a root of its own ----

root=$work/root
names=(etherconnd libetherconn0 libetherconn-dev)
older=0.0.9
# debs DIR VERSION: their files
debs() { for name in "${names[@]}"; do echo "$1/${name}_$2-1_$arch.deb"; done; }

# what they depend on, the first of alternatives
needs() {
	debs "$dir" "$version" | xargs -I{} dpkg-deb -f {} Depends | tr ',' '\n' |
		sed 's/^ *//; s/[ |(].*//' | sort -u | grep -vE '^(libetherconn|etherconnd)'
}

make_root() {
	local sources=()
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
		[ ! -s "$file" ] || sources+=("$file")
	done
	# shellcheck disable=SC1091
	mmdebstrap --quiet --variant=apt --include="$(needs | paste -sd,)" \
		"$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" "${sources[@]}"
}

# Run in the root, alone there; whatever is left running ends with it.
inside() {
	unshare --mount --pid --fork --mount-proc="$root/proc" \
		chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}
files() { (cd "$root" && find . -xdev \( -path ./tmp -o -path ./proc \) -prune -o -print | sort); }
installed() { inside dpkg-query -W -f '${Status} ${Version}\n' "${names[@]}"; }
# put <FILES: installed by dpkg alone, which fails when a dependency is missing; nothing runs then
put() {
	rm -f "$root"/tmp/*.deb
	xargs cp -t "$root/tmp"
	inside sh -c 'dpkg -i /tmp/*.deb && ! grep -lx etherconnd /proc/[0-9]*/comm'
}

[ "$(id -u)" = 0 ] || skip "installing in a throw-away root needs root"
make_root >"$work/root.log" 2>&1 || skip "no throw-away root: $(tail -1 "$work/root.log")"
files >"$work/before"

check "an older version builds" "$here/build.sh" "$version" "$work/older" "$older"
check "it installs" put < <(debs "$work/older" "$older")
check "it is that one" has "$(inside etherconnd --version)" "$older"

# the administrator's doing
inside systemctl --quiet enable etherconnd@eth1 2>"$work/enable.log"
cp "$root/usr/share/doc/etherconnd/examples/etherconnd.conf" "$root/etc/etherconnd.conf"
echo "// ours" >>"$root/etc/etherconnd.conf"
check "upgrade" put < <(debs "$dir" "$version")
check "what was enabled is" test -L "$root/etc/systemd/system/multi-user.target.wants/etherconnd@eth1.service"
check "and nothing else" has_not "$(find "$root/etc/systemd/system" -type l)" 'etherconnd\.(service|socket)'
check "what was configured is" grep -q '^// ours' "$root/etc/etherconnd.conf"
check "all three are" has "$(installed | sort | uniq -c)" "3 install ok installed $version-1"
check "a user" has "$(inside getent passwd etherconnd)" '^etherconnd:.*:/usr/sbin/nologin$'
check "its group" has "$(inside getent group etherconn)" '^etherconn:'
check "its folder" has "$(inside stat -c '%U:%G %a' /run/etherconnd)" '^etherconnd:etherconn 755$'
check "the daemon runs" has "$(inside etherconnd --version)" "$version"
no_interface() { ! inside etherconnd -i nowhere0 && [ ! -e "$root/run/etherconnd/etherconnd.sock" ]; }
check "it says what it misses" no_interface
check "etherconnctl runs" inside etherconnctl --help
check "manual pages are in their places" test -s "$root/usr/share/man/man8/etherconnd.8.gz"

check "remove" inside dpkg -r "${names[@]}"
check "the configuration is left" test -s "$root/etc/etherconnd.conf"
check "purge" inside dpkg -P "${names[@]}"
rm -f "$root/etc/etherconnd.conf" "$root/etc/systemd/system/multi-user.target.wants/etherconnd@eth1.service"
# accounts stay, and with them the old copies that their tools keep
left() { comm -13 "$work/before" <(files) | grep -vE '^\./(etc/(passwd|group|g?shadow)-|var/(lib/dpkg|log|cache)/)'; }
nothing_left() { ! left; }
check "nothing is left" nothing_left
check "installed anew" put < <(debs "$dir" "$version")
check "its folder, too" has "$(inside stat -c '%U:%G %a' /run/etherconnd)" '^etherconnd:etherconn 755$'
check "nothing enabled" has_not "$(ls -R "$root/etc/systemd/system")" etherconnd

# ---- while it runs ----

debs "$work/older" "$older" >"$work/old.list"
debs "$dir" "$version" >"$work/new.list"
"$here/running.sh" "$older" "$work/old.list" "$version" "$work/new.list" || [ $? = 77 ] ||
	failures=$((failures + 1))
done_testing
