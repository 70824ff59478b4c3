#!/bin/bash
# test_tutorial.sh - docs/TUTORIAL.md and docs/LOST_FRAME.md: their commands, in their order, say what
# it says there that they do.
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
commands() { sed -n 's/^\$ //p' "$1" | grep -E '^(sudo )?(build|docs|ip netns|tshark)'; }
# the words of a line, with what makes them the reader's; `start` keeps the pid so
as_typed() {
	if [ "${words[0]}" = sudo ]; then
		words=(env "SUDO_UID=$client_uid" "SUDO_GID=$client_uid" "${words[@]:1}")
	else
		words=(setpriv "--reuid=$client_uid" "--regid=$client_uid" --clear-groups --inh-caps=-all
			"${words[@]}")
	fi
}

# run LINE N: as the reader would; what it prints is in $work/N.out.
run() {
	local line=${1//\/tmp\/lost/$work/lost} out=$work/$2.out words ready=
	line=${line//build\//$build/}
	# what stands behind a # is none of them
	eval "words=($line
	)"
	case $line in
	*etherconnd\ -i*) ready="serving at" ;;
	*capture*) ready=capturing ;;
	*dhcp_client*100*fourth) ready=discover ;; # it stays there
	*lab.sh\ server*) ready=DHCP4_MULTI_THREADING_INFO ;; # its last word before it serves
	esac
	as_typed
	if [ -n "$ready" ]; then
		start "${words[@]}" >"$out" 2>&1
		wait_for_line "$out" "$ready" "$started"
		[ "$ready" != capturing ] || captures=$started
	elif [[ $line == tshark* ]]; then
		wait "$captures"
		HOME=$work "${words[@]}" >"$out" 2>&1
	else
		"${words[@]}" >"$out" 2>&1
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
	*fourth) echo '^discover: asking' ;;
	*'lab.sh ask') echo 'who has 10.1.0.7' ;;
	*capture*) echo '^etherconnctl: capturing' ;;
	tshark*) echo '^lab0[[:space:]]200[[:space:]]dropped: rx_(multicast_ignored|miss)[[:space:]]Who has 10\.1\.0\.7\? Tell 10\.0\.0\.1' ;;
	*arping*'vlan 100'*) echo '^2 asked, 0 answered' ;;
	*arping*'vlan 200'*) echo '^2 asked, 2 answered' ;;
	*'show endpoints') echo '02:00:00:00:00:01.100  0\.0\.0\.0:68' ;;
	*dhcp_client*) echo '^bound: the endpoint is 10\.' ;;
	*'-n 10000'*) echo '^leases: 10000 of 10000 ' ;;
	*'-n 20 '*) echo 'failed +20: out of time' ;;
	*'far.sock stats') echo 'rx_(multicast_ignored|filtered) +[2-9][0-9] ' ;;
	*stats) echo '  tx +[0-9]+ ' ;;
	*'show clients') echo 'etherconnctl +61302' ;;
	*'lab.sh down') echo 'nothing is left' ;;
	esac
}

# follow DOCUMENT STEPS: there must be so many at least
follow() {
	local line pattern n=0
	while read -r line; do
		n=$((n + 1))
		run "$line" $n </dev/null
		pattern=$(expected "$(sed 's/ \{2,\}# in a fourth$/ fourth/; s/ \{2,\}#.*//' <<<"$line")")
		check "$line" grep -qE -- "${pattern:-nothing is expected of this}" "$work/$n.out"
		[ "$failures" = 0 ] || { cat "$work/$n.out"; break; }
	done < <(commands "$1")
	check "every step of $1 was taken" [ "$n" -ge "$2" ]
}

captures=
follow docs/TUTORIAL.md 14
for pid in "${pids[@]}"; do # the reader's Ctrl-C
	end_process "$pid"
done
pids=()
if ! command -v tshark >/dev/null; then
	echo "SKIP: docs/LOST_FRAME.md: no tshark here"
elif [ "$failures" = 0 ]; then
	follow docs/LOST_FRAME.md 13
fi
done_testing
