#!/bin/bash
# borrow.sh - programs of borrowed.txt that this machine has not got, unpacked below DIR and not
# installed: nothing is started, now or at the next boot, and `make clean` removes all of it.
#
#   borrow.sh DIR        DIR/bin has a script for each; ends with 0 even where it cannot
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
multi=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null)

# those that an installation would bring, the package among them; asking needs no privilege
closure() {
	apt-get install -s --no-install-recommends "$1" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# unpack FOLDER PACKAGE...: of each what ${only[@]} names, or everything
unpack() {
	local into=$1 deb
	shift
	mkdir -p "$into/debs"
	(cd "$into/debs" && apt-get download -q "$@") >/dev/null 2>&1 || return
	for deb in "$into"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$into" -x --wildcards "${only[@]}" || return
	done
	rm -rf "$into/debs"
}

# borrow PACKAGE PROGRAM [static]
borrow() {
	local into=$dir/$1 name=${2##*/} packages=("$1") only=("./$2")
	if [ "${3-}" != static ]; then
		mapfile -t packages < <(closure "$1")
		only=()
	fi
	rm -rf "$into"
	unpack "$into" "${packages[@]}" && [ -x "$into/$2" ] || return
	mkdir -p "$dir/bin"
	printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%q\nexec %q "$@"\n' \
		"$into/usr/lib/$multi:$into/lib/$multi" "$into/$2" >"$dir/bin/$name"
	chmod 755 "$dir/bin/$name"
}

while read -r package program kind; do
	name=${program##*/}
	if [ -x "$dir/bin/$name" ] || PATH=$PATH:/usr/sbin command -v "$name" >/dev/null; then
		continue
	fi
	echo "Borrowing $name of $package, unpacked in build/"
	borrow "$package" "$program" "$kind" || echo "That cannot be had: what needs it is skipped." >&2
done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$here/borrowed.txt")
