#!/bin/bash
# check_install.sh - make install into an empty root, and a program built against what is there.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# shellcheck source=tests/say.sh
. "$top/tests/say.sh"

installed=(-s -C "$top" SAN= DESTDIR="$root" PREFIX=/opt/ec LIBDIR=/opt/ec/lib)
# not under the mask: what is built stays in build/, where others are to run it, too
make -s -C "$top" SAN= all >/dev/null
under_a_mask() (umask 077 && "$@")
check "make install" under_a_mask make install "${installed[@]}"
chmod 755 "$root"
check "nothing stands elsewhere" test "$(ls -A "$root")" = opt
check "everybody may read it" test -z "$(find "$root/opt" ! -type l ! -perm -o=r)"
for f in sbin/etherconnd bin/etherconnctl include/etherconn.h lib/libetherconn.a \
	lib/libetherconn.so.0 lib/libetherconn.so lib/pkgconfig/libetherconn.pc \
	share/bash-completion/completions/etherconnctl share/zsh/site-functions/_etherconnctl \
	share/man/man8/etherconnd.8 lib/sysusers.d/etherconnd.conf \
	lib/systemd/system/etherconnd.service lib/systemd/system/etherconnd@.service; do
	check "$f is there" test -f "$root/opt/ec/$f"
done
check "no placeholder is left" sh -c "! grep -rI '@[A-Z]*@' $root/opt/ec/lib"
check "the unit starts what was installed" \
	grep -q '^ExecStart=/opt/ec/sbin/etherconnd ' "$root/opt/ec/lib/systemd/system/etherconnd.service"

cat >"$root/hello.c" <<'C'
#include <etherconn.h>
#include <stdio.h>

int main(void)
{
	struct ec_relay *relay;
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.socket = "/nowhere/etherconnd.sock";
	if (ec_relay_open(&relay, NULL, &opts) == 0)
		return 1;
	puts(ec_error_text());
	return 0;
}
C
export PKG_CONFIG_PATH=$root/opt/ec/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
# shellcheck disable=SC2046 # flags are words
check "a program builds with pkg-config" \
	cc -o "$root/hello" "$root/hello.c" $(pkg-config --cflags --libs libetherconn)
hello() { LD_LIBRARY_PATH=$root/opt/ec/lib "$root/hello"; }
says_no_daemon() { hello | grep -q "no daemon answers"; }
check "and runs" says_no_daemon
# shellcheck disable=SC2046
check "static, too" cc -static-libgcc -o "$root/static" "$root/hello.c" \
	$(pkg-config --cflags libetherconn) "$root/opt/ec/lib/libetherconn.a" -lcjson
check "the header does for C++" sh -c "echo '#include <etherconn.h>' | c++ -Wall -Werror -x c++ -fsyntax-only -I$root/opt/ec/include -"
exported() { nm -D --defined-only "$root/opt/ec/lib/libetherconn.so.0" | awk '$2 == "T" {sub("@.*", "", $3); print $3}' | sort; }
declared() { sed -n 's/^\t\(ec_[a-z0-9_]*\);$/\1/p' "$top/client-lib/libetherconn.map" | sort; }
check "the library exports what its map says" diff <(exported) <(declared)
check "nothing foreign stands in the static library" \
	sh -c "! nm -g --defined-only $root/opt/ec/lib/libetherconn.a | awk 'NF == 3 {print \$3}' | grep -vE '^(ec_|eci_|ecp_)'"
# ---- and away with it ----

echo ours >"$root/opt/ec/lib/ours"
rm -f "$root"/hello* "$root/static"
check "make uninstall" make uninstall "${installed[@]}"
check "only what is another's is left" test "$(find "$root" ! -type d)" = "$root/opt/ec/lib/ours"

usr=(-s -C "$top" SAN= DESTDIR="$root/usr-root" PREFIX=/usr)
check "make install into /usr" make install "${usr[@]}"
echo ours >"$root/usr-root/lib/systemd/system/ours.service"
check "has its units in /lib" test -f "$root/usr-root/lib/systemd/system/etherconnd.service"
check "and no folder of the administrator's" test ! -e "$root/usr-root/etc"
check "make uninstall from /usr" make uninstall "${usr[@]}"
check "leaves ours" test "$(find "$root/usr-root" ! -type d)" = "$root/usr-root/lib/systemd/system/ours.service"
done_testing
