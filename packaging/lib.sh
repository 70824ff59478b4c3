# lib.sh - sourced: what packages must be like, told from the files alone.
#
#   check_packages VERSION DIR      DIR: what build.sh made
# shellcheck shell=bash

# shellcheck source=tests/say.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/say.sh"

has() { grep -qE -- "$2" <<<"$1"; }
has_not() { ! grep -E -- "$2" <<<"$1"; }

# check_files PACKAGE FILE PATH...: PACKAGE has every PATH.
check_files() {
	local package=$1 list path
	list=$(dpkg-deb -c "$2" | awk '{print substr($6, 2)}')
	shift 2
	for path in "$@"; do
		check "$package has $path" has "$list" "^$path$"
	done
}

# check_hardening NAME FILE: what the linker left in the file.
check_hardening() {
	local headers symbols
	headers=$(readelf -Wlhd "$2")
	symbols=$(readelf -W --dyn-syms "$2")
	check "$1: position-independent" has "$headers" 'Type: +DYN'
	check "$1: relocations read-only" has "$headers" 'GNU_RELRO'
	check "$1: ... and bound at once" has "$headers" 'FLAGS.*NOW'
	check "$1: stack not executable" has "$headers" 'GNU_STACK.* RW +0x'
	check "$1: stack protector" has "$symbols" '__stack_chk_fail'
	check "$1: fortified" has "$symbols" '__[a-z]+_chk'
	check "$1: no text relocations" has_not "$headers" 'TEXTREL'
	check "$1: no paths of its own" has_not "$headers" 'R(UN)?PATH'
	[ "$(uname -m)" = x86_64 ] || return 0
	# not the note of all files together: Debian's crtbegin.o has none
	check "$1: landing pads for jumps" [ "$(objdump -d "$2" | grep -c endbr64)" -gt 20 ]
}

# every FLAG LOG: no file was compiled without it
compiled_without() { grep -E ' -c -o [^ ]*\.o ' "$2" | grep -vF -- " $1 "; }
every() { grep -qE ' -c -o [^ ]*\.o ' "$2" && [ -z "$(compiled_without "$1" "$2")" ]; }

check_packages() {
	local version=$1 dir=$2 arch multi unpacked scripts
	arch=$(dpkg-architecture -qDEB_HOST_ARCH)
	multi=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
	unpacked=$dir/unpacked
	local etherconnd=$dir/etherconnd_$version-1_$arch.deb
	local lib=$dir/libetherconn0_$version-1_$arch.deb
	local dev=$dir/libetherconn-dev_$version-1_$arch.deb
	check_files etherconnd "$etherconnd" /usr/sbin/etherconnd /usr/bin/etherconnctl \
		/lib/systemd/system/etherconnd{,@}.{service,socket} \
		/usr/lib/{sysusers,tmpfiles}.d/etherconnd.conf \
		/usr/share/bash-completion/completions/etherconnctl \
		/usr/share/zsh/vendor-completions/_etherconnctl \
		/usr/share/man/man8/etherconn{d,ctl}.8.gz /usr/share/man/man5/etherconnd.{conf,policy}.5.gz
	check_files libetherconn0 "$lib" "/usr/lib/$multi/libetherconn.so.0"
	check_files libetherconn-dev "$dev" /usr/include/etherconn.h \
		"/usr/lib/$multi/libetherconn.a" "/usr/lib/$multi/pkgconfig/libetherconn.pc" \
		/usr/share/man/man3/libetherconn.3.gz /usr/share/man/man7/etherconn-protocol.7.gz

	rm -rf "$unpacked"
	mkdir "$unpacked"
	dpkg-deb -R "$etherconnd" "$unpacked/etherconnd"
	dpkg-deb -R "$lib" "$unpacked/lib"
	check_hardening etherconnd "$unpacked/etherconnd/usr/sbin/etherconnd"
	check_hardening etherconnctl "$unpacked/etherconnd/usr/bin/etherconnctl"
	check_hardening libetherconn "$unpacked/lib/usr/lib/$multi/libetherconn.so.0"
	check "fortified by 3" every -D_FORTIFY_SOURCE=3 "$dir/build.log"
	check "stack clash protection" every -fstack-clash-protection "$dir/build.log"

	check "the library's name" has "$(readelf -d "$unpacked/lib/usr/lib/$multi/libetherconn.so.0")" \
		'SONAME.*\[libetherconn\.so\.0\]'
	check "who links it depends on it" has "$(cat "$unpacked/lib/DEBIAN/symbols")" \
		'LIBETHERCONN_0 0\.1\.0$'
	scripts=$(cat "$unpacked"/etherconnd/DEBIAN/p*)
	check "its user comes from sysusers" has "$scripts" 'systemd-sysusers .*etherconnd\.conf'
	check "its folder from tmpfiles" has "$scripts" 'systemd-tmpfiles .*etherconnd\.conf'
	check "nothing is started" has_not "$scripts" '(deb-systemd-invoke|systemctl)[^|]*start'
	check "what was not enabled stays so" has "$scripts" 'deb-systemd-helper debian-installed'
	check "the unit starts what is installed" grep -q '^ExecStart=/usr/sbin/etherconnd ' \
		"$unpacked/etherconnd/lib/systemd/system/etherconnd@.service"
	rm -rf "$unpacked"
}
