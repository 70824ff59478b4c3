#!/bin/bash
# deps.sh - install the packages of packages.txt, or of the lists given, that are missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
missing=()
while read -r package; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done < <(sed 's/#.*//; /^[[:space:]]*$/d' "${@:-$here/packages.txt}")
[ ${#missing[@]} = 0 ] && exit 0

echo "Installing what is missing: ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
	echo "That needs root: run this with sudo, or install them yourself." >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null; }
# an old list of packages may do; if not, a new one is fetched
install 2>/dev/null || { apt-get update -q && install; }
