# abi.sh - sourced: what a program sees of libetherconn, by libabigail.
#
#   abi_dump LIBRARY HEADER                 as XML, on stdout
#   abi_same DUMP LIBRARY HEADER            programs built against the one run with the other
#   abi_constants HEADER                    every enumerator and its value
# shellcheck shell=bash

abi_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../client-lib" && pwd)

# Only what the header defines is public: libabigail wants a folder with nothing else in it.
abi_dump() {
	local headers code
	headers=$(mktemp -d)
	cp "$2" "$headers"
	abidw --headers-dir "$headers" --exported-interfaces-only --drop-undefined-syms \
		--no-elf-needed --no-corpus-path --no-comp-dir-path --drop-private-types \
		--no-show-locs --type-id-style hash "$1"
	code=$?
	rm -rf "$headers"
	return $code
}

# New functions are no change; of the rest any is one until libetherconn.abignore says otherwise.
# Both sides are dumps: one with and one without places in files would not be comparable.
abi_same() {
	local now code
	now=$(mktemp)
	abi_dump "$2" "$3" >"$now" &&
		abidiff --no-added-syms --suppressions "$abi_dir/libetherconn.abignore" "$1" "$now"
	code=$?
	rm -f "$now"
	return $code
}

# Flags are passed as plain integers: no function leads libabigail to their enums.
abi_constants() {
	local object
	object=$(mktemp)
	echo "#include \"$(realpath "$1")\"" |
		cc -g -fno-eliminate-unused-debug-types -x c -c -o "$object" - &&
		readelf --debug-dump=info "$object" | awk '
			/DW_TAG_/ { inside = /DW_TAG_enumerator/ }
			inside && /DW_AT_name/ { name = $NF }
			inside && /DW_AT_const_value/ && name ~ /^EC_/ { print name, $NF }' | LC_ALL=C sort
	rm -f "$object"
}
