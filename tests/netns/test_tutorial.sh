#!/bin/bash
# test_tutorial.sh - docs/TUTORIAL.md: its commands, in its order, say what it says they do.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
command -v kea-dhcp4 >/dev/null || skip "no kea-dhcp4 here"

# In namespaces of its own: lab0, /run and every process end with it.
if [ "${1-}" != inside ]; then
	unshare --net --mount --pid --fork --kill-child --mount-proc bash "$0" inside
	exit
fi
mount -t tmpfs tmpfs /run
begin
cd "$top" || exit 1

# what is typed; what fetches and builds has been done
commands() { sed -n 's/^\$ //p' docs/TUTORIAL.md | grep -E '^(sudo )?(build|docs|ip netns)'; }
as_typist() {
	local words=("$@")
	if [ "${words[0]}" = sudo ]; then
		env SUDO_UID=$client_uid SUDO_GID=$client_uid "${words[@]:1}"
	else
		setpriv --reuid=$client_uid --regid=$client_uid --clear-groups --inh-caps=-all "$@"
	fi
}

# run LINE N: as the reader would; what it prints is in $work/N.out.
run() {
	local line=${1//build\//$build/} out=$work/$2.out words ready=
	eval "words=($line)"
	case $line in
	*etherconnd\ -i*) ready="serving at" ;;
	*lab.sh\ server*) ready=DHCP4_MULTI_THREADING_INFO ;; # its last word before it serves
	esac
	if [ -n "$ready" ]; then
		start as_typist "${words[@]}" >"$out" 2>&1
		wait_for_line "$out" "$ready" "$started"
	else
		as_typist "${words[@]}" >"$out" 2>&1
	fi
}

# what each must have said
expected() {
	case $1 in
	*lab.sh\ up) echo 'lab0 is up' ;;
	*'server 100') echo 'behind VLAN 100' ;;
	*'server 200') echo 'behind VLAN 200' ;;
	*'-i lab0') echo 'serving at /run/etherconnd/etherconnd.sock' ;;
	*-i\ lab1*) echo 'serving at /run/etherconnd-lab/far.sock' ;;
	*dhcp_client*) echo '^bound: the endpoint is 10\.' ;;
	*'-n 10000'*) echo '^leases: 10000 of 10000 ' ;;
	*'-n 20 '*) echo 'failed +20: out of time' ;;
	*'far.sock stats') echo 'rx_(multicast_ignored|filtered) +[2-9][0-9] ' ;;
	*stats) echo '  tx +[0-9]+ ' ;;
	*'show clients') echo 'etherconnctl +61302' ;;
	*'lab.sh down') echo 'nothing is left' ;;
	esac
}

n=0
while read -r line; do
	n=$((n + 1))
	run "$line" $n </dev/null
	pattern=$(expected "$line")
	check "$line" grep -qE -- "${pattern:-nothing is expected of this}" "$work/$n.out"
	[ "$failures" = 0 ] || { cat "$work/$n.out"; break; }
done < <(commands)
check "every step was taken" [ "$n" -ge 14 ]
done_testing
