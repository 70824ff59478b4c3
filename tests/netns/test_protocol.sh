#!/bin/bash
# test_protocol.sh - a client in another language, written after etherconn-protocol(7): the page is
# right, and the daemon serves more than its own library.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
# the system's own: one of a user's may not be readable for another
python=$(PATH=/usr/bin:/bin command -v python3) || skip "no python3 here"
begin
make_pair
vlan_add "$ns_p" "$if_p" v100 100 0 10.9.0.2/24
start_daemon

# 1000 pings of 1.2 kB: each ring of 64 KiB wraps about twenty times
"${as_client[@]}" "$python" "$top/tests/protocol_client.py" "$sock" 1000 >"$work/client.out" 2>&1
check "it ends well" [ $? = 0 ]
[ "$failures" = 0 ] || cat "$work/client.out"
check "it attached, and opened an endpoint" grep -q '^open$' "$work/client.out"
check "the peer answered its ARP" grep -qE '^arp ([0-9a-f]{2}:){5}[0-9a-f]{2}$' "$work/client.out"
check "every ping came back whole" grep -q '^pings 1000$' "$work/client.out"
check "and counted in memory that it reads" grep -q '^counters 1001$' "$work/client.out"
check "the daemon had sent as many frames" [ "$(relay_counter tx)" = 1001 ]
check "and found no fault with its client" [ "$(grep -c "client" "$work/daemon.log")" = 0 ]
done_testing
