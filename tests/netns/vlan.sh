# vlan.sh - sourced: kernel sub-interfaces behind VLAN tags, with 8021q where the kernel has it
# and a small tc program where it has not.
#
#   vlan_add NETNS UPLINK NAME OUTER INNER CIDR...      INNER 0: one tag
#
# Each NAME is an ordinary interface in NETNS.  Needs $work, a directory that the caller removes.
# shellcheck shell=bash disable=SC2154 # work, netns_dir: lib.sh

vlan_le32() { printf '%02x %02x %02x %02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
vlan_le16() { printf '%02x %02x' $(($1 & 255)) $(($1 >> 8 & 255)); }
vlan_ifindex() { ip -n "$1" -j link show "$2" | sed 's/.*"ifindex":\([0-9]*\).*/\1/'; }

# Does this kernel make VLAN devices?  (Asked with a device that is gone at once.)
vlan_kernel_has_8021q() {
	local ns=$1 uplink=$2
	ip -n "$ns" link add link "$uplink" name vlantest type vlan id 4000 2>/dev/null || return 1
	ip -n "$ns" link del vlantest
}

vlan_add_8021q() {
	local ns=$1 uplink=$2 name=$3 outer=$4 inner=$5
	if [ "$inner" = 0 ]; then
		ip -n "$ns" link add link "$uplink" name "$name" type vlan id "$outer"
	else
		ip -n "$ns" link add link "$uplink" name "$name.o" type vlan id "$outer"
		ip -n "$ns" link set "$name.o" up
		ip -n "$ns" link add link "$name.o" name "$name" type vlan id "$inner"
	fi
}

# The program's two ends, once per uplink; bpffs lives in $work and goes with it.
vlan_load_tc() {
	local ns=$1 uplink=$2 pins=$work/bpffs/$1
	mkdir -p "$work/bpffs"
	mountpoint -q "$work/bpffs" || mount -t bpf bpf "$work/bpffs"
	[ -d "$pins" ] && return
	clang -O2 -g -target bpf -I"/usr/include/$(uname -m)-linux-gnu" \
		-c "$netns_dir/vlan-peer.bpf.c" -o "$work/vlan-peer.bpf.o"
	mkdir "$pins"
	bpftool prog loadall "$work/vlan-peer.bpf.o" "$pins" type classifier pinmaps "$pins"
	nsenter --net="/run/netns/$ns" tc qdisc add dev "$uplink" clsact
	nsenter --net="/run/netns/$ns" tc filter add dev "$uplink" ingress bpf da \
		pinned "$(echo "$pins"/*_in)"
}

vlan_add_tc() {
	local ns=$1 uplink=$2 name=$3 outer=$4 inner=$5 pins=$work/bpffs/$1 device index
	vlan_load_tc "$ns" "$uplink"
	ip -n "$ns" link add "$name" type veth peer name "${name}p"
	ip -n "$ns" link set "${name}p" up
	nsenter --net="/run/netns/$ns" tc qdisc add dev "$name" clsact
	nsenter --net="/run/netns/$ns" tc filter add dev "$name" egress bpf da \
		pinned "$(echo "$pins"/*_out)"
	device=$(vlan_ifindex "$ns" "$name")
	index=$(vlan_ifindex "$ns" "$uplink")
	# shellcheck disable=SC2046 # the bytes are separate words
	bpftool map update pinned "$pins/in_map" key hex $(vlan_le32 $((outer << 16 | inner))) \
		value hex $(vlan_le32 "$device")
	# shellcheck disable=SC2046
	bpftool map update pinned "$pins/out_map" key hex $(vlan_le32 "$device") \
		value hex $(vlan_le16 "$outer") $(vlan_le16 "$inner") \
		$(vlan_le16 $((0x8100))) $(vlan_le16 $((0x8100))) $(vlan_le32 "$index")
}

# The namespace is gone: so are its programs.
vlan_forget() { rm -rf "$work/bpffs/$1"; }

# An address that may be used at once: no duplicate address detection.
addr_add() {
	case $3 in
	*:*) ip -n "$1" addr add "$3" dev "$2" nodad ;;
	*) ip -n "$1" addr add "$3" dev "$2" ;;
	esac
}

vlan_add() {
	local ns=$1 uplink=$2 name=$3 outer=$4 inner=$5 cidr
	shift 5
	if vlan_kernel_has_8021q "$ns" "$uplink"; then
		vlan_add_8021q "$ns" "$uplink" "$name" "$outer" "$inner"
	else
		vlan_add_tc "$ns" "$uplink" "$name" "$outer" "$inner"
	fi
	ip -n "$ns" link set "$name" up
	for cidr in "$@"; do
		addr_add "$ns" "$name" "$cidr"
	done
}
