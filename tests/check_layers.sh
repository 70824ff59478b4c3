#!/bin/bash
# check_layers.sh - who may include whom.  A house whose walls nobody tests has none.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/say.sh
. "$top/tests/say.sh"

# faults DIR: print every include in the tree at DIR that the layering forbids.
faults() (
	cd "$1" || exit 1
	# project headers: path-qualified, and only of the layers below
	layer() { grep -nE '^[[:space:]]*#[[:space:]]*include "' "$1"/*.[ch] 2>/dev/null | grep -vE "include \"($2)/"; }
	layer proto 'proto'
	layer client-lib 'proto|client-lib'
	layer daemon 'proto|daemon'
	layer ctl 'proto|client-lib|ctl'
	# of the library its public header alone: udp and arping are its users like any other, and
	# show that what they do needs nothing that others have not got
	grep -nE 'include "client-lib/' ctl/*.[ch] | grep -v '"client-lib/etherconn\.h"'
	# the installed header, and each other's: nothing of the project's own
	layer examples 'examples'
	# one file owns each outside header
	owner() { grep -rnE "include <$1" --include='*.[ch]' proto daemon client-lib ctl examples 2>/dev/null | grep -vE "^($2):"; }
	owner 'ev\.h' '(daemon/loop|examples/ev_ping)\.c'
	owner 'pcap' '(daemon/relay_(pcap|pcapfile|filter)|ctl/expression)\.c'
	owner 'linux/bpf\.h' 'daemon/kernel_filter\.c'
	# the filter names the options that packet_ring.c uses
	owner 'linux/if_packet\.h' 'daemon/(packet_ring|syscalls)\.c'
	owner 'seccomp\.h' 'daemon/syscalls\.c'
	owner 'linux/if_xdp\.h' 'daemon/afxdp_send\.c'
	owner 'curses\.h' 'ctl/screen\.c'
	owner 'term\.h' 'ctl/screen\.c'
	owner 'cjson' 'proto/json\.c'
	# ranks within the daemon: a file includes only what stands lower
	rank() { # rank FILES FORBIDDEN-HEADERS
		local f
		for f in $1; do
			[ -f "daemon/$f" ] && grep -nHE "include \"daemon/($2)\.h\"" "daemon/$f"
		done
	}
	rank 'log.h log.c syscalls.h syscalls.c' '[a-z_]+' | grep -vE 'daemon/(log|syscalls)\.h'
	rank 'hash.h hash.c bucket.h sending.h sending.c file.h file.c netif.h netif.c kernel_filter.h kernel_filter.c loop.h loop.c channel.h channel.c memfd.h memfd.c counters.h counters.c endpoint_table.h endpoint_table.c capture.h capture.c' \
		'main|daemon|control|client|policy|datapath|config'
	rank 'relay.h relay.c relay_afpacket.c relay_pcap.c relay_pcapfile.c relay_filter.c afxdp_send.h afxdp_send.c packet_ring.h packet_ring.c' 'main|daemon|control|client|policy|datapath|config|channel|endpoint_table|loop'
	rank 'denials.h denials.c monitor.h monitor.c' 'main|daemon|control|client|policy|datapath|config|channel|relay|endpoint_table|loop'
	rank 'datapath.h datapath.c datapath_rx.c datapath_tx.c' 'main|daemon|control|client|policy|config|log'
	rank 'client.h client.c client_policy.c client_capture.c' 'main|daemon|control|config'
	rank 'policy.h policy.c policy_parse.c policy_format.c' 'main|daemon|control|client|datapath|relay|channel|endpoint_table|config|log'
	rank 'control.h control.c control_show.c control_monitor.c control_counters.c' 'main|daemon|config'
	rank 'service.h service.c' 'main|daemon|config'
	true
)

# plant FILE LINE: does the test see a fault that is put there?
plant() {
	local copy
	copy=$(mktemp -d)
	cp -r "$top"/proto "$top"/daemon "$top"/client-lib "$top"/ctl "$top"/examples "$copy"
	echo "$2" >>"$copy/$1"
	check "sees: $2 in $1" [ -n "$(faults "$copy")" ]
	rm -rf "$copy"
}

verdict "nobody includes what it may not know" "$(faults "$top")"
plant proto/frame.c '#include "daemon/log.h"'
plant client-lib/l2.c '#include "daemon/relay.h"'
plant daemon/client.c '#include "client-lib/etherconn.h"'
plant daemon/client.c '#include <ev.h>'
plant daemon/relay.c '#include <pcap/pcap.h>'
plant daemon/channel.c '#include <seccomp.h>'
plant proto/msg.c '#include <cjson/cJSON.h>'
plant daemon/channel.c '#include "daemon/client.h"'
plant daemon/datapath_rx.c '#include "daemon/log.h"'
plant ctl/udp.c '#include "client-lib/internal.h"'
plant ctl/udp.c '#include "daemon/client.h"'
plant examples/dhcp.c '#include "proto/frame.h"'
plant proto/sock.c '#include "sock.h"'
done_testing
